"""docs/reference is in step with the code, and every setting says what it does."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from controlplane.settings import Settings

FOLDER = Path(__file__).parents[2] / "docs" / "reference"


def test_the_generated_pages_are_in_step() -> None:
    """Mend it with `make docs`."""
    spec = importlib.util.spec_from_file_location("generate", FOLDER / "generate.py")
    assert spec is not None and spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    for name, text in generate.pages().items():
        assert (FOLDER / name).read_text() == text, name


def test_every_setting_is_described() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description and len(field.description) > 20, name

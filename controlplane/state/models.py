"""Finds every module that declares tables, so that migrations see them all."""

from __future__ import annotations

import importlib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def import_all_models() -> None:
    """Import each `models.py` of the control plane (this one declares none)."""
    for path in sorted(ROOT.rglob("models.py")):
        if path != Path(__file__):
            importlib.import_module(".".join(("controlplane", *path.relative_to(ROOT).with_suffix("").parts)))

"""Every service folder looks like every other."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

from controlplane.gateway.registry import SERVICES

ROOT = SERVICES.parent.parent
FOLDERS = sorted(path.parent for path in SERVICES.glob("*/service.toml"))
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc", "base"}
LONGEST = 500


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_service_has_its_files(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    assert {"service.toml", "errors.py", "README.md"} <= names
    assert names & {"operations.py", "operations"}
    facts = tomllib.loads((folder / "service.toml").read_text())
    assert set(facts) <= {"model", "scope", "iam_prefix", "extra_protocols", "engines", "calls", "level", "version_of"}
    assert {"model", "scope", "engines", "calls", "level"} <= set(facts)


def test_every_folder_of_services_is_a_service() -> None:
    folders = {path for path in SERVICES.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(FOLDERS)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_services_do_not_import_one_another(folder: Path) -> None:
    older = tomllib.loads((folder / "service.toml").read_text()).get("version_of")
    others = {f"controlplane.services.{other.name}" for other in FOLDERS if other.name not in (folder.name, older)}
    forbidden = {"controlplane.wire", "controlplane.gateway", "botocore", "boto3", "sqlalchemy", "fastapi"}
    for path in folder.rglob("*.py"):
        allowed = {"sqlalchemy"} if path.name == "models.py" else {"fastapi"} if path.name == "dataplane.py" else set()
        for name in _imports(path):
            parts = name.split(".")
            prefixes = {".".join(parts[:count]) for count in range(1, len(parts) + 1)}
            assert not prefixes & others, f"{path} imports {name}"
            assert not prefixes & (forbidden - allowed), f"{path} imports {name}"


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def _our_files() -> list[Path]:
    return [path for top in ("controlplane", "agents") for path in sorted((ROOT / top).rglob("*.py"))]


def test_names_say_purpose_and_files_stay_short() -> None:
    for path in _our_files():
        assert path.stem not in FORBIDDEN_NAMES or path.parent.name in ("state", "contract"), path
        assert "versions" in path.parts or len(path.read_text().splitlines()) <= LONGEST, (
            f"{path} is longer than {LONGEST} lines"
        )


def test_only_settings_read_the_environment() -> None:
    for path in _our_files():
        if path.name == "settings.py" or path.parts[-3:-1] == ("state", "migrations"):
            continue
        reads = [
            node
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")
        ]
        # Agents have no settings of ours: their arguments say everything, and children inherit what they need.
        assert not reads or path.is_relative_to(ROOT / "agents"), path

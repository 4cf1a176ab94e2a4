"""Which services this cloud has: the folders of `controlplane/services` that hold a `service.toml`."""

from __future__ import annotations

import importlib
import pkgutil
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from controlplane.core.compatibility import Compatibility
from controlplane.core.offer import Function as Offer
from controlplane.core.operation import NoPermission, OperationSpec
from controlplane.core.own_path import OwnPathSpec
from controlplane.core.public_names import Host, TargetSpec

SERVICES = Path(__file__).parent.parent / "services"
PACKAGE = "controlplane.services"


@dataclass(frozen=True, slots=True)
class ServiceEntry:
    """One service folder: what its `service.toml` says and the operations that its modules declare."""

    name: str
    model: str
    scope: Literal["global", "regional"]
    iam_prefix: str
    extra_protocols: tuple[str, ...]
    engines: tuple[str, ...]
    calls: tuple[str, ...]
    level: Literal["bronze", "silver", "gold"]
    operations: dict[str, OperationSpec] = field(default_factory=dict)
    offers: dict[str, Offer] = field(default_factory=dict)
    own_paths: list[OwnPathSpec] = field(default_factory=list)
    alias_targets: list[TargetSpec] = field(default_factory=list)
    hosts: list[Host] = field(default_factory=list)
    compatible: dict[str, Compatibility] = field(default_factory=dict)

    def action(self, spec: OperationSpec) -> str:
        """The IAM action that an operation needs."""
        return spec.action or f"{self.iam_prefix}:{spec.name}"


class Registry:
    """All services, by folder name and by botocore model."""

    def __init__(self, entries: list[ServiceEntry]) -> None:
        self.services = {entry.name: entry for entry in entries}
        self.by_model = {entry.model: entry for entry in entries}

    @classmethod
    def scan(cls, folder: Path = SERVICES) -> Registry:
        """Read every service folder and import its operations."""
        return cls([_read_entry(path.parent) for path in sorted(folder.glob("*/service.toml"))])

    def actions(self) -> Iterator[str]:
        """The IAM actions that all operations together ask about."""
        for entry in self.services.values():
            for spec in entry.operations.values():
                if not isinstance(spec.on, NoPermission):
                    yield entry.action(spec)


def _read_entry(folder: Path) -> ServiceEntry:
    facts = tomllib.loads((folder / "service.toml").read_text())
    model = facts["model"]
    entry = ServiceEntry(
        name=folder.name,
        model=model,
        scope=facts["scope"],
        iam_prefix=facts.get("iam_prefix", model),
        extra_protocols=tuple(facts.get("extra_protocols", ())),
        engines=tuple(facts.get("engines", ())),
        calls=tuple(facts.get("calls", ())),
        level=facts["level"],
    )
    for module in _operation_modules(folder):
        _collect(entry, module)
    if (folder / "offers.py").exists():
        module = importlib.import_module(f"{PACKAGE}.{folder.name}.offers")
        entry.offers.update({f.__offer__: f for f in vars(module).values() if hasattr(f, "__offer__")})
    if (folder / "own_paths.py").exists():
        module = importlib.import_module(f"{PACKAGE}.{folder.name}.own_paths")
        entry.own_paths.extend(f.__own_path__ for f in vars(module).values() if hasattr(f, "__own_path__"))
    if (folder / "public_names.py").exists():
        module = importlib.import_module(f"{PACKAGE}.{folder.name}.public_names")
        declared = list(vars(module).values())
        entry.alias_targets.extend(f.__alias_target__ for f in declared if hasattr(f, "__alias_target__"))
        entry.hosts.extend(f for f in declared if hasattr(f, "__site_host__"))
    if (folder / "compatibility.py").exists():
        entry.compatible.update(importlib.import_module(f"{PACKAGE}.{folder.name}.compatibility").COMPATIBLE)
    return entry


def _operation_modules(folder: Path) -> list[ModuleType]:
    root = importlib.import_module(f"{PACKAGE}.{folder.name}.operations")
    names = [info.name for info in pkgutil.iter_modules(getattr(root, "__path__", ()))]
    return [root, *(importlib.import_module(f"{root.__name__}.{name}") for name in names)]


def _collect(entry: ServiceEntry, module: ModuleType) -> None:
    for value in vars(module).values():
        spec: Any = getattr(value, "__operation__", None)
        if not isinstance(spec, OperationSpec) or value.__module__ != module.__name__:
            continue
        if spec.name in entry.operations:
            raise ValueError(f"{entry.name} implements {spec.name} twice")
        entry.operations[spec.name] = spec

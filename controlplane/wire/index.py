"""Which services exist and how requests name them, known without loading their models.

The facts are read out of all models once (about a second) and kept on disk for this version of botocore.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore
import orjson

from controlplane.wire import models
from controlplane.wire.paths import PathTree, Query
from controlplane.wire.service import Service, load

_FORMAT = 1
_REST = frozenset({"rest-json", "rest-xml"})
# Names that requests are signed with besides the one in the model.
_ALIASES = {"s3express": "s3", "s3-object-lambda": "s3"}
# Of services that share everything a request shows, the one that is meant.
_PREFERRED = ("rds", "elbv2", "sns", "sqs", "sts", "iam", "ec2")


@dataclass(frozen=True, slots=True)
class Facts:
    """What tells one service's requests from another's."""

    name: str
    protocols: tuple[str, ...]
    signing_name: str
    endpoint_prefix: str
    target_prefix: str | None
    api_version: str


class Index:
    """Finds services by signing name, target prefix, host or path. Open one with `Index.open`."""

    def __init__(self, content: Mapping[str, Any], extra_protocols: Mapping[str, Iterable[str]]) -> None:
        self._extra = {name: tuple(protocols) for name, protocols in extra_protocols.items()}
        self.services: dict[str, Facts] = {}
        self.by_signing_name: dict[str, list[Facts]] = {}
        self.by_target_prefix: dict[str, list[Facts]] = {}
        self.by_endpoint_prefix: dict[str, Facts] = {}
        for name, row in content["services"].items():
            self._add(self._facts(name, row))
        for sharing in self.by_signing_name.values():
            sharing.sort(key=lambda facts: _preference(facts.name))
        for alias, name in _ALIASES.items():
            self.by_signing_name.setdefault(alias, [self.services[name]])
        self._query_operations: Mapping[str, list[str]] = content["query_operations"]
        self._rest: Mapping[str, Any] = content["rest"]
        self._open_paths: Mapping[str, Any] = content["open"]
        self._trees: dict[str, PathTree] = {}

    @classmethod
    def open(cls, directory: Path, extra_protocols: Mapping[str, Iterable[str]] | None = None) -> Index:
        """The index, from `directory` if it holds one for this botocore, else built and kept there.

        `extra_protocols` tells by service which protocols are spoken besides those of the model.
        """
        path = directory / f"botocore-{botocore.__version__}-{_FORMAT}.json"
        content = _read(path)
        if content is None:
            content = build()
            _keep(path, content)
        return cls(content, extra_protocols or {"sqs": ("query",)})

    def load(self, name: str) -> Service:
        """The service with all the protocols it speaks here."""
        return load(name, self._extra.get(name, ()))

    def by_action(self, action: str, version: str | None) -> list[Facts]:
        """The services whose query protocol has this action, those of the given API version first."""
        found = [self.services[name] for name in self._query_operations.get(action, ())]
        return sorted(found, key=lambda facts: (facts.api_version != version, _preference(facts.name)))

    def by_path(
        self, candidates: Iterable[Facts], method: str, segments: list[str], query: Query, headers: Mapping[str, str]
    ) -> Facts | None:
        """The first of these services, all REST, that has an operation at the path. Raises BadEscape."""
        for facts in candidates:
            tree = self._tree(facts.name, self._rest)
            if tree is not None and tree.find(method, segments, query, headers):
                return facts
        return None

    def by_open_path(self, method: str, segments: list[str], query: Query, headers: Mapping[str, str]) -> Facts | None:
        """The service that has an operation without signature at the path. Raises BadEscape."""
        for name in self._open_paths:
            tree = self._tree(name, self._open_paths)
            if tree is not None and tree.find(method, segments, query, headers):
                return self.services[name]
        return None

    def _add(self, facts: Facts) -> None:
        self.services[facts.name] = facts
        self.by_signing_name.setdefault(facts.signing_name, []).append(facts)
        if facts.target_prefix:
            self.by_target_prefix.setdefault(facts.target_prefix, []).append(facts)
        known = self.by_endpoint_prefix.get(facts.endpoint_prefix)
        if known is None or _preference(facts.name) < _preference(known.name):
            self.by_endpoint_prefix[facts.endpoint_prefix] = facts

    def _facts(self, name: str, row: list[Any]) -> Facts:
        protocols, signing_name, endpoint_prefix, target_prefix, api_version = row
        protocols = tuple(dict.fromkeys([*protocols, *self._extra.get(name, ())]))
        return Facts(name, protocols, signing_name, endpoint_prefix, target_prefix, api_version)

    def _tree(self, name: str, source: Mapping[str, Any]) -> PathTree | None:
        if name not in source:
            return None
        key = f"{name}:{id(source)}"
        if key not in self._trees:
            self._trees[key] = PathTree(source[name])
        return self._trees[key]


def _preference(name: str) -> tuple[int, str]:
    return (_PREFERRED.index(name) if name in _PREFERRED else len(_PREFERRED), name)


def build() -> dict[str, Any]:
    """Read the facts out of all models."""
    content: dict[str, Any] = {"services": {}, "query_operations": {}, "rest": {}, "open": {}}
    shared = _shared_signing_names(content)
    for name in content["services"]:
        description = models.read(name)
        protocols, signing_name = content["services"][name][:2]
        if {"query", "ec2"} & set(protocols) or name == "sqs":
            for operation in description["operations"]:
                content["query_operations"].setdefault(operation, []).append(name)
        if protocols[0] in _REST:
            if signing_name in shared:
                content["rest"][name] = _paths(description, lambda operation: True)
            unsigned = _paths(description, _is_open)
            if unsigned["operations"]:
                content["open"][name] = unsigned
    return content


def _shared_signing_names(content: dict[str, Any]) -> set[str]:
    counts: dict[str, int] = {}
    for name in models.names():
        service = Service(name, models.read(name))
        counts[service.signing_name] = counts.get(service.signing_name, 0) + 1
        content["services"][name] = [
            service.protocols,
            service.signing_name,
            service.endpoint_prefix,
            service.target_prefix,
            service.api_version,
        ]
    return {name for name, count in counts.items() if count > 1}


def _is_open(operation: Mapping[str, Any]) -> bool:
    return operation.get("authtype") == "none" or "smithy.api#noAuth" in operation.get("auth", ())


def _paths(description: Mapping[str, Any], wanted: Any) -> dict[str, Any]:
    """The part of a description that a PathTree needs."""
    operations: dict[str, Any] = {}
    shapes: dict[str, Any] = {}
    for name, operation in description["operations"].items():
        if wanted(operation):
            operations[name] = {key: operation[key] for key in ("http", "input", "deprecated") if key in operation}
            if "input" in operation:
                shape = operation["input"]["shape"]
                shapes[shape] = _required_members(description["shapes"][shape])
    return {"operations": operations, "shapes": shapes}


def _required_members(shape: Mapping[str, Any]) -> dict[str, Any]:
    required = [name for name in shape.get("required", ()) if shape["members"][name].get("location")]
    keep = ("location", "locationName")
    members = {name: {key: shape["members"][name].get(key, name) for key in keep} for name in required}
    return {"required": required, "members": members}


def _read(path: Path) -> Any:
    try:
        return orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None


def _keep(path: Path, content: Mapping[str, Any]) -> None:
    # Workers start together: each writes its own file and renames it. A cache that cannot be kept is no error.
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        with os.fdopen(handle, "wb") as file:
            file.write(orjson.dumps(content))
        Path(name).replace(path)

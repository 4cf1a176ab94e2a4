"""Names that belong to what a service has: in DNS, where aliases of Route 53 lead to them, and as hosts of requests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from controlplane.core.context import Cloud, Unit


@dataclass(frozen=True, slots=True)
class AliasTarget:
    """What an alias may lead to. `zone_id` is the hosted zone that AWS's name of it is in. Without `addresses` it is
    reached where this cloud's gateway is. `healthy` counts where an alias evaluates its target's health."""

    zone_id: str
    addresses: tuple[str, ...] | None = None
    healthy: bool = True


@dataclass(frozen=True, slots=True)
class Site:
    """What shows the pages of a host: an operation that takes `labels` and the path as its `Key`."""

    operation: str
    region: str
    labels: Mapping[str, str]


Target = Callable[[Unit, Cloud, str], Awaitable[AliasTarget | None]]
Host = Callable[[Unit, str], Awaitable[Site | None]]
T = TypeVar("T", bound=Target)
H = TypeVar("H", bound=Host)


@dataclass(frozen=True, slots=True)
class TargetSpec:
    """A declared function with the ids of the hosted zones in which its names are."""

    zones: frozenset[str]
    find: Target


def alias_target(*zones: str) -> Callable[[T], T]:
    """Declare, in a service's `public_names.py`, what finds the target that a name (small letters, no last dot) is of.

    `zones` are the ids of the hosted zones that such names have at AWS. Route 53 asks again from time to time, so what
    a target's addresses are may change without its being told.
    """

    def declare(function: T) -> T:
        function.__alias_target__ = TargetSpec(frozenset(zones), function)  # type: ignore[attr-defined]
        return function

    return declare


def host(function: H) -> H:
    """Declare, in a service's `public_names.py`, what finds the site that a host (small letters, no port) is of.

    It is asked about unsigned GET and HEAD requests only, and never about the cloud's own names; it should be one
    cached read. Nobody has asked the policy engine: the site's operation does.
    """
    function.__site_host__ = True  # type: ignore[attr-defined]
    return function

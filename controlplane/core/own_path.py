"""What a service serves below `/_celaje/`: what AWS has outside its APIs, such as a certificate, or not at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from controlplane.core.context import Context
from controlplane.core.http import HttpResponse

Function = Callable[[Context, Mapping[str, str]], Awaitable[HttpResponse]]
F = TypeVar("F", bound=Function)


@dataclass(frozen=True, slots=True)
class OwnPathSpec:
    """One path: `/sns/{file}` below the prefix. `signed`: only with a signature (SigV4, scoped to the service)."""

    path: str
    signed: bool
    run: Function


def own_path(path: str, *, signed: bool = True) -> Callable[[F], F]:
    """Declare, in a service's `own_paths.py`, what a GET of a path answers.

    The function gets the values in the path and of the query string. It asks the policy engine itself
    (`ctx.authorize`); without `signed` the caller is the anonymous principal.
    """

    def declare(function: F) -> F:
        function.__own_path__ = OwnPathSpec(path, signed, function)  # type: ignore[attr-defined]
        return function

    return declare

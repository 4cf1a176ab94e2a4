"""What a service does for other services beside its API: functions that no request from outside can reach."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from controlplane.core.context import Context

Function = Callable[[Context, Mapping[str, Any]], Awaitable[Any]]
F = TypeVar("F", bound=Function)


def offer(name: str) -> Callable[[F], F]:
    """Declare, in a service's `offers.py`, what others reach with `await ctx.ask(service, name, request)`.

    Nobody has asked the policy engine before: the function itself asks about what it does, or its docstring says why
    nothing is to be asked.
    """

    def declare(function: F) -> F:
        function.__offer__ = name  # type: ignore[attr-defined]
        return function

    return declare

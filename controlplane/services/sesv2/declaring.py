"""How operations of version 2 are declared: errors of the nouns that they share are told in its words."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from controlplane.core import operation as declaring
from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.core.operation import Implementation, On
from controlplane.services.sesv2.errors import translated


def operation(name: str, *, on: On, action: str | None = None) -> Callable[[Implementation], Implementation]:
    """As `core.operation.operation`."""

    def declare(function: Implementation) -> Implementation:
        @functools.wraps(function)
        async def run(ctx: Context, request: Any) -> Any:
            try:
                return await function(ctx, request)
            except AwsError as error:
                raise translated(error) from error

        return declaring.operation(name, on=on, action=action)(run)

    return declare

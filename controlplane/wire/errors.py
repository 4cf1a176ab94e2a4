"""What the wire refuses, before any operation runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controlplane.core.errors import AwsError

if TYPE_CHECKING:
    from controlplane.wire.route import Route


class Malformed(Exception):
    """Something in a request that cannot be read; `wire.wording` says it the way the service would."""

    def __init__(self, message: str, *, name: str = "", value: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.name = name
        self.value = value


class Unroutable(AwsError):
    """A request that names no operation that exists. `route` tells in which protocol to say so."""

    status = 400

    def __init__(self, error: AwsError, route: Route) -> None:
        super().__init__(error.message, code=error.code, status=error.status, members=error.members)
        self.route = route

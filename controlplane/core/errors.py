"""The two families of expected failures; everything else that is raised is a bug."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class AwsError(Exception):
    """What AWS would answer: an error code, a message for the caller and an HTTP status.

    `detail` is for the log only and never reaches the caller. `members` are further members of a modelled error shape.
    """

    code = "InternalFailure"
    status = 400

    def __init__(
        self,
        message: str = "",
        *,
        code: str | None = None,
        status: int | None = None,
        detail: str | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.status = status or type(self).status
        self.detail = detail
        self.members = dict(members or {})


class NotImplementedByCelaje(AwsError):
    """An operation that AWS has and this cloud does not."""

    code = "NotImplemented"
    status = 501


class ServiceUnavailable(AwsError):
    """The cloud cannot answer for the moment; clients retry."""

    code = "ServiceUnavailable"
    status = 503


class EngineError(Exception):
    """A backend failed. Subclasses say how, so that reconcilers can decide between retrying and giving up."""


class EngineUnavailable(EngineError):
    """The backend does not answer; worth a retry."""


class EngineMissing(EngineError):
    """The backend does not hold the thing."""


class Overtaken(EngineError):
    """Another request changed what this one was about to use: it is run again from its beginning, with all checks."""

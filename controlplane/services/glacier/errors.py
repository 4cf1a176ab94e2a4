"""The error codes of Glacier."""

from __future__ import annotations

from controlplane.core.errors import AwsError


class GlacierError(AwsError):
    """An error as Glacier tells it: with its code once more in the body, and whose fault it is."""

    def __init__(self, message: str) -> None:
        super().__init__(message, members={"type": "Client", "code": type(self).code})


class InvalidParameterValueException(GlacierError):
    code = "InvalidParameterValueException"


class MissingParameterValueException(GlacierError):
    code = "MissingParameterValueException"


class LimitExceededException(GlacierError):
    code = "LimitExceededException"


class PolicyEnforcedException(GlacierError):
    code = "PolicyEnforcedException"


class ResourceNotFoundException(GlacierError):
    code, status = "ResourceNotFoundException", 404

"""The error codes that SES v2 answers with, and which of version 1 they stand for."""

from __future__ import annotations

from controlplane.core.errors import AwsError


class BadRequestException(AwsError):
    code = "BadRequestException"


class NotFoundException(AwsError):
    code = "NotFoundException"
    status = 404


class AlreadyExistsException(AwsError):
    code = "AlreadyExistsException"


class SendingPausedException(AwsError):
    code = "SendingPausedException"


class TooManyRequestsException(AwsError):
    code = "TooManyRequestsException"
    status = 429


_PAUSED = ("AccountSendingPausedException", "ConfigurationSetSendingPausedException")


def translated(error: AwsError) -> AwsError:
    """An error of version 1 as version 2 tells it."""
    code = error.code
    if error.status >= 500 or code == "MessageRejected" or type(error).__module__ == __name__:
        return error
    if code in _PAUSED:
        return SendingPausedException(error.message)
    if code == "Throttling":
        return TooManyRequestsException(error.message)
    if code.endswith("DoesNotExist"):
        return NotFoundException(error.message)
    if code.endswith("AlreadyExists"):
        return AlreadyExistsException(error.message)
    if code.startswith(("Invalid", "Missing")):
        return BadRequestException(error.message)
    return error

"""The error codes that Route 53 Resolver answers with."""

from __future__ import annotations

from controlplane.core.errors import AwsError


class _Error(AwsError):
    def __init__(self, message: str) -> None:
        super().__init__(message, members={"Message": message})


class InvalidParameterException(_Error):
    code = "InvalidParameterException"


class InvalidRequestException(_Error):
    code = "InvalidRequestException"


class ResourceNotFoundException(_Error):
    code = "ResourceNotFoundException"


class ResourceExistsException(_Error):
    code = "ResourceExistsException"


class ResourceInUseException(_Error):
    code = "ResourceInUseException"


class InvalidNextTokenException(_Error):
    code = "InvalidNextTokenException"


class LimitExceededException(_Error):
    code = "LimitExceededException"


class ConflictException(_Error):
    code = "ConflictException"


class ValidationException(_Error):
    code = "ValidationException"

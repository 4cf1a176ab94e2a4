"""The error codes that CloudWatch Logs answers with."""

from __future__ import annotations

from controlplane.core.errors import AwsError


class InvalidParameterException(AwsError):
    code = "InvalidParameterException"


class AccessDeniedException(AwsError):
    code = "AccessDeniedException"


class ValidationException(AwsError):
    code = "ValidationException"


class InvalidOperationException(AwsError):
    code = "InvalidOperationException"


class LimitExceededException(AwsError):
    code = "LimitExceededException"


class TooManyTagsException(AwsError):
    code = "TooManyTagsException"


class ResourceAlreadyExistsException(AwsError):
    code = "ResourceAlreadyExistsException"


class ResourceNotFoundException(AwsError):
    code = "ResourceNotFoundException"


class NoSuchGroup(ResourceNotFoundException):
    def __init__(self) -> None:
        super().__init__("The specified log group does not exist.")


class NoSuchStream(ResourceNotFoundException):
    def __init__(self) -> None:
        super().__init__("The specified log stream does not exist.")

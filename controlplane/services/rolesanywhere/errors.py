"""The error codes that this service raises."""

from __future__ import annotations

from controlplane.core.errors import AwsError


class ValidationException(AwsError):
    code = "ValidationException"


class ResourceNotFound(AwsError):
    code = "ResourceNotFoundException"
    status = 404


class AccessDenied(AwsError):
    code = "AccessDeniedException"
    status = 403


class TooManyTags(AwsError):
    code = "TooManyTagsException"

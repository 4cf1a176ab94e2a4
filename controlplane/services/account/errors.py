"""The error codes that the Account API answers with."""

from __future__ import annotations

from controlplane.core.errors import AwsError


class AccessDeniedException(AwsError):
    code = "AccessDeniedException"
    status = 403


class ConflictException(AwsError):
    code = "ConflictException"
    status = 409


class ResourceNotFoundException(AwsError):
    code = "ResourceNotFoundException"
    status = 404


class ValidationException(AwsError):
    code = "ValidationException"

"""The error codes that Budgets answers with."""

from __future__ import annotations

from controlplane.core.errors import AwsError


class InvalidParameterException(AwsError):
    code = "InvalidParameterException"


class NotFoundException(AwsError):
    code = "NotFoundException"


class DuplicateRecordException(AwsError):
    code = "DuplicateRecordException"


class CreationLimitExceededException(AwsError):
    code = "CreationLimitExceededException"


class ServiceQuotaExceededException(AwsError):
    code = "ServiceQuotaExceededException"


class ResourceLockedException(AwsError):
    code = "ResourceLockedException"


class AccessDeniedException(AwsError):
    code = "AccessDeniedException"


class InvalidNextTokenException(AwsError):
    code = "InvalidNextTokenException"

"""The error codes of S3 Control."""

from __future__ import annotations

from controlplane.core.errors import AwsError


class AccessDenied(AwsError):
    code, status = "AccessDenied", 403


class InvalidRequest(AwsError):
    code = "InvalidRequest"


class NoSuchPublicAccessBlockConfiguration(AwsError):
    code, status = "NoSuchPublicAccessBlockConfiguration", 404


class NoSuchAccessPointPolicy(AwsError):
    code, status = "NoSuchAccessPointPolicy", 404


class BadRequestException(AwsError):
    code = "BadRequestException"


class JobStatusException(AwsError):
    code = "JobStatusException"


class NotFoundException(AwsError):
    code, status = "NotFoundException", 404


class TooManyRequestsException(AwsError):
    code = "TooManyRequestsException"

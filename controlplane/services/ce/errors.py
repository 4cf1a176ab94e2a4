"""The error codes that Cost Explorer answers with."""

from __future__ import annotations

from controlplane.core.errors import AwsError


class ValidationException(AwsError):
    code = "ValidationException"


class DataUnavailableException(AwsError):
    code = "DataUnavailableException"


class InvalidNextTokenException(AwsError):
    code = "InvalidNextTokenException"

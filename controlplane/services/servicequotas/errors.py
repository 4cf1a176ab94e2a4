"""The error codes that Service Quotas answers with."""

from __future__ import annotations

from controlplane.core.errors import AwsError


class NoSuchResourceException(AwsError):
    code = "NoSuchResourceException"


class IllegalArgumentException(AwsError):
    code = "IllegalArgumentException"


class ResourceAlreadyExistsException(AwsError):
    code = "ResourceAlreadyExistsException"


class InvalidPaginationTokenException(AwsError):
    code = "InvalidPaginationTokenException"


class TooManyTagsException(AwsError):
    code = "TooManyTagsException"

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

"""The STS error codes that this service raises."""

from __future__ import annotations

from controlplane.core.errors import AwsError


class AccessDenied(AwsError):
    code = "AccessDenied"
    status = 403


class ValidationError(AwsError):
    code = "ValidationError"


class InvalidParameterValue(AwsError):
    code = "InvalidParameterValue"


class MalformedPolicyDocument(AwsError):
    code = "MalformedPolicyDocument"


class PackedPolicyTooLarge(AwsError):
    code = "PackedPolicyTooLarge"


class InvalidAuthorizationMessage(AwsError):
    code = "InvalidAuthorizationMessageException"


class InvalidIdentityToken(AwsError):
    code = "InvalidIdentityToken"


class ExpiredToken(AwsError):
    code = "ExpiredTokenException"


class IdpRejectedClaim(AwsError):
    code = "IDPRejectedClaim"
    status = 403

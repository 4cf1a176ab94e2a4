"""The IAM error codes that this service raises."""

from __future__ import annotations

from controlplane.core.errors import AwsError


class NoSuchEntity(AwsError):
    code = "NoSuchEntity"
    status = 404


class EntityAlreadyExists(AwsError):
    code = "EntityAlreadyExists"
    status = 409


class DeleteConflict(AwsError):
    code = "DeleteConflict"
    status = 409


class LimitExceeded(AwsError):
    code = "LimitExceeded"
    status = 409


class MalformedPolicyDocument(AwsError):
    code = "MalformedPolicyDocument"


class InvalidInput(AwsError):
    code = "InvalidInput"


class ValidationError(AwsError):
    code = "ValidationError"


class UnmodifiableEntity(AwsError):
    code = "UnmodifiableEntity"


class AccessDenied(AwsError):
    code = "AccessDenied"
    status = 403


class InvalidAuthenticationCode(AwsError):
    code = "InvalidAuthenticationCode"
    status = 403


class PasswordPolicyViolation(AwsError):
    code = "PasswordPolicyViolation"


class InvalidUserType(AwsError):
    code = "InvalidUserType"


class EntityTemporarilyUnmodifiable(AwsError):
    code = "EntityTemporarilyUnmodifiable"
    status = 409


class MalformedCertificate(AwsError):
    code = "MalformedCertificate"


class InvalidCertificate(AwsError):
    code = "InvalidCertificate"


class DuplicateCertificate(AwsError):
    code = "DuplicateCertificate"
    status = 409


class KeyPairMismatch(AwsError):
    code = "KeyPairMismatch"


class InvalidPublicKey(AwsError):
    code = "InvalidPublicKey"


class DuplicateSSHPublicKey(AwsError):
    code = "DuplicateSSHPublicKey"


class UnrecognizedPublicKeyEncoding(AwsError):
    code = "UnrecognizedPublicKeyEncoding"


class CredentialReportNotPresent(AwsError):
    code = "ReportNotPresent"
    status = 410


class CredentialReportExpired(AwsError):
    code = "ReportExpired"
    status = 410


class OpenIdIdpCommunicationError(AwsError):
    code = "OpenIdIdpCommunicationError"

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

"""The error codes that KMS answers with."""

from __future__ import annotations

from controlplane.core.errors import AwsError


class AlreadyExistsException(AwsError):
    code = "AlreadyExistsException"


class CustomKeyStoreNotFoundException(AwsError):
    code = "CustomKeyStoreNotFoundException"


class DisabledException(AwsError):
    code = "DisabledException"


class DryRunOperationException(AwsError):
    code = "DryRunOperationException"


class ExpiredImportTokenException(AwsError):
    code = "ExpiredImportTokenException"


class IncorrectKeyException(AwsError):
    code = "IncorrectKeyException"


class IncorrectKeyMaterialException(AwsError):
    code = "IncorrectKeyMaterialException"


class InvalidAliasNameException(AwsError):
    code = "InvalidAliasNameException"


class InvalidArnException(AwsError):
    code = "InvalidArnException"


class InvalidCiphertextException(AwsError):
    code = "InvalidCiphertextException"


class InvalidGrantIdException(AwsError):
    code = "InvalidGrantIdException"


class InvalidGrantTokenException(AwsError):
    code = "InvalidGrantTokenException"


class InvalidImportTokenException(AwsError):
    code = "InvalidImportTokenException"


class InvalidKeyUsageException(AwsError):
    code = "InvalidKeyUsageException"


class InvalidMarkerException(AwsError):
    code = "InvalidMarkerException"


class KMSInvalidMacException(AwsError):
    code = "KMSInvalidMacException"


class KMSInvalidSignatureException(AwsError):
    code = "KMSInvalidSignatureException"


class KMSInvalidStateException(AwsError):
    code = "KMSInvalidStateException"


class LimitExceededException(AwsError):
    code = "LimitExceededException"


class MalformedPolicyDocumentException(AwsError):
    code = "MalformedPolicyDocumentException"


class NotFoundException(AwsError):
    code = "NotFoundException"


class TagException(AwsError):
    code = "TagException"


class UnsupportedOperationException(AwsError):
    code = "UnsupportedOperationException"


class ValidationException(AwsError):
    code = "ValidationException"

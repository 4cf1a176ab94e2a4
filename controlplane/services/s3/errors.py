"""The error codes of S3."""

from __future__ import annotations

from typing import Any

from controlplane.core.errors import AwsError


class S3Error(AwsError):
    """An error with a fixed message. `facts` are further elements of the answer (`BucketName`, `Key`, …)."""

    text = ""

    def __init__(self, text: str | None = None, **facts: Any) -> None:
        super().__init__(type(self).text if text is None else text, members=facts)


class AccessDenied(S3Error):
    code, status, text = "AccessDenied", 403, "Access Denied"


class BadDigest(S3Error):
    code = "BadDigest"
    text = "The Content-MD5 you specified did not match what we received."


class BucketAlreadyExists(S3Error):
    code, status = "BucketAlreadyExists", 409
    text = (
        "The requested bucket name is not available. The bucket namespace is shared by all users of the system. "
        "Please select a different name and try again."
    )


class BucketAlreadyOwnedByYou(S3Error):
    code, status = "BucketAlreadyOwnedByYou", 409
    text = "Your previous request to create the named bucket succeeded and you already own it."


class BucketNotEmpty(S3Error):
    code, status = "BucketNotEmpty", 409
    text = "The bucket you tried to delete is not empty"
    of_versions = "The bucket you tried to delete is not empty. You must delete all versions in the bucket."


class ConditionalRequestConflict(S3Error):
    code, status = "ConditionalRequestConflict", 409
    text = "The conditional request cannot succeed due to a conflicting operation against this resource."


class EntityTooLarge(S3Error):
    code, text = "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size"


class EntityTooSmall(S3Error):
    code, text = "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size"


class IllegalLocationConstraint(S3Error):
    code = "IllegalLocationConstraintException"


class IncompleteBody(S3Error):
    code = "IncompleteBody"
    text = "You did not provide the number of bytes specified by the Content-Length HTTP header"


class IllegalVersioningConfiguration(S3Error):
    code = "IllegalVersioningConfigurationException"
    text = "The Versioning element must be specified"


class InvalidArgument(S3Error):
    code, text = "InvalidArgument", "Invalid Argument"


class InvalidBucketName(S3Error):
    code, text = "InvalidBucketName", "The specified bucket is not valid."


class InvalidBucketOwner(S3Error):
    code = "InvalidBucketOwnerAWSAccountID"


class InvalidBucketState(S3Error):
    code, status = "InvalidBucketState", 409
    text = "The request is not valid for the current state of the bucket."


class InvalidDigest(S3Error):
    code, text = "InvalidDigest", "The Content-MD5 you specified was invalid."


class InvalidEncryptionAlgorithm(S3Error):
    code = "InvalidEncryptionAlgorithmError"
    text = "The Encryption request you specified is not valid. Supported value: AES256."


class MalformedACL(S3Error):
    code = "MalformedACLError"
    text = "The XML you provided was not well-formed or did not validate against our published schema"


class InvalidLocationConstraint(S3Error):
    code, text = "InvalidLocationConstraint", "The specified location-constraint is not valid"


class InvalidObjectState(S3Error):
    code, status = "InvalidObjectState", 403
    text = "The operation is not valid for the object's storage class"


class InvalidPart(S3Error):
    code = "InvalidPart"
    text = (
        "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified "
        "entity tag may not match the part's entity tag."
    )


class InvalidPartOrder(S3Error):
    code = "InvalidPartOrder"
    text = "The list of parts was not in ascending order. Parts must be ordered by part number."


class InvalidRange(S3Error):
    code, status, text = "InvalidRange", 416, "The requested range is not satisfiable"


class InvalidPartNumber(S3Error):
    code, status, text = "InvalidPartNumber", 416, "The requested partnumber is not satisfiable"


class InvalidRequest(S3Error):
    code = "InvalidRequest"


class InvalidStorageClass(S3Error):
    code, text = "InvalidStorageClass", "The storage class you specified is not valid"


class InvalidTag(S3Error):
    code = "InvalidTag"


class InvalidVersionId(InvalidArgument):
    text = "Invalid version id specified"


class KeyTooLong(S3Error):
    code, text = "KeyTooLongError", "Your key is too long"


class MalformedXML(S3Error):
    code = "MalformedXML"
    text = "The XML you provided was not well-formed or did not validate against our published schema"


class MetadataTooLarge(S3Error):
    code = "MetadataTooLarge"
    text = "Your metadata headers exceed the maximum allowed metadata size"


class MethodNotAllowed(S3Error):
    code, status = "MethodNotAllowed", 405
    text = "The specified method is not allowed against this resource."


class MissingContentLength(S3Error):
    code, status = "MissingContentLength", 411
    text = "You must provide the Content-Length HTTP header."


class NoSuchBucket(S3Error):
    code, status, text = "NoSuchBucket", 404, "The specified bucket does not exist"


class NoSuchKey(S3Error):
    code, status, text = "NoSuchKey", 404, "The specified key does not exist."


class NoSuchUpload(S3Error):
    code, status = "NoSuchUpload", 404
    text = (
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or "
        "completed."
    )


class NoSuchVersion(S3Error):
    code, status, text = "NoSuchVersion", 404, "The specified version does not exist."


class NotModified(S3Error):
    code, status, text = "NotModified", 304, "Not Modified"


class PreconditionFailed(S3Error):
    code, status = "PreconditionFailed", 412
    text = "At least one of the pre-conditions you specified did not hold"

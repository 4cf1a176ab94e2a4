"""What a job does to one object: the request to S3 that its operation stands for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from controlplane.core.arn import bucket_of

Request = tuple[str, dict[str, Any]]
_COPIED = {
    "CannedAccessControlList": "ACL",
    "MetadataDirective": "MetadataDirective",
    "ModifiedSinceConstraint": "CopySourceIfModifiedSince",
    "UnModifiedSinceConstraint": "CopySourceIfUnmodifiedSince",
    "RedirectLocation": "WebsiteRedirectLocation",
    "StorageClass": "StorageClass",
    "ObjectLockLegalHoldStatus": "ObjectLockLegalHoldStatus",
    "ObjectLockMode": "ObjectLockMode",
    "ObjectLockRetainUntilDate": "ObjectLockRetainUntilDate",
    "BucketKeyEnabled": "BucketKeyEnabled",
    "ChecksumAlgorithm": "ChecksumAlgorithm",
}
_ENCRYPTIONS = {"KMS": "aws:kms"}
IGNORED = frozenset({"AccessControlGrants", "AnnotationDirective", "ObjectLockEventHold", "RequesterPays"})
"""What of a copy is not carried out, and so refused."""
_HEADERS = ("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType")


def check(kind: str, parameters: Mapping[str, Any]) -> None:
    """Raises ValueError for parameters that no task could be done with."""
    if kind == "S3PutObjectCopy" and (target := parameters.get("TargetResource")):
        bucket_of(target)


def request_for(operation: Mapping[str, Any], named: Mapping[str, str]) -> Request:
    """The operation of S3 and its request, for an object that is named by `Bucket`, `Key` and perhaps `VersionId`."""
    ((kind, parameters),) = operation.items()
    return OPERATIONS[kind](parameters or {}, dict(named))


def _tagging(parameters: Mapping[str, Any], named: dict[str, Any]) -> Request:
    return "PutObjectTagging", {**named, "Tagging": {"TagSet": parameters.get("TagSet") or []}}


def _no_tagging(parameters: Mapping[str, Any], named: dict[str, Any]) -> Request:
    return "DeleteObjectTagging", named


def _acl(parameters: Mapping[str, Any], named: dict[str, Any]) -> Request:
    given = parameters.get("AccessControlPolicy") or {}
    if canned := given.get("CannedAccessControlList"):
        return "PutObjectAcl", {**named, "ACL": canned}
    listed = given.get("AccessControlList") or {}
    grants = [
        {"Grantee": _grantee(grant.get("Grantee") or {}), "Permission": grant.get("Permission")}
        for grant in listed.get("Grants") or []
    ]
    return "PutObjectAcl", {**named, "AccessControlPolicy": {"Owner": listed.get("Owner") or {}, "Grants": grants}}


def _grantee(given: Mapping[str, Any]) -> dict[str, Any]:
    kind, name = given.get("TypeIdentifier"), given.get("Identifier")
    if kind == "uri":
        return {"Type": "Group", "URI": name}
    if kind == "emailAddress":
        return {"Type": "AmazonCustomerByEmail", "EmailAddress": name}
    return {"Type": "CanonicalUser", "ID": name}


def _restore(parameters: Mapping[str, Any], named: dict[str, Any]) -> Request:
    wanted = {"Days": parameters.get("ExpirationInDays") or 1}
    tier = {"Tier": str(parameters.get("GlacierJobTier") or "BULK").capitalize()}
    return "RestoreObject", {**named, "RestoreRequest": {**wanted, "GlacierJobParameters": tier}}


def _hold(parameters: Mapping[str, Any], named: dict[str, Any]) -> Request:
    return "PutObjectLegalHold", {**named, "LegalHold": parameters.get("LegalHold")}


def _retention(parameters: Mapping[str, Any], named: dict[str, Any]) -> Request:
    retention = {
        name: value
        for name, value in (parameters.get("Retention") or {}).items()
        if name in ("Mode", "RetainUntilDate") and value is not None
    }
    bypass = {"BypassGovernanceRetention": True} if parameters.get("BypassGovernanceRetention") else {}
    return "PutObjectRetention", {**named, "Retention": retention, **bypass}


def _copy(parameters: Mapping[str, Any], named: dict[str, Any]) -> Request:
    source = quote(f"{named['Bucket']}/{named['Key']}")
    if named.get("VersionId"):
        source += f"?versionId={quote(named['VersionId'])}"
    prefix = parameters.get("TargetKeyPrefix")
    target = parameters.get("TargetResource")
    bucket = bucket_of(target) if target else named["Bucket"]
    request = {"Bucket": bucket, "Key": f"{prefix}/{named['Key']}" if prefix else named["Key"], "CopySource": source}
    request |= {_COPIED[name]: value for name, value in parameters.items() if name in _COPIED and value is not None}
    if metadata := parameters.get("NewObjectMetadata"):
        request |= {name: metadata[name] for name in _HEADERS if metadata.get(name)}
        request |= {"MetadataDirective": "REPLACE", "Metadata": metadata.get("UserMetadata") or {}}
        if metadata.get("SSEAlgorithm"):
            request["ServerSideEncryption"] = _ENCRYPTIONS.get(metadata["SSEAlgorithm"], metadata["SSEAlgorithm"])
    if key := parameters.get("SSEAwsKmsKeyId"):
        request |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    if tags := parameters.get("NewObjectTagging"):
        request["Tagging"] = urlencode({tag["Key"]: tag["Value"] for tag in tags}, quote_via=quote)
        request["TaggingDirective"] = "REPLACE"
    return "CopyObject", request


OPERATIONS: Mapping[str, Callable[[Mapping[str, Any], dict[str, Any]], Request]] = {
    "S3DeleteObjectTagging": _no_tagging,
    "S3InitiateRestoreObject": _restore,
    "S3PutObjectAcl": _acl,
    "S3PutObjectCopy": _copy,
    "S3PutObjectLegalHold": _hold,
    "S3PutObjectRetention": _retention,
    "S3PutObjectTagging": _tagging,
}

"""The bucket that a request names, and what the policy engine is asked about it and about what is in it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from math import ceil
from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import Resource
from controlplane.services.s3 import access_points, cors, grants, names, publicity, tagging
from controlplane.services.s3.access_logs import lines
from controlplane.services.s3.access_points import AccessPoint
from controlplane.services.s3.errors import (
    AccessDenied,
    InvalidBucketOwner,
    MethodNotAllowed,
    NoSuchBucket,
    S3Error,
)
from controlplane.services.s3.queries import access_points as point_queries

_ACCOUNT = re.compile(r"[0-9]{12}")
_BUCKET = """
SELECT b.*, a.block AS account_block FROM s3_buckets b LEFT JOIN s3_account_blocks a ON a.account_id = b.account_id
WHERE b.name = $1
"""
ENFORCED, PREFERRED, WRITER = "BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"
_CONDITIONS = {
    "ACL": "s3:x-amz-acl",
    "CopySource": "s3:x-amz-copy-source",
    "Delimiter": "s3:delimiter",
    "GrantFullControl": "s3:x-amz-grant-full-control",
    "GrantRead": "s3:x-amz-grant-read",
    "GrantReadACP": "s3:x-amz-grant-read-acp",
    "GrantWrite": "s3:x-amz-grant-write",
    "GrantWriteACP": "s3:x-amz-grant-write-acp",
    "IfMatch": "s3:if-match",
    "IfNoneMatch": "s3:if-none-match",
    "MaxKeys": "s3:max-keys",
    "MetadataDirective": "s3:x-amz-metadata-directive",
    "ObjectLockLegalHoldStatus": "s3:object-lock-legal-hold",
    "ObjectLockMode": "s3:object-lock-mode",
    "ObjectOwnership": "s3:x-amz-object-ownership",
    "Prefix": "s3:prefix",
    "SSECustomerAlgorithm": "s3:x-amz-server-side-encryption-customer-algorithm",
    "SSEKMSKeyId": "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "ServerSideEncryption": "s3:x-amz-server-side-encryption",
    "StorageClass": "s3:x-amz-storage-class",
    "VersionId": "s3:versionid",
    "WebsiteRedirectLocation": "s3:x-amz-website-redirect-location",
}

_PAYER = "x-amz-request-payer"

Answer = Callable[[Context, Any], Awaitable[list[Resource]]]


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket as its row says."""

    id: int
    account_id: str
    region: str
    name: str
    versioning: str | None
    settings: Mapping[str, Any]
    tags: Mapping[str, str]
    created_at: datetime
    account_block: Mapping[str, Any] | None = None
    """What the owner blocks in all buckets."""
    point: AccessPoint | None = None
    """The access point that it is reached through."""

    @property
    def arn(self) -> str:
        return f"arn:aws:s3:::{self.name}"

    @property
    def ownership(self) -> str:
        """Who owns what others write; without the setting it is the writer, as before there was one."""
        return str(self.settings.get("ownership", WRITER))

    @property
    def grants(self) -> list[grants.Grant]:
        """The access control list."""
        found: list[grants.Grant] | None = self.settings.get("acl")
        return grants.default(self.account_id) if found is None else found

    def blocks(self, what: str) -> bool:
        """Whether a public access block says so (`IgnorePublicAcls`): its own, its account's, its point's."""
        own = self.settings.get("public_access_block", {})
        of_point = self.point.block if self.point is not None else {}
        return bool(own.get(what) or (self.account_block or {}).get(what) or of_point.get(what))

    def policy(self, *more: Mapping[str, Any]) -> dict[str, Any] | None:
        """The bucket's policy, with the grants of its list and further statements."""
        document = self.settings.get("policy")
        own = self.settings.get("acl")
        statements: list[Any] = list(more)
        if own and self.ownership != ENFORCED:
            public = not self.blocks("IgnorePublicAcls")
            statements += grants.of_bucket(own, self.account_id, self.arn, public=public)
        if document is None and not statements:
            return None
        given = document["Statement"] if document else []
        statements += given if isinstance(given, list) else [given]
        return {"Version": (document or {}).get("Version", "2012-10-17"), "Statement": statements}

    def policy_for_new(self) -> dict[str, Any] | None:
        """The policy about the list and the tags of an object that is being made."""
        own = self.settings.get("acl") if self.ownership != ENFORCED else None
        public = not self.blocks("IgnorePublicAcls")
        return self.policy(*grants.of_writers(own or [], self.account_id, self.arn, public=public))


def of_row(row: Any) -> Bucket:
    """The bucket of a row of `s3_buckets`."""
    return Bucket(
        row["id"],
        row["account_id"],
        row["region"],
        row["name"],
        row["versioning"],
        row["settings"],
        row["tags"],
        row["created_at"],
        row.get("account_block"),
    )


async def find(ctx: Context, name: str) -> Bucket | None:
    """A bucket by its name; None if there is none, or can be none."""
    if "\x00" in name:
        return None
    found: Bucket | None = await ctx.db.cached_row(_BUCKET, name, into=of_row)
    return found


async def find_asked(ctx: Context, name: str) -> Bucket | None:
    """The bucket that a request names, or the one behind an access point that it names."""
    bucket = await find(ctx, name)
    if bucket is not None or "\x00" in name:
        return bucket
    row = await point_queries.find(ctx, name)
    if row is None:
        return None
    point = access_points.of_row(row)
    bucket = await find(ctx, point.bucket)
    if bucket is None or bucket.account_id != point.bucket_account_id:  # deleted, and perhaps another's by now
        return None
    if point.vpc_id is not None and ctx.source_vpc != point.vpc_id:
        raise AccessDenied
    return replace(bucket, point=point)


def conditions(request: Mapping[str, Any], bucket: Bucket | None, account_id: str) -> dict[str, Any]:
    """The condition values that S3 knows of a request."""
    owner = bucket.account_id if bucket else account_id
    found: dict[str, Any] = {"aws:ResourceAccount": owner, "s3:ResourceAccount": owner}
    if bucket is not None and bucket.point is not None:
        found["s3:DataAccessPointArn"] = bucket.point.arn
        found["s3:DataAccessPointAccount"] = bucket.point.account_id
        found["s3:AccessPointNetworkOrigin"] = bucket.point.origin
    for name, value in request.items():
        if name in _CONDITIONS and value is not None:
            found[_CONDITIONS[name]] = str(value)
    if request.get("Tagging"):
        found |= _requested_tags(request["Tagging"])
    if request.get("ObjectLockRetainUntilDate") or request.get("Retention") or request.get("LegalHold"):
        found |= _requested_lock(request)
    return found


def _requested_lock(request: Mapping[str, Any]) -> dict[str, str]:
    """The lock that a request would set: what a day has begun of counts as a day that remains."""
    retention = request.get("Retention") or {}
    mode = request.get("ObjectLockMode") or retention.get("Mode")
    until = request.get("ObjectLockRetainUntilDate") or retention.get("RetainUntilDate")
    hold = request.get("ObjectLockLegalHoldStatus") or (request.get("LegalHold") or {}).get("Status")
    found = {"s3:object-lock-mode": mode, "s3:object-lock-legal-hold": hold}
    if until is not None:
        days = ceil((until - datetime.now(UTC)) / timedelta(days=1))
        found["s3:object-lock-remaining-retention-days"] = str(days)
        found["s3:object-lock-retain-until-date"] = until.astimezone(UTC).isoformat()
    return {name: str(value) for name, value in found.items() if value is not None}


def _requested_tags(given: Any) -> dict[str, Any]:
    """The tags that a request would set; none where they cannot be read, which is said when it is carried out."""
    try:
        tags = tagging.of_header(given) if isinstance(given, str) else tagging.of_set(given, tagging.MOST_OF_BUCKET)
    except S3Error:
        return {}
    tags = tags or {}
    return {
        "s3:RequestObjectTagKeys": list(tags),
        **{f"s3:RequestObjectTag/{key}": value for key, value in tags.items()},
    }


async def named(ctx: Context, request: Mapping[str, Any], member: str = "Bucket") -> Bucket | None:
    """The request's bucket; the answer says what browsers are to know of it. Raises AccessDenied, NoSuchBucket."""
    names.check_asked(request[member])
    bucket = await find_asked(ctx, request[member])
    if bucket is None:
        if ctx.principal.kind in ("anonymous", "service"):  # who has no policies of his own to be asked
            raise NoSuchBucket(BucketName=request[member])
        return None
    expected = request.get("ExpectedBucketOwner")
    if expected and not _ACCOUNT.fullmatch(expected):
        raise InvalidBucketOwner(
            f"The value of the expected bucket owner parameter must be an AWS Account ID... [{expected[:100]}]"
        )
    if expected and expected != bucket.account_id:
        raise AccessDenied
    if "logging" in bucket.settings and ctx.headers:  # services that call one another have none
        ctx.when_answered.append(partial(lines.note, ctx, bucket))
    check_payer(ctx, bucket)
    if "origin" in ctx.headers:
        cors.answer(ctx, bucket.settings.get("cors"))
    return bucket


def check_payer(ctx: Context, bucket: Bucket) -> None:
    """Strangers must say that they pay, where the bucket wants it. Raises AccessDenied."""
    if bucket.settings.get("payer") != "Requester":
        return
    if ctx.principal.kind == "service" or ctx.principal.account_id == bucket.account_id:
        return
    said = ctx.request.get("RequestPayer") or ctx.headers.get(_PAYER)
    if ctx.principal.kind == "anonymous" or said != "requester":
        raise AccessDenied
    ctx.answer_headers["x-amz-request-charged"] = "requester"


def on_bucket_for(action: str | None) -> Answer:
    """The request's bucket, for an action that is not the operation's."""

    async def resources(ctx: Context, request: Any) -> list[Resource]:
        bucket = await named(ctx, request)
        if bucket is not None and bucket.point is not None and ctx.operation not in access_points.OPERATIONS:
            raise MethodNotAllowed
        return through(ctx, bucket, resource(ctx, request, bucket, action))

    return resources


on_bucket = on_bucket_for(None)


def resource(ctx: Context, request: Mapping[str, Any], bucket: Bucket | None, action: str | None = None) -> Resource:
    """What the policy engine is asked about a bucket."""
    values = conditions(request, bucket, ctx.account_id)
    if bucket is None:
        return Resource(f"arn:aws:s3:::{request['Bucket']}", conditions=values, action=action)
    return Resource(bucket.arn, bucket.tags, visible(ctx, bucket, bucket.policy()), values, bucket, action)


def through(ctx: Context, bucket: Bucket | None, asked: Resource) -> list[Resource]:
    """What permission is asked for: a bucket or object, and the same as the access point has it where it is reached
    through one."""
    if bucket is None or bucket.point is None:
        return [asked]
    point = bucket.point
    arn = point.arn + asked.arn[len(bucket.arn) :].replace("/", "/object/", 1)
    policy = visible(ctx, bucket, dict(point.policy)) if point.policy is not None else None
    values = {**asked.conditions, "aws:ResourceAccount": point.account_id}
    return [asked, Resource(arn, {}, policy, values, None, asked.action)]


def visible(ctx: Context, bucket: Bucket, policy: dict[str, Any] | None) -> dict[str, Any] | None:
    """A policy, unless it is public, strangers call and the bucket restricts public policies to its own account."""
    if policy is None or not bucket.blocks("RestrictPublicBuckets"):
        return policy
    if ctx.principal.kind == "service" or ctx.principal.account_id == bucket.account_id:
        return policy
    if not publicity.is_public(policy):
        return policy
    statements = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
    return {**policy, "Statement": [item for item in statements if item.get("Effect") == "Deny"]}


def the_bucket(ctx: Context) -> Bucket:
    """The bucket that permission was asked for. Raises NoSuchBucket."""
    bucket = ctx.resources[0].row
    if bucket is None:
        raise NoSuchBucket(BucketName=ctx.request["Bucket"])
    found: Bucket = bucket
    return found

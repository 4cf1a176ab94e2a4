"""Objects as their rows say: finding them, telling of them, and what the policy engine is asked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.core.http import one_line
from controlplane.core.operation import Resource
from controlplane.services.s3 import buckets, checksums, compatibility, encryption, grants, versions
from controlplane.services.s3.buckets import ENFORCED, Answer, Bucket
from controlplane.services.s3.errors import (
    AccessDenied,
    InvalidVersionId,
    KeyTooLong,
    MethodNotAllowed,
    NoSuchBucket,
    NoSuchKey,
    NoSuchVersion,
)
from controlplane.services.s3.queries import objects as queries

LONGEST_KEY = 1024
STANDARD = "STANDARD"
_LIST = "s3:ListBucket"
HEADERS = {
    "cc": "CacheControl",
    "cd": "ContentDisposition",
    "ce": "ContentEncoding",
    "cl": "ContentLanguage",
    "ct": "ContentType",
    "ex": "Expires",
    "wr": "WebsiteRedirectLocation",
}
"""Members by the short name under which `facts` holds them."""
_AS_WRITTEN = {
    "CacheControl": "Cache-Control",
    "ContentDisposition": "Content-Disposition",
    "ContentEncoding": "Content-Encoding",
    "ContentLanguage": "Content-Language",
    "ContentType": "Content-Type",
    "Expires": "Expires",
}
DEFAULT_TYPE = "binary/octet-stream"


def key_of(request: Mapping[str, Any]) -> bytes:
    """The key as it is stored. Raises KeyTooLong."""
    key: bytes = request["Key"].encode()
    if len(key) > LONGEST_KEY:
        raise KeyTooLong(Size=len(key), MaxSizeAllowed=LONGEST_KEY)
    return key


def arn(bucket: Bucket | None, request: Mapping[str, Any]) -> str:
    """The ARN of the request's object."""
    return f"arn:aws:s3:::{bucket.name if bucket else request['Bucket']}/{request['Key']}"


def on_object(action: str | None = None, of_version: str | None = None) -> Answer:
    """The request's object by its name alone, for what makes or deletes it."""

    async def resources(ctx: Context, request: Any) -> list[Resource]:
        bucket = await buckets.named(ctx, request)
        asked = of_version if of_version and request.get("VersionId") else action
        return buckets.through(ctx, bucket, resource(ctx, request, bucket, asked))

    return resources


def on_stored(action: str | None = None, of_version: str | None = None) -> Answer:
    """The request's object with what is stored of it: `ctx.resources[0].row` is `(bucket, row)`."""

    async def resources(ctx: Context, request: Any) -> list[Resource]:
        bucket = await buckets.named(ctx, request)
        asked = of_version if of_version and request.get("VersionId") else action
        row = await find(ctx, bucket, request) if bucket is not None else None
        return buckets.through(ctx, bucket, stored_resource(ctx, request, bucket, row, asked))

    return resources


async def find(ctx: Context, bucket: Bucket, request: Mapping[str, Any]) -> Any:
    """The row of the request's object or version; None if there is none."""
    version = request.get("VersionId")
    key = request["Key"].encode()
    if version is None:
        return await queries.current_to_show(ctx.db, bucket.id, key)
    return await queries.version(ctx.db, bucket.id, key, *versions.read(version))


def resource(
    ctx: Context, request: Mapping[str, Any], bucket: Bucket | None, action: str | None = None, **more: Any
) -> Resource:
    """What the policy engine is asked about an object that need not be there. It belongs to the bucket's owner."""
    values = {**buckets.conditions(request, bucket, ctx.account_id), **more}
    if bucket is None:
        return Resource(arn(None, request), conditions=values, action=action)
    policy = buckets.visible(ctx, bucket, bucket.policy())
    return Resource(arn(bucket, request), {}, policy, values, bucket, action)


def stored_resource(
    ctx: Context, request: Mapping[str, Any], bucket: Bucket | None, row: Any, action: str | None = None
) -> Resource:
    """What the policy engine is asked about an object with its own list and owner."""
    name = arn(bucket, request)
    if bucket is None:
        return Resource(name, conditions=buckets.conditions(request, None, ctx.account_id), action=action)
    if row is None:
        return _missing(ctx, request, bucket)
    values = buckets.conditions(request, bucket, ctx.account_id)
    tags = row["tags"] or {}
    values |= {f"s3:ExistingObjectTag/{key}": value for key, value in tags.items()}
    owner = row["owner"] or bucket.account_id
    own: list[Any] = []
    if row["acl"] and bucket.ownership != ENFORCED:
        own = grants.of_object(row["acl"], owner, name, public=not bucket.blocks("IgnorePublicAcls"))
    policy = bucket.policy(*own)
    if owner != bucket.account_id and bucket.ownership != ENFORCED:
        # Another's object: the bucket's policy can only deny.
        values["aws:ResourceAccount"] = owner
        kept = [item for item in (policy or {}).get("Statement", []) if item in own or item.get("Effect") == "Deny"]
        policy = {"Version": "2012-10-17", "Statement": kept}
    return Resource(name, {}, buckets.visible(ctx, bucket, policy), values, (bucket, row), action)


def _missing(ctx: Context, request: Mapping[str, Any], bucket: Bucket) -> Resource:
    """What is not there has no list of grants that could let anybody in; that it is not there is known to who may
    list it."""
    asked = {**request, "Prefix": request["Key"]}
    values = buckets.conditions(asked, bucket, ctx.account_id)
    policy = buckets.visible(ctx, bucket, bucket.policy())
    return Resource(bucket.arn, bucket.tags, policy, values, (bucket, None), _LIST)


async def the_object(ctx: Context) -> tuple[Bucket, Any]:
    """Bucket and row that permission was asked for; a key that is not there is told only to who may list.

    Raises NoSuchBucket, NoSuchKey, NoSuchVersion, MethodNotAllowed, AccessDenied.
    """
    found = ctx.resources[0].row
    if found is None:
        raise NoSuchBucket(BucketName=ctx.request["Bucket"])
    bucket, row = found
    if row is None:
        await refuse_missing(ctx, bucket, ctx.request)
    if row["marker"]:
        ctx.answer_headers |= {"x-amz-delete-marker": "true", "x-amz-version-id": versions.shown(row["version"])}
        ctx.answer_headers |= {"Allow": "DELETE", "Last-Modified": http_date(row["modified_at"])}
        raise MethodNotAllowed(Method=_METHODS.get(ctx.operation, "GET"), ResourceType="DeleteMarker")
    return bucket, row


_METHODS = {"HeadObject": "HEAD", "PutObjectTagging": "PUT", "PutObjectAcl": "PUT", "PutObjectRetention": "PUT",
            "PutObjectLegalHold": "PUT",
            "DeleteObjectTagging": "DELETE", "GetObjectTagging": "GET"}  # fmt: skip


async def refuse_missing(ctx: Context, bucket: Bucket, request: Mapping[str, Any]) -> None:
    """Say that an object is not there, to whoever may know."""
    key, version = request["Key"], request.get("VersionId")
    await may_list(ctx, bucket, key)
    if version is not None:
        if not versions.is_id(version):
            raise InvalidVersionId(ArgumentName="versionId", ArgumentValue=version)
        raise NoSuchVersion(Key=key, VersionId=version)
    if bucket.versioning is not None:
        marker = await queries.newest_noncurrent(ctx.db, bucket.id, key.encode())
        if marker is not None and marker["marker"]:
            ctx.answer_headers |= {"x-amz-delete-marker": "true", "x-amz-version-id": versions.shown(marker["version"])}
            if ctx.operation in _METHODS and ctx.operation != "HeadObject":
                raise MethodNotAllowed(Method=_METHODS[ctx.operation], ResourceType="DeleteMarker")
    if compatibility.ceph(ctx.cloud):
        ctx.answer_headers.setdefault("x-amz-delete-marker", "false")
    # AWS names the bucket too where it is asked for tags.
    raise NoSuchKey(Key=f"{bucket.name}/{key}" if ctx.operation == "GetObjectTagging" else key)


async def may_list(ctx: Context, bucket: Bucket, key: str) -> None:
    """Raises AccessDenied to those who may not know whether a key is there."""
    asked = buckets.resource(ctx, {"Bucket": bucket.name, "Prefix": key}, bucket)
    try:
        await ctx.authorize(_LIST, asked)
    except AwsError as error:
        raise AccessDenied(error.message) from error


def address(ctx: Context, bucket: Bucket, key: str) -> str:
    """Where an object is found, with the bucket in the host name or in the path, as it was addressed."""
    in_host = ctx.headers.get("host", "").startswith(f"{bucket.name}.")
    return f"{ctx.endpoint}{'' if in_host else f'/{bucket.name}'}/{quote(key, safe='/-_.~')}"


def http_date(moment: datetime) -> str:
    """A time as headers have it."""
    return moment.strftime("%a, %d %b %Y %H:%M:%S GMT")


def send_as_written(ctx: Context, told: dict[str, Any]) -> None:
    """Let out as it came in what the model would change: bytes beyond ASCII, and a time that need not be one."""
    for member, name in _AS_WRITTEN.items():
        value = told.get(member)
        if isinstance(value, str) and (member == "Expires" or not value.isascii()):
            ctx.answer_headers[name] = one_line(told.pop(member))


def quoted(etag: str) -> str:
    """An entity tag as the API shows it."""
    return f'"{etag}"'


def kept_headers(request: Mapping[str, Any]) -> dict[str, str]:
    """The headers of a request that go with the object, by their short names."""
    found = {}
    for short, member in HEADERS.items():
        value = request.get(member)
        if value:
            found[short] = http_date(value) if isinstance(value, datetime) else str(value)
    return found


def described(row: Any, bucket: Bucket, *, with_sums: bool) -> dict[str, Any]:
    """What GetObject and HeadObject tell of a version, beside its length."""
    facts = row["facts"]
    told: dict[str, Any] = {
        "AcceptRanges": "bytes",
        "LastModified": row["modified_at"],
        "ETag": quoted(row["etag"]),
        "ContentType": DEFAULT_TYPE,
        **{HEADERS[short]: value for short, value in (facts.get("headers") or {}).items()},
        **encryption.shown(facts["sse"]),
    }
    if facts.get("meta"):
        told["Metadata"] = facts["meta"]
    if bucket.versioning is not None or row["version"] is not None:
        told["VersionId"] = versions.shown(row["version"])
    if row["storage_class"] not in (None, STANDARD):
        told["StorageClass"] = row["storage_class"]
    if row["tags"]:
        told["TagCount"] = len(row["tags"])
    if "replication" in facts:
        told["ReplicationStatus"] = facts["replication"]
    if with_sums:
        told |= checksums.shown(facts)
    return told | _lock(row)


def _lock(row: Any) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if row["lock_mode"]:
        told |= {"ObjectLockMode": row["lock_mode"], "ObjectLockRetainUntilDate": row["lock_until"]}
    if row["legal_hold"] or row["facts"].get("hold"):
        told["ObjectLockLegalHoldStatus"] = "ON" if row["legal_hold"] else "OFF"
    return told

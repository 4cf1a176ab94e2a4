"""Copies: of an object to another key, and of a range to a part."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote_plus

from controlplane.core.context import Context
from controlplane.core.errors import AwsError, EngineMissing, Overtaken
from controlplane.core.operation import Request, Resource, operation
from controlplane.services.s3 import (
    access_points,
    buckets,
    checksums,
    conditions,
    encryption,
    events,
    objects,
    reading,
    storing,
    uploads,
    writing,
)
from controlplane.services.s3.archive import restores
from controlplane.services.s3.buckets import Bucket
from controlplane.services.s3.errors import (
    AccessDenied,
    InvalidArgument,
    InvalidRequest,
    MethodNotAllowed,
    NoSuchBucket,
)
from controlplane.services.s3.lifecycle import rules
from controlplane.services.s3.operations.uploads import check_number, keep_part, master_of
from controlplane.services.s3.receiving import LARGEST, Received, Wanted, in_thread, receive

_ADDRESS = re.compile(r"https?://[^/]*")
_RANGE = re.compile(r"bytes=(\d{1,19})-(\d{1,19})")
_ARCHIVED = "Operation is not valid for the source object's storage class"
_SOURCE = "x-amz-copy-source"
_SOURCE_KEY = "CopySource"


def _source(request: Mapping[str, Any]) -> dict[str, Any]:
    """The source as the request of a read would name it. Raises InvalidArgument."""
    text = request["CopySource"]
    path, _, query = text.partition("?versionId=")
    expected = request.get("ExpectedSourceBucketOwner")
    version = {"VersionId": unquote_plus(query)} if query else {}
    if through := access_points.of_copy_source(unquote_plus(path)):
        return {"Bucket": through[0], "Key": through[1], "ExpectedBucketOwner": expected, **version}
    if path.startswith("arn:aws:s3:"):
        path = path.rpartition(":::")[2]
    path = _ADDRESS.sub("", path).lstrip("/")
    # The slash behind the bucket's name may be encoded too.
    name, slash, key = unquote_plus(path if "/" in path else unquote_plus(path).lstrip("/")).partition("/")
    if not slash:
        raise InvalidArgument("Invalid copy source object key", ArgumentName=_SOURCE, ArgumentValue=_SOURCE)
    if not name or not key:
        raise InvalidArgument(
            "Copy Source must mention the source bucket and key: /sourcebucket/sourcekey",
            ArgumentName=_SOURCE, ArgumentValue=text[:2048],
        )  # fmt: skip
    return {"Bucket": name, "Key": key, "ExpectedBucketOwner": expected, **version}


async def _both(ctx: Context, request: Any) -> list[Resource]:
    """The target and its source; a source that cannot be read is refused only once the target is granted."""
    bucket = await buckets.named(ctx, request)
    target = objects.resource(ctx, request, bucket)
    try:
        source = _source(request)
    except InvalidArgument:
        return buckets.through(ctx, bucket, target)
    found = await buckets.find_asked(ctx, source["Bucket"])
    if found is None:
        return buckets.through(ctx, bucket, target)
    if source.get("ExpectedBucketOwner") not in (None, found.account_id):
        raise AccessDenied
    buckets.check_payer(ctx, found)
    row = await objects.find(ctx, found, source)
    action = "s3:GetObjectVersion" if source.get("VersionId") else "s3:GetObject"
    read = objects.stored_resource(ctx, source, found, row, action)
    return [target, read, *buckets.through(ctx, bucket, target)[1:], *buckets.through(ctx, found, read)[1:]]


async def _read(ctx: Context, request: Mapping[str, Any]) -> tuple[Bucket, Bucket, Any, dict[str, Any]]:
    """Target bucket, source bucket, source row, and the source as a request. Raises NoSuchBucket, NoSuchKey."""
    target = buckets.the_bucket(ctx)
    source = _source(request)
    if len(ctx.resources) < 2 or ctx.resources[1].row is None:  # without a source it may be the target's access point
        raise NoSuchBucket(BucketName=source["Bucket"])
    bucket, row = ctx.resources[1].row
    if row is None:
        await objects.refuse_missing(ctx, bucket, source)
    if row["marker"]:
        if source.get("VersionId"):
            raise InvalidRequest(
                "The source of a copy request may not specifically refer to a delete marker by version id."
            )
        raise MethodNotAllowed
    conditions.check_copy(request, row["etag"], row["modified_at"])
    return target, bucket, row, source


@operation("CopyObject", on=_both, action="s3:PutObject")
async def copy_object(ctx: Context, request: Request) -> dict[str, Any]:
    """Copy an object of up to 5 GB, with its metadata or new. Raises NoSuchKey, PreconditionFailed, InvalidRequest."""
    bucket, source_bucket, row, source = await _read(ctx, request)
    key = objects.key_of(request)
    if row["size"] > LARGEST:
        raise InvalidRequest(
            "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120"
        )
    await writing.authorize_details(ctx, request, ctx.resources[0])
    if row["tags"] and request.get("TaggingDirective") != "REPLACE":
        await _authorize_tags(ctx, bucket, source_bucket, source)
    described = _described(request, row)
    _check_changes(request, bucket, source_bucket, row, source)
    master = await writing.master_for(ctx, bucket, request)
    columns = await writing.columns(ctx, bucket, described, key, master)
    if request.get("TaggingDirective") != "REPLACE":
        columns["tags"] = row["tags"]
    columns = await _with_source(ctx, request, row, columns, master)
    try:
        version = await storing.put(ctx, bucket, columns, request)
        await events.note(ctx, bucket, "ObjectCreated:Copy", key, columns)
    except AwsError:  # after any other error the row may be there: then the blob is an orphan at worst
        if columns["blob"] is not None:
            await ctx.engine("blobs").delete(columns["blob"])
        raise
    result = {
        "ETag": objects.quoted(columns["etag"]),
        "LastModified": columns["modified_at"],
        **checksums.shown(columns["facts"]),
    }
    await restores.settle(ctx, columns)
    told: dict[str, Any] = {
        "CopyObjectResult": result,
        **rules.expires(ctx, bucket, columns),
        **encryption.shown(master.facts),
    }
    if row["version"] is not None:
        told["CopySourceVersionId"] = row["version"]
    return told if version is None else {**told, "VersionId": version}


async def _authorize_tags(ctx: Context, bucket: Bucket, source_bucket: Bucket, source: Mapping[str, Any]) -> None:
    """Tags that come along are read there and set here: both have permissions of their own. Raises AccessDenied."""
    read = "s3:GetObjectVersionTagging" if source.get("VersionId") else "s3:GetObjectTagging"
    target = replace(ctx.resources[0], policy=buckets.visible(ctx, bucket, bucket.policy_for_new()))
    for action, where, about in (
        ("s3:PutObjectTagging", bucket, target),
        (read, source_bucket, ctx.resources[1]),
    ):
        for resource in buckets.through(ctx, where, replace(about, action=None)):
            await ctx.authorize(action, resource)


def _described(request: Mapping[str, Any], row: Any) -> dict[str, Any]:
    """The request with the source's headers and metadata, where these are to be kept."""
    directive = request.get("MetadataDirective") or "COPY"
    if directive not in ("COPY", "REPLACE"):
        raise InvalidArgument(
            "Unknown metadata directive.", ArgumentName="x-amz-metadata-directive", ArgumentValue=directive
        )
    found = dict(request)
    if request.get("TaggingDirective") not in (None, "COPY", "REPLACE"):
        raise InvalidArgument(
            "Unknown tagging directive.", ArgumentName="x-amz-tagging-directive",
            ArgumentValue=request["TaggingDirective"],
        )  # fmt: skip
    if directive == "COPY":
        for member in objects.HEADERS.values():
            if member != "WebsiteRedirectLocation":
                found.pop(member, None)
        found |= {
            objects.HEADERS[short]: value
            for short, value in (row["facts"].get("headers") or {}).items()
            if short != "wr"
        }
        found["Metadata"] = row["facts"].get("meta") or {}
    return found


def _check_changes(
    request: Mapping[str, Any], bucket: Bucket, source_bucket: Bucket, row: Any, source: Mapping[str, Any]
) -> None:
    """An object is copied onto itself only to change something about it."""
    same = bucket.id == source_bucket.id and source["Key"] == request["Key"] and not source.get("VersionId")
    changing = (
        request.get("MetadataDirective") == "REPLACE",
        request.get("TaggingDirective") == "REPLACE",
        request.get("StorageClass"),
        request.get("WebsiteRedirectLocation"),
        request.get("ServerSideEncryption"),
        request.get("SSECustomerAlgorithm"),
        request.get("CopySourceSSECustomerAlgorithm"),
        request.get("ChecksumAlgorithm"),
        "encryption" in bucket.settings,
        row["facts"]["sse"]["kind"] != encryption.S3,
    )
    if same and not any(changing):
        raise InvalidRequest(
            "This copy request is illegal because it is trying to copy an object to itself without changing the "
            "object's metadata, storage class, website redirect location or encryption attributes."
        )


async def _with_source(
    ctx: Context, request: Mapping[str, Any], row: Any, columns: storing.Columns, master: encryption.Master
) -> storing.Columns:
    """The columns with the source's bytes: by reference where they lie alike under the cloud's key, else anew."""
    sums = row["facts"].get("sums") or {}
    asked = (request.get("ChecksumAlgorithm") or "").lower() or next(iter(sums), checksums.DEFAULT)
    facts = row["facts"]["sse"]
    source = await restores.readable(ctx, row, _ARCHIVED)
    old = await encryption.for_reading(ctx, facts, request, _SOURCE_KEY)
    alike = facts["kind"] == encryption.S3 and master.facts["kind"] == encryption.S3 and not row["parts"]
    if alike and asked in sums and row["facts"].get("sum_type") == checksums.FULL:
        blob = None
        if source["blob"] is not None:
            blob = await _duplicate(ctx, source["blob"], columns["storage_class"] or "")
        salt = b64decode(source["facts"]["salt"])
        received = Received(row["size"], row["etag"], sums, salt, source["content"], blob)
    else:
        body = await _bytes(ctx, source, old, 0, row["size"])
        wanted = Wanted(row["size"], algorithm=asked)
        received = await receive(ctx, body, wanted, master.key, columns["storage_class"] or "")
    return writing.with_body(columns, received)


async def _duplicate(ctx: Context, blob: str, tier: str) -> str:
    try:
        found: str = await in_thread(ctx.engine("blobs").duplicate, blob, tier)
    except EngineMissing as error:  # the source was replaced meanwhile
        raise Overtaken from error
    return found


async def _bytes(ctx: Context, row: Any, master: bytes, start: int, end: int) -> bytes | AsyncIterator[bytes]:
    try:
        return await reading.bytes_of(ctx, row, master, start, end)
    except EngineMissing as error:
        raise Overtaken from error


@operation("UploadPartCopy", on=_both, action="s3:PutObject")
async def upload_part_copy(ctx: Context, request: Request) -> dict[str, Any]:
    """Make a part of an object or of a range of one. Raises NoSuchUpload, InvalidRange, InvalidArgument."""
    bucket, _, row, _ = await _read(ctx, request)
    check_number(request["PartNumber"])
    upload = await uploads.find(ctx, bucket, request)
    start, end = _range(request.get("CopySourceRange"), row["size"])
    if end - start > LARGEST:
        raise InvalidRequest(
            "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120"
        )
    master = await master_of(ctx, upload, request)
    old = await encryption.for_reading(ctx, row["facts"]["sse"], request, _SOURCE_KEY)
    body = await _bytes(ctx, await restores.readable(ctx, row, _ARCHIVED), old, start, end)
    wanted = Wanted(end - start, algorithm=upload["object"]["algorithm"] or checksums.DEFAULT)
    received = await receive(ctx, body, wanted, master.key, upload["object"]["storage_class"] or "")
    await keep_part(ctx, upload, request["PartNumber"], received)
    part = await ctx.db.fetchrow(
        "SELECT modified_at FROM s3_parts WHERE upload_id = $1 AND number = $2", upload["id"], request["PartNumber"]
    )
    result: dict[str, Any] = {"ETag": objects.quoted(received.md5), "LastModified": part["modified_at"]}
    if upload["object"]["algorithm"] is not None:
        result |= {checksums.NAMES[name]: value for name, value in received.sums.items()}
    told: dict[str, Any] = {"CopyPartResult": result, **encryption.shown(master.facts)}
    if row["version"] is not None:
        told["CopySourceVersionId"] = row["version"]
    return told


def _range(text: str | None, size: int) -> tuple[int, int]:
    if text is None:
        return 0, size
    match = _RANGE.fullmatch(text)
    if match is None or int(match[1]) > int(match[2]):
        raise InvalidArgument(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
            "zero-based offsets of the first and last bytes to copy",
            ArgumentName="x-amz-copy-source-range", ArgumentValue=text[:256],
        )  # fmt: skip
    start, end = int(match[1]), int(match[2]) + 1
    if start >= size:
        raise InvalidRequest("The specified copy range is invalid for the source object size")
    if end > size:
        raise InvalidArgument(
            f"Range specified is not valid for source object of size: {size}",
            ArgumentName="x-amz-copy-source-range", ArgumentValue=text,
        )  # fmt: skip
    return start, end

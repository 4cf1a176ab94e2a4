"""Objects: written, read, looked at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controlplane.core.context import Context
from controlplane.core.errors import AwsError, EngineMissing, Overtaken
from controlplane.core.operation import Request, operation
from controlplane.services.s3 import (
    checksums,
    compatibility,
    conditions,
    encryption,
    events,
    objects,
    reading,
    storing,
    versions,
    writing,
)
from controlplane.services.s3.archive import restores
from controlplane.services.s3.buckets import Bucket, the_bucket
from controlplane.services.s3.errors import InvalidArgument, InvalidPartNumber, InvalidRequest, MissingContentLength
from controlplane.services.s3.lifecycle import rules
from controlplane.services.s3.objects import on_object, on_stored, the_object
from controlplane.services.s3.queries import objects as queries
from controlplane.services.s3.receiving import receive, wanted_of

_OVERRIDES = {
    "ResponseCacheControl": "CacheControl",
    "ResponseContentDisposition": "ContentDisposition",
    "ResponseContentEncoding": "ContentEncoding",
    "ResponseContentLanguage": "ContentLanguage",
    "ResponseContentType": "ContentType",
    "ResponseExpires": "Expires",
}
_WIRE_NAMES = {
    "ResponseCacheControl": "response-cache-control",
    "ResponseContentDisposition": "response-content-disposition",
    "ResponseContentEncoding": "response-content-encoding",
    "ResponseContentLanguage": "response-content-language",
    "ResponseContentType": "response-content-type",
    "ResponseExpires": "response-expires",
}


@operation("PutObject", on=on_object())
async def put_object(ctx: Context, request: Request) -> dict[str, Any]:
    """Store an object; it is on disk when this answers. Raises NoSuchBucket, BadDigest, PreconditionFailed."""
    bucket = the_bucket(ctx)
    key = objects.key_of(request)
    await writing.authorize_details(ctx, request, ctx.resources[0])
    if ctx.headers and request.get("ContentLength") is None and not compatibility.ceph(ctx.cloud):
        raise MissingContentLength
    conditions.refuse_appending(request)
    return await put(ctx, bucket, key, request, request.get("Body"))


async def put(
    ctx: Context,
    bucket: Bucket,
    key: bytes,
    request: Mapping[str, Any],
    body: Any,
    event: str = "ObjectCreated:Put",
) -> dict[str, Any]:
    """Store a body under a key. The caller was asked for permission."""
    master = await writing.master_for(ctx, bucket, request)
    columns = await writing.columns(ctx, bucket, request, key, master)
    wanted = wanted_of(request, body)
    received = await receive(ctx, body, wanted, master.key, columns["storage_class"] or "")
    columns = writing.with_body(columns, received)
    try:
        version = await storing.put(ctx, bucket, columns, request)
        await events.note(ctx, bucket, event, key, columns)
    except AwsError:  # after any other error the row may be there: then the blob is an orphan at worst
        if received.blob is not None:
            await ctx.engine("blobs").delete(received.blob)
        raise
    await restores.settle(ctx, columns)
    told = {
        "ETag": objects.quoted(columns["etag"]),
        **rules.expires(ctx, bucket, columns),
        **checksums.shown(columns["facts"]),
        **encryption.shown(master.facts),
    }
    return told if version in (None, versions.NULL) else {**told, "VersionId": version}


@operation("GetObject", on=on_stored(of_version="s3:GetObjectVersion"))
async def get_object(ctx: Context, request: Request) -> dict[str, Any]:
    """An object's bytes, or a range of them. Raises NoSuchKey, InvalidRange, NotModified, PreconditionFailed."""
    bucket, row = await the_object(ctx)
    told, start, end = await _head(ctx, bucket, row, request)
    source = await restores.readable(ctx, row)
    master = await encryption.for_reading(ctx, row["facts"]["sse"], request)
    try:
        body = await reading.to_send(ctx, source, master, start, end)
    except EngineMissing as error:  # replaced between the look at its row and the opening of its blob
        raise Overtaken from error
    return {**_overridden(ctx, request, told), "Body": body}


@operation("HeadObject", on=on_stored("s3:GetObject", "s3:GetObjectVersion"), action="s3:GetObject")
async def head_object(ctx: Context, request: Request) -> dict[str, Any]:
    """What GetObject would tell, without the bytes."""
    bucket, row = await the_object(ctx)
    told, _, _ = await _head(ctx, bucket, row, request)
    return _overridden(ctx, request, told)


def _overridden(ctx: Context, request: Mapping[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """The answer with the headers that the request wants in it. Raises InvalidRequest where a stranger asks."""
    for asked, header in _OVERRIDES.items():
        if request.get(asked) is None:
            continue
        if ctx.principal.kind == "anonymous":
            raise InvalidRequest("Request specific response headers cannot be used for anonymous GET requests.")
        _check_latin(asked, request[asked])
        told[header] = request[asked]
    objects.send_as_written(ctx, told)
    return told


def _check_latin(member: str, value: Any) -> None:
    try:
        str(value).encode("latin-1")
    except UnicodeEncodeError as error:
        raise InvalidArgument(
            "Header value cannot be represented using ISO-8859-1.",
            ArgumentName=_WIRE_NAMES[member],
            ArgumentValue=value,
        ) from error


async def _head(ctx: Context, bucket: Bucket, row: Any, request: Mapping[str, Any]) -> tuple[dict[str, Any], int, int]:
    """What is told of an object, and which of its bytes are meant."""
    if "x-amz-server-side-encryption" in ctx.headers:
        raise InvalidArgument(
            "x-amz-server-side-encryption header is not supported for this operation.",
            ArgumentName="x-amz-server-side-encryption",
            ArgumentValue=ctx.headers["x-amz-server-side-encryption"],
        )
    if compatibility.ceph(ctx.cloud):  # it looks at the part before the key
        _check_part(row, request.get("PartNumber"))
    encryption.check_same_key(row["facts"]["sse"], request)
    try:
        conditions.check_read(request, row["etag"], row["modified_at"])
    except AwsError:
        etag, modified = objects.quoted(row["etag"]), objects.http_date(row["modified_at"])
        ctx.answer_headers |= {"ETag": etag, "Last-Modified": modified}
        raise
    with_sums = (request.get("ChecksumMode") or "").upper() == "ENABLED"
    told = objects.described(row, bucket, with_sums=with_sums)
    if request.get("VersionId") is None:
        told |= rules.expires(ctx, bucket, row)
    if restored := await restores.shown(ctx, row):
        told["Restore"] = restored
    start, end = 0, row["size"]
    partial = False
    if request.get("PartNumber") is not None:
        if request.get("Range") is not None:
            raise InvalidRequest("Cannot specify both Range header and partNumber query parameter")
        start, end = await _part(ctx, row, request["PartNumber"], told, with_sums=with_sums)
        partial = bool(end)
    elif (found := reading.range_of(request.get("Range"), row["size"])) is not None:
        start, end = found
        partial = True
        if with_sums and (start, end) != (0, row["size"]):
            for name in (*checksums.NAMES.values(), "ChecksumType"):
                told.pop(name, None)
    if partial:
        told["ContentRange"] = f"bytes {start}-{end - 1}/{row['size']}"
        ctx.answer_status = 206
    told["ContentLength"] = end - start
    return told, start, end


def _check_part(row: Any, number: int | None) -> None:
    if number is not None and not 1 <= number <= (row["parts"] or 1):
        raise InvalidPartNumber(ActualPartCount=row["parts"] or 1, PartNumberRequested=number)


async def _part(ctx: Context, row: Any, number: int, told: dict[str, Any], *, with_sums: bool) -> tuple[int, int]:
    """Where a part begins and ends."""
    _check_part(row, number)
    if not row["parts"]:
        return 0, row["size"]
    part = await queries.part(ctx.db, row["upload_id"], number)
    if part is None:
        raise Overtaken
    told["PartsCount"] = row["parts"]
    if with_sums and (row["parts"] > 1 or row["facts"].get("sum_type") == checksums.COMPOSITE):
        for name in (*checksums.NAMES.values(), "ChecksumType"):
            told.pop(name, None)
        kind = row["facts"].get("sum_type")
        if kind == checksums.COMPOSITE or (kind and compatibility.ceph(ctx.cloud)):
            sums = {
                name: value for name, value in (part["facts"].get("sums") or {}).items() if name in row["facts"]["sums"]
            }
            told |= checksums.shown({"sums": sums, "sum_type": kind})
    return part["start"], part["start"] + part["size"]

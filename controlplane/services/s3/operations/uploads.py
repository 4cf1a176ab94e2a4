"""Multipart uploads."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.core.operation import Request, operation
from controlplane.services.s3 import (
    checksums,
    compatibility,
    encryption,
    events,
    objects,
    storing,
    uploads,
    versions,
    writing,
)
from controlplane.services.s3.archive import restores
from controlplane.services.s3.buckets import Bucket, the_bucket
from controlplane.services.s3.encryption import Master
from controlplane.services.s3.errors import (
    EntityTooLarge,
    InvalidArgument,
    InvalidRequest,
    MalformedXML,
    MissingContentLength,
    NoSuchUpload,
    PreconditionFailed,
)
from controlplane.services.s3.lifecycle import rules
from controlplane.services.s3.objects import on_object
from controlplane.services.s3.queries import uploads as queries
from controlplane.services.s3.receiving import Received, receive, wanted_of

_LARGEST = 5 * 1024**4
_ID_BYTES = 48


@operation("CreateMultipartUpload", on=on_object("s3:PutObject"), action="s3:PutObject")
async def create_multipart_upload(ctx: Context, request: Request) -> dict[str, Any]:
    """Begin an upload in parts."""
    bucket, key = the_bucket(ctx), objects.key_of(request)
    await writing.authorize_details(ctx, request, ctx.resources[0])
    algorithm = _algorithm(request.get("ChecksumAlgorithm"))
    kind = uploads.kind_of(algorithm, request.get("ChecksumType"))
    master = await writing.master_for(ctx, bucket, request)
    columns = await writing.columns(ctx, bucket, request, key, master)
    until = columns["lock_until"]
    kept = {
        "facts": columns["facts"],
        "tags": columns["tags"],
        "acl": columns["acl"],
        "owner": columns["owner"],
        "storage_class": columns["storage_class"],
        "lock_mode": columns["lock_mode"],
        "lock_until": until.isoformat() if until else None,
        "legal_hold": columns["legal_hold"],
        "algorithm": algorithm,
        "sum_type": kind,
    }
    id = secrets.token_urlsafe(_ID_BYTES)
    await ctx.db.insert(
        "s3_uploads",
        id=id,
        bucket_id=bucket.id,
        key=key,
        account_id=bucket.account_id,
        initiator=ctx.principal.arn,
        object=kept,
    )
    told: dict[str, Any] = {
        "Bucket": bucket.name, "Key": request["Key"], "UploadId": id, **encryption.shown(master.facts)
    }  # fmt: skip
    if algorithm is not None:
        told |= {"ChecksumAlgorithm": algorithm.upper(), "ChecksumType": kind}
    return told | rules.aborts(ctx, bucket, key, storing.now())


def _algorithm(name: str | None) -> str | None:
    if name is None:
        return None
    if name.lower() not in checksums.NAMES:
        raise InvalidRequest(
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, "
            "CRC64NVME, SHA1, SHA256]"
        )
    return name.lower()


@operation("UploadPart", on=on_object("s3:PutObject"), action="s3:PutObject")
async def upload_part(ctx: Context, request: Request) -> dict[str, Any]:
    """Store one part; the last one of a number counts. Raises NoSuchUpload, BadDigest."""
    bucket = the_bucket(ctx)
    check_number(request["PartNumber"])
    upload = await uploads.find(ctx, bucket, request)
    if ctx.headers and request.get("ContentLength") is None:
        raise MissingContentLength
    body = request.get("Body")
    wanted = wanted_of(request, body, upload["object"]["algorithm"])
    wanted.of_part = True
    wanted.also = None if upload["object"]["algorithm"] else checksums.DEFAULT
    _check_algorithm(upload, request, wanted.algorithm)
    master = await master_of(ctx, upload, request)
    received = await receive(ctx, body, wanted, master.key, upload["object"]["storage_class"] or "")
    await keep_part(ctx, upload, request["PartNumber"], received)
    sums = {checksums.NAMES[wanted.algorithm]: received.sums[wanted.algorithm]}
    return {"ETag": objects.quoted(received.md5), **sums, **encryption.shown(master.facts)}


def check_number(number: int) -> None:
    """Raises InvalidArgument."""
    if not 1 <= number <= uploads.MOST_PARTS:
        raise InvalidArgument(
            f"Part number must be an integer between 1 and {uploads.MOST_PARTS}, inclusive",
            ArgumentName="partNumber", ArgumentValue=number,
        )  # fmt: skip


def _check_algorithm(upload: Any, request: Mapping[str, Any], algorithm: str) -> None:
    expected = upload["object"]["algorithm"]
    if expected is not None and algorithm != expected:
        raise InvalidRequest(
            f"Checksum Type mismatch occurred, expected checksum Type: {expected}, actual checksum Type: {algorithm}"
        )


async def master_of(ctx: Context, upload: Any, request: Mapping[str, Any]) -> Master:
    """The master key that an upload was begun with. Raises InvalidRequest where a customer's key is another one."""
    facts = upload["object"]["facts"]["sse"]
    encryption.check_part(facts, request)
    return Master(await encryption.for_reading(ctx, facts, request), facts)


async def keep_part(ctx: Context, upload: Any, number: int, received: Received) -> None:
    """Keep a part that was received. Raises NoSuchUpload when the upload ended meanwhile."""
    facts = {"sums": received.sums, "salt": writing.text_of(received.salt)}
    try:
        replaced = await queries.put_part(
            ctx.db, upload["id"], number, upload["account_id"], received.size, received.md5, facts, received.blob,
            received.content,
        )  # fmt: skip
        if not replaced:
            raise NoSuchUpload(UploadId=upload["id"])
    except AwsError:  # after any other error the row may be there: then the blob is an orphan at worst
        if received.blob is not None:
            await ctx.engine("blobs").delete(received.blob)
        raise
    storing.discard(ctx, [{"blob": row["blob"], "upload_id": None} for row in replaced])


@operation("CompleteMultipartUpload", on=on_object("s3:PutObject"), action="s3:PutObject")
async def complete_multipart_upload(ctx: Context, request: Request) -> dict[str, Any]:
    """Make an object of the listed parts. Raises NoSuchUpload, InvalidPart, InvalidPartOrder, EntityTooSmall."""
    bucket = the_bucket(ctx)
    given = (request.get("MultipartUpload") or {}).get("Parts") or []
    upload = await queries.lock(ctx.db, request["UploadId"]) if uploads.is_id(request["UploadId"]) else None
    if upload is None or upload["bucket_id"] != bucket.id or upload["key"] != request["Key"].encode():
        raise NoSuchUpload(UploadId=request["UploadId"])
    if upload["completed"] is not None:
        return {**upload["completed"], "Location": objects.address(ctx, bucket, request["Key"])}
    if request.get("MultipartUpload") is None:
        raise InvalidRequest("You must specify at least one part")
    if not given or len(given) > uploads.MOST_PARTS:
        raise MalformedXML
    kept = upload["object"]
    uploaded = {row["number"]: row for row in await queries.parts(ctx.db, upload["id"])}
    uploads.check_kind(request, kept)
    if compatibility.ceph(ctx.cloud):
        encryption.check_part(kept["facts"]["sse"], request)
        ctx.answer_headers |= encryption.customer_headers(kept["facts"]["sse"])
    parts = uploads.chosen(given, uploaded, kept, upload["id"], sums_needed=not compatibility.ceph(ctx.cloud))
    columns = _columns(ctx, bucket, upload, parts, request)
    starts = _starts(parts)
    others = await queries.settle(ctx.db, upload["id"], [row["number"] for row in parts], starts)
    storing.discard(ctx, [{"blob": row["blob"], "upload_id": None} for row in others])
    version = await storing.put(ctx, bucket, columns, request, shared=False, upload=upload)
    await events.note(ctx, bucket, "ObjectCreated:CompleteMultipartUpload", upload["key"], columns)
    told: dict[str, Any] = {
        "Bucket": bucket.name,
        "Key": request["Key"],
        "ETag": objects.quoted(columns["etag"]),
        **_shown_sums(kept, columns["facts"]),
        **encryption.shown_of_whole(kept["facts"]["sse"]),
    }
    if version not in (None, versions.NULL):
        told["VersionId"] = version
    await restores.settle(ctx, columns)
    told |= rules.expires(ctx, bucket, columns)
    await queries.complete(ctx.db, upload["id"], told)
    return {**told, "Location": objects.address(ctx, bucket, request["Key"])}


def _shown_sums(kept: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, str]:
    """What a completion tells of checksums: under a key of KMS nothing that nobody asked for, though it is kept."""
    unasked = kept["algorithm"] is None and facts["sse"]["kind"] != encryption.S3
    return {} if unasked else checksums.shown(facts)


def _starts(parts: list[Any]) -> list[int]:
    starts, place = [], 0
    for row in parts:
        starts.append(place)
        place += row["size"]
    return starts


def _columns(
    ctx: Context, bucket: Bucket, upload: Any, parts: list[Any], request: Mapping[str, Any]
) -> storing.Columns:
    kept = upload["object"]
    size = sum(row["size"] for row in parts)
    if size > _LARGEST:
        raise EntityTooLarge(ProposedSize=size, MaxSizeAllowed=_LARGEST)
    if request.get("MpuObjectSize") is not None and request["MpuObjectSize"] != size:
        raise InvalidRequest(
            f"The provided 'x-amz-mp-object-size' header value {request['MpuObjectSize']} does not match what was "
            f"computed: {size}"
        )
    algorithm, kind = kept["algorithm"], kept["sum_type"]
    facts = kept["facts"]
    if algorithm is None:
        algorithm, kind = checksums.DEFAULT, checksums.FULL
    # What lies under the customer's key has no checksum that nobody asked for.
    plain = facts["sse"]["kind"] != encryption.CUSTOMER
    if (plain and all(algorithm in (row["facts"].get("sums") or {}) for row in parts)) or kept["algorithm"] is not None:
        total = uploads.sum_of(parts, algorithm, kind)
        uploads.check_total(request, kept, total, type_needed=not compatibility.ceph(ctx.cloud))
        facts = {**facts, "sums": {algorithm: total}, "sum_type": kind}
    until = kept["lock_until"]
    return {
        "bucket_id": bucket.id,
        "key": upload["key"],
        "version": None,
        "marker": False,
        "account_id": bucket.account_id,
        "owner": kept["owner"],
        "size": size,
        "etag": uploads.etag_of(parts),
        "modified_at": upload["created_at"],
        "storage_class": kept["storage_class"],
        "facts": facts,
        "tags": kept["tags"],
        "acl": kept["acl"],
        "lock_mode": kept["lock_mode"],
        "lock_until": datetime.fromisoformat(until) if until else None,
        "legal_hold": kept["legal_hold"],
        "upload_id": upload["id"],
        "parts": len(parts),
        "blob": None,
        "content": None,
        "place": 0,
    }


@operation("AbortMultipartUpload", on=on_object())
async def abort_multipart_upload(ctx: Context, request: Request) -> None:
    """Forget an upload and free its parts. Raises NoSuchUpload."""
    bucket = the_bucket(ctx)
    upload = await uploads.find(ctx, bucket, request)
    moment = request.get("IfMatchInitiatedTime")
    if moment is not None and moment.replace(microsecond=0) != upload["created_at"].replace(microsecond=0):
        raise PreconditionFailed(Condition="x-amz-if-match-initiated-time")
    dropped = await queries.drop(ctx.db, upload["id"])
    if dropped is None:
        raise NoSuchUpload(UploadId=upload["id"])
    storing.discard(ctx, [{"blob": row["blob"], "upload_id": None} for row in dropped])

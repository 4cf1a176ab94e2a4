"""Multipart uploads that are not complete, and their parts, listed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import Request, operation
from controlplane.services.s3 import checksums, grants, listing, objects, owners, uploads
from controlplane.services.s3.buckets import Bucket, on_bucket_for, the_bucket
from controlplane.services.s3.errors import InvalidArgument
from controlplane.services.s3.lifecycle import rules
from controlplane.services.s3.objects import on_object
from controlplane.services.s3.queries import uploads as queries

_FIRST: queries.Place = (datetime.min.replace(tzinfo=UTC), "")
_LAST: queries.Place = (datetime.max.replace(tzinfo=UTC), "")
"""Before and behind all uploads of a key."""


@operation("ListParts", on=on_object("s3:ListMultipartUploadParts"), action="s3:ListMultipartUploadParts")
async def list_parts(ctx: Context, request: Request) -> dict[str, Any]:
    """A page of an upload's parts. Raises NoSuchUpload."""
    bucket = the_bucket(ctx)
    upload = await uploads.find(ctx, bucket, request)
    most = listing.most_of(request.get("MaxParts"), "max-parts")
    after = request.get("PartNumberMarker") or 0
    rows = await queries.parts(ctx.db, upload["id"], int(after), most + 1)
    kept = upload["object"]
    told: dict[str, Any] = {
        "Bucket": bucket.name,
        "Key": request["Key"],
        "UploadId": upload["id"],
        "PartNumberMarker": int(after),
        "NextPartNumberMarker": rows[:most][-1]["number"] if rows[:most] else 0,
        "MaxParts": most,
        "IsTruncated": len(rows) > most,
        "Parts": [_shown_part(row, with_sums=kept["algorithm"] is not None) for row in rows[:most]],
        "Initiator": _initiator(upload),
        "Owner": grants.owner(kept["owner"] or bucket.account_id),
        "StorageClass": kept["storage_class"] or objects.STANDARD,
        **rules.aborts(ctx, bucket, upload["key"], upload["created_at"]),
    }
    if kept["algorithm"] is not None:
        told |= {"ChecksumAlgorithm": kept["algorithm"].upper(), "ChecksumType": kept["sum_type"]}
    return await owners.named(ctx, told)


def _shown_part(row: Any, *, with_sums: bool) -> dict[str, Any]:
    sums = (row["facts"].get("sums") or {}) if with_sums else {}
    return {
        "PartNumber": row["number"],
        "LastModified": row["modified_at"],
        "ETag": objects.quoted(row["etag"]),
        "Size": row["size"],
        **{checksums.NAMES[name]: value for name, value in sums.items()},
    }


def _initiator(upload: Any) -> dict[str, str]:
    parts = upload["initiator"].split(":")
    account = parts[4] if len(parts) > 5 else upload["account_id"]
    if len(parts) <= 5 or parts[5] == "root":
        return grants.owner(account)
    return {"ID": upload["initiator"], "DisplayName": upload["initiator"].rpartition("/")[2]}


@operation(
    "ListMultipartUploads",
    on=on_bucket_for("s3:ListBucketMultipartUploads"),
    action="s3:ListBucketMultipartUploads",
)
async def list_multipart_uploads(ctx: Context, request: Request) -> dict[str, Any]:
    """A page of a bucket's uploads that are not complete, by key."""
    bucket, show = the_bucket(ctx), listing.shower(request.get("EncodingType"))
    most = listing.most_of(request.get("MaxUploads"), "max-uploads")
    prefix, delimiter = (request.get("Prefix") or "").encode(), (request.get("Delimiter") or "").encode()
    marker, id_marker = request.get("KeyMarker") or "", request.get("UploadIdMarker") or ""
    if not marker:  # nobody's id
        id_marker = ""
    after, behind = marker.encode(), await _behind(ctx, bucket, marker, id_marker)
    if (hidden := listing.common_of(after, prefix, delimiter)) is not None:
        after, behind = listing.bump(hidden) or hidden + b"\xff", _FIRST
    found: list[Any] = []
    prefixes: list[bytes] = []
    truncated, last, last_id = False, b"", ""
    end = listing.bump(prefix)
    while len(found) + len(prefixes) <= most and not truncated:
        rows = await queries.page(ctx.db, bucket.id, after, behind, prefix, end, most + 1)
        for row in rows:
            if len(found) + len(prefixes) == most:
                truncated = True
                break
            common = listing.common_of(row["key"], prefix, delimiter) if delimiter else None
            if common is not None:
                prefixes.append(common)
                last, last_id = common, ""
                after, behind = listing.bump(common) or common + b"\xff", _FIRST
                break
            found.append(row)
            last, last_id = row["key"], row["id"]
            after, behind = row["key"], (row["created_at"], row["id"])
        else:
            break
    told: dict[str, Any] = {
        "Bucket": bucket.name, "KeyMarker": show(marker), "UploadIdMarker": id_marker,
        "Prefix": show(prefix) if prefix else None,
        "MaxUploads": most, "IsTruncated": truncated,
        "NextKeyMarker": show(last) if found else "", "NextUploadIdMarker": last_id,
        "Uploads": [_shown_upload(bucket, row, show(row["key"])) for row in found],
        "CommonPrefixes": [{"Prefix": show(item)} for item in prefixes],
    }  # fmt: skip
    if delimiter:
        told["Delimiter"] = show(delimiter)
    if request.get("EncodingType"):
        told["EncodingType"] = request["EncodingType"]
    return await owners.named(ctx, {name: value for name, value in told.items() if value is not None and value != []})


async def _behind(ctx: Context, bucket: Bucket, marker: str, id_marker: str) -> queries.Place:
    """Behind which of the uploads of the marker's key a page begins. Raises InvalidArgument."""
    if not marker:
        return _FIRST
    if not id_marker:
        return _LAST
    known = uploads.is_id(id_marker)
    row = await queries.find_any(ctx.db, id_marker) if known else None
    if row is None and known:  # it was aborted meanwhile: rather some uploads twice than one never
        return _FIRST
    if row is None or row["bucket_id"] != bucket.id or row["key"] != marker.encode():
        raise InvalidArgument(
            "Invalid uploadId marker", ArgumentName="upload-id-marker", ArgumentValue=id_marker[:1024]
        )
    return row["created_at"], row["id"]


def _shown_upload(bucket: Bucket, row: Any, key: str) -> dict[str, Any]:
    kept = row["object"]
    told = {
        "UploadId": row["id"],
        "Key": key,
        "Initiated": row["created_at"],
        "StorageClass": kept["storage_class"] or objects.STANDARD,
        "Owner": grants.owner(kept["owner"] or bucket.account_id),
        "Initiator": _initiator({**row, "account_id": bucket.account_id}),
    }
    if kept["algorithm"] is not None:
        told |= {"ChecksumAlgorithm": kept["algorithm"].upper(), "ChecksumType": kept["sum_type"]}
    return told

"""Multipart uploads: found, listed, put together."""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from awscrt import checksums as crt

from controlplane.core.context import Context
from controlplane.services.s3 import checksums
from controlplane.services.s3.buckets import Bucket
from controlplane.services.s3.errors import (
    BadDigest,
    EntityTooSmall,
    InvalidPart,
    InvalidPartOrder,
    InvalidRequest,
    NoSuchUpload,
)
from controlplane.services.s3.queries import uploads as queries

MOST_PARTS = 10_000
_SMALLEST_PART = 5 * 1024 * 1024
_ID = re.compile(r"[A-Za-z0-9_-]{64}")
_COMBINE = {
    "crc32": (crt.combine_crc32, 4),
    "crc32c": (crt.combine_crc32c, 4),
    "crc64nvme": (crt.combine_crc64nvme, 8),
}


def is_id(text: str) -> bool:
    """Whether text could be an upload's id."""
    return bool(_ID.fullmatch(text))


async def find(ctx: Context, bucket: Bucket, request: Mapping[str, Any]) -> Any:
    """The upload that a request names, by id and key. Raises NoSuchUpload."""
    row = await queries.find(ctx.db, request["UploadId"]) if is_id(request["UploadId"]) else None
    if row is None or row["bucket_id"] != bucket.id or row["key"] != request["Key"].encode():
        raise NoSuchUpload(UploadId=request["UploadId"])
    return row


def chosen(
    given: Sequence[Mapping[str, Any]],
    uploaded: Mapping[int, Any],
    kept: Mapping[str, Any],
    id: str,
    *,
    sums_needed: bool,
) -> list[Any]:
    """The rows of the parts that a completion lists; `kept` is what the upload was begun with. `sums_needed`: what
    makes a composite checksum must come again.

    Raises InvalidPart, InvalidPartOrder, EntityTooSmall, BadDigest, InvalidRequest.
    """
    numbers = [item.get("PartNumber") or 0 for item in given]
    if any(later <= earlier for earlier, later in pairwise(numbers)):
        raise InvalidPartOrder(UploadId=id)
    found = []
    for item, number in zip(given, numbers, strict=True):
        row = uploaded.get(number)
        etag = (item.get("ETag") or "").strip('"')
        if row is None or row["etag"] != etag:
            raise InvalidPart(PartNumber=number, ETag=etag, UploadId=id)
        _check_sum(item, row, kept, id, needed=sums_needed)
        found.append(row)
    for row in found[:-1]:
        if row["size"] < _SMALLEST_PART:
            raise EntityTooSmall(
                ETag=row["etag"], PartNumber=row["number"], MinSizeAllowed=_SMALLEST_PART, ProposedSize=row["size"]
            )
    return found


def _check_sum(item: Mapping[str, Any], row: Any, kept: Mapping[str, Any], id: str, *, needed: bool) -> None:
    """What a completion says of a part's checksum: nothing where none was chosen, and all that make a composite."""
    algorithm, number = kept["algorithm"], row["number"]
    sums = row["facts"].get("sums") or {}
    given = {name: item[member] for name, member in checksums.NAMES.items() if item.get(member) is not None}
    for name, value in given.items():
        if algorithm not in (None, name):
            raise BadDigest(f"The {name} you specified for part {number} did not match what we received.")
        if algorithm is None or sums.get(name) != value:
            raise InvalidPart(PartNumber=number, ETag=row["etag"], UploadId=id)
    if needed and kept["sum_type"] == checksums.COMPOSITE and not given:
        raise InvalidRequest(
            f"The upload was created using a {algorithm} checksum. The complete request must include the checksum for "
            f"each part. It was missing for part {number} in the request."
        )


def check_kind(request: Mapping[str, Any], kept: Mapping[str, Any]) -> None:
    """Raises InvalidRequest where a completion names another type of checksum than its upload."""
    if request.get("ChecksumType") not in (None, kept["sum_type"]):
        raise InvalidRequest(
            f"The upload was created using the {kept['sum_type'] or 'null'} checksum mode. The complete request must "
            "use the same checksum mode."
        )


def check_total(request: Mapping[str, Any], kept: Mapping[str, Any], total: str, *, type_needed: bool) -> None:
    """Raises BadDigest where a completion tells another checksum. One without a type has its algorithm's first where
    the type must come again, and else that of its upload."""
    algorithm = kept["algorithm"]
    given = {name: request[member] for name, member in checksums.NAMES.items() if request.get(member) is not None}
    if algorithm is None or not given:
        return
    kind = request.get("ChecksumType") or (kind_of(algorithm, None) if type_needed else kept["sum_type"])
    told = given.get(algorithm, "")
    if kind != kept["sum_type"] or told.partition("-")[0] != total.partition("-")[0]:
        raise BadDigest(f"The {algorithm} you specified did not match the calculated checksum.")


def etag_of(parts: Sequence[Any]) -> str:
    """The entity tag of an object in parts: the digest of theirs, and their number."""
    digests = b"".join(bytes.fromhex(part["etag"]) for part in parts)
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"


def sum_of(parts: Sequence[Any], algorithm: str, kind: str) -> str:
    """The checksum of an object in parts: over all bytes, or over the checksums of the parts."""
    digests = []
    for part in parts:
        value = (part["facts"].get("sums") or {}).get(algorithm)
        if value is None:
            raise InvalidRequest(
                f"The upload was created using the {algorithm} checksum mode. The complete request "
                f"must include the checksum for each part. It was missing for part {part['number']} "
                "in the request."
            )
        digests.append(b64decode(value))
    if kind == checksums.COMPOSITE:
        whole = checksums.new(algorithm)
        whole.update(b"".join(digests))
        return f"{checksums.text(whole.digest())}-{len(parts)}"
    combine, size = _COMBINE[algorithm]
    value = int.from_bytes(digests[0], "big")
    for part, digest in zip(parts[1:], digests[1:], strict=True):
        value = combine(value, int.from_bytes(digest, "big"), part["size"])
    return checksums.text(value.to_bytes(size, "big"))


def kind_of(algorithm: str | None, asked: str | None) -> str | None:
    """FULL_OBJECT or COMPOSITE for an algorithm. Raises InvalidRequest where it cannot be."""
    if algorithm is None:
        if asked is not None:
            raise InvalidRequest(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header."
            )
        return None
    default = checksums.FULL if algorithm == "crc64nvme" else checksums.COMPOSITE
    kind = asked or default
    if kind == checksums.FULL and algorithm in ("sha1", "sha256"):
        raise InvalidRequest(f"The FULL_OBJECT checksum type cannot be used with the {algorithm} checksum algorithm.")
    if kind == checksums.COMPOSITE and algorithm == "crc64nvme":
        raise InvalidRequest("The COMPOSITE checksum type cannot be used with the crc64nvme checksum algorithm.")
    return kind

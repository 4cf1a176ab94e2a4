"""Archives: put in one piece or in parts, deleted."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import Request, operation
from controlplane.core.paging import decode_token, encode_token
from controlplane.services.glacier import queries
from controlplane.services.glacier.archives import LARGEST, description_of, discard, new_id, receive
from controlplane.services.glacier.errors import (
    GlacierError,
    InvalidParameterValueException,
    MissingParameterValueException,
    ResourceNotFoundException,
)
from controlplane.services.glacier.tree_hash import MIB, combine
from controlplane.services.glacier.vaults import Vault, limit_of, moment_of, on_archive, on_vault, the_vault, told

_PAGE = 50
_MOST_PARTS = 10_000
_RANGE = re.compile(r"(?:bytes )?(\d{1,15})-(\d{1,15})/(?:\*|\d{1,15})")
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)


@operation("UploadArchive", on=on_vault)
async def upload_archive(ctx: Context, request: Request) -> dict[str, Any]:
    """Store an archive; it is on disk when this answers. Raises InvalidParameterValueException."""
    vault, description = the_vault(ctx), description_of(request.get("archiveDescription"))
    if not request.get("checksum"):
        raise MissingParameterValueException("Required parameter missing: x-amz-sha256-tree-hash")
    blob, facts, tree = await receive(ctx, request.get("body"), request["checksum"])
    id = new_id()
    await _keep(ctx, vault, id, description, tree.size, tree.text)
    await queries.put_piece(ctx.db, id, 0, vault.account_id, tree.size, tree.text, facts, blob)
    return _kept(vault, id, tree.text)


async def _keep(ctx: Context, vault: Vault, id: str, description: str, size: int, tree_hash: str) -> None:
    if not await queries.make_archive(ctx.db, id, vault.account_id, vault.id, description, size, tree_hash):
        raise ResourceNotFoundException(f"Vault not found for ARN: {vault.arn}")


def _kept(vault: Vault, id: str, tree_hash: str) -> dict[str, Any]:
    return {"location": f"{vault.path}/archives/{id}", "checksum": tree_hash, "archiveId": id}


@operation("DeleteArchive", on=on_archive)
async def delete_archive(ctx: Context, request: Request) -> None:
    """Delete an archive. Raises ResourceNotFoundException."""
    held = await queries.drop_archive(ctx.db, the_vault(ctx).id, request["archiveId"])
    if held is None:
        raise ResourceNotFoundException(f"The archive ID was not found: {request['archiveId'][:256]}")
    discard(ctx, held)


@operation("InitiateMultipartUpload", on=on_vault)
async def initiate_multipart_upload(ctx: Context, request: Request) -> dict[str, Any]:
    """Begin an upload in parts. Raises InvalidParameterValueException."""
    vault, description = the_vault(ctx), description_of(request.get("archiveDescription"))
    text = str(request.get("partSize") or "")
    size = int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0
    if size not in [MIB << n for n in range(13)]:
        raise InvalidParameterValueException(
            f"Invalid part size: {text[:32]}. Part size must be a power of two, from 1048576 to 4294967296 bytes"
        )
    id = new_id(69)
    await ctx.db.insert(
        "glacier_uploads",
        id=id, account_id=vault.account_id, vault_id=vault.id, description=description, part_size=size,
    )  # fmt: skip
    return {"location": f"{vault.path}/multipart-uploads/{id}", "uploadId": id}


async def _upload(ctx: Context, request: Request, *, lock: bool = False) -> Any:
    row = await queries.upload(ctx.db, the_vault(ctx).id, request["uploadId"], lock=lock)
    if row is None:
        raise ResourceNotFoundException(f"The upload ID was not found: {request['uploadId'][:256]}")
    return row


@operation("UploadMultipartPart", on=on_vault)
async def upload_multipart_part(ctx: Context, request: Request) -> dict[str, Any]:
    """Store a part. Raises InvalidParameterValueException, ResourceNotFoundException."""
    upload = await _upload(ctx, request)
    match = _RANGE.fullmatch(request.get("range") or "")
    if match is None or int(match[2]) < int(match[1]):
        raise InvalidParameterValueException(f"Invalid Content-Range: {(request.get('range') or '')[:128]}")
    start, size = int(match[1]), int(match[2]) + 1 - int(match[1])
    if start % upload["part_size"] or size > upload["part_size"] or start // upload["part_size"] >= _MOST_PARTS:
        raise InvalidParameterValueException(f"Content-Range: {match[0]} is incompatible with the part size")
    if not request.get("checksum"):
        raise MissingParameterValueException("Required parameter missing: x-amz-sha256-tree-hash")
    blob, facts, tree = await receive(ctx, request.get("body"), request["checksum"], upload["part_size"])
    gone: GlacierError | None
    gone = None if tree.size == size else InvalidParameterValueException(f"Content-Range: {match[0]} is not the body's")
    if gone is None and await queries.upload(ctx.db, upload["vault_id"], upload["id"], lock=True) is None:
        gone = ResourceNotFoundException("The upload has ended")
    if gone is not None:
        await ctx.engine("blobs").delete(blob)
        raise gone
    old = await queries.put_piece(ctx.db, upload["id"], start, upload["account_id"], tree.size, tree.text, facts, blob)
    discard(ctx, [{"blob": old}])
    return {"checksum": tree.text}


@operation("CompleteMultipartUpload", on=on_vault)
async def complete_multipart_upload(ctx: Context, request: Request) -> dict[str, Any]:
    """Make an archive of the parts. Raises InvalidParameterValueException."""
    vault = the_vault(ctx)
    upload = await _upload(ctx, request, lock=True)
    pieces = await queries.pieces(ctx.db, upload["id"])
    place = 0
    for piece in pieces:
        if piece["start"] != place or (piece["size"] != upload["part_size"] and piece is not pieces[-1]):
            raise InvalidParameterValueException("The parts have gaps between them")
        place += piece["size"]
    if str(place) != str(request.get("archiveSize")) or not place or place > LARGEST * _MOST_PARTS:
        raise InvalidParameterValueException(f"Invalid archive size: the parts have {place} bytes")
    total = combine([bytes.fromhex(piece["tree_hash"]) for piece in pieces]).hex()
    if (request.get("checksum") or "").lower() != total:
        raise InvalidParameterValueException(f"Checksum mismatch: server computed {total}")
    id = new_id()
    await _keep(ctx, vault, id, upload["description"], place, total)
    await queries.hand_over(ctx.db, upload["id"], id)
    return _kept(vault, id, total)


@operation("AbortMultipartUpload", on=on_vault)
async def abort_multipart_upload(ctx: Context, request: Request) -> None:
    """Forget an upload with its parts. Raises ResourceNotFoundException."""
    upload = await _upload(ctx, request, lock=True)
    discard(ctx, await queries.drop_upload(ctx.db, upload["id"]))


@operation("ListParts", on=on_vault)
async def list_parts(ctx: Context, request: Request) -> dict[str, Any]:
    """A page of an upload's parts."""
    vault, upload, most = the_vault(ctx), await _upload(ctx, request), limit_of(request, _PAGE)
    marker = str(request.get("marker") or "-1")
    if not re.fullmatch(r"-1|\d{1,15}", marker):
        raise InvalidParameterValueException("Invalid marker")
    rows = await queries.pieces(ctx.db, upload["id"], int(marker), most + 1)
    parts = [
        {"RangeInBytes": f"{row['start']}-{row['start'] + row['size'] - 1}", "SHA256TreeHash": row["tree_hash"]}
        for row in rows[:most]
    ]
    answer = {**_shown(vault, upload), "Parts": parts}
    return {**answer, "Marker": str(rows[most - 1]["start"])} if len(rows) > most else answer


def _shown(vault: Vault, upload: Any) -> dict[str, Any]:
    return {
        "MultipartUploadId": upload["id"],
        "VaultARN": vault.arn,
        "ArchiveDescription": upload["description"],
        "PartSizeInBytes": upload["part_size"],
        "CreationDate": told(upload["created_at"]),
    }


def position_of(marker: str | None) -> tuple[datetime, str]:
    """Behind what a page begins. Raises InvalidParameterValueException."""
    if not marker:
        return _FIRST, ""
    try:
        moment, id = decode_token(marker)
        position = moment_of(moment), str(id)
    except (ValueError, TypeError) as error:
        raise InvalidParameterValueException("Invalid marker") from error
    if "\x00" in position[1]:
        raise InvalidParameterValueException("Invalid marker")
    return position


def marker_of(row: Any) -> str:
    """What a next page begins behind."""
    return encode_token([row["created_at"].isoformat(), row["id"]])


@operation("ListMultipartUploads", on=on_vault)
async def list_multipart_uploads(ctx: Context, request: Request) -> dict[str, Any]:
    """A page of uploads that are not complete."""
    vault, most = the_vault(ctx), limit_of(request, _PAGE)
    rows = await queries.uploads(ctx.db, vault.id, position_of(request.get("marker")), most + 1)
    answer: dict[str, Any] = {"UploadsList": [_shown(vault, row) for row in rows[:most]]}
    return {**answer, "Marker": marker_of(rows[most - 1])} if len(rows) > most else answer

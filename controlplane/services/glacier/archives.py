"""Archives on their way in."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterable
from typing import Any

from controlplane.core.context import Context
from controlplane.engines.blobs import packing
from controlplane.services.glacier.errors import InvalidParameterValueException
from controlplane.services.glacier.tree_hash import TreeHash
from controlplane.services.glacier.vaults import TIER, master_of

LARGEST = 4 * 1024**3
_ID_BYTES = 102
_LONGEST_DESCRIPTION = 1024


def new_id(size: int = _ID_BYTES) -> str:
    """An id as long as Glacier's."""
    return secrets.token_urlsafe(size)


def description_of(text: str | None) -> str:
    """A description, of printable ASCII. Raises InvalidParameterValueException."""
    text = text or ""
    if len(text) > _LONGEST_DESCRIPTION or not all(32 <= ord(letter) < 127 for letter in text):
        raise InvalidParameterValueException("Invalid description: 0 to 1024 printable ASCII characters are allowed")
    return text


async def _hashed(body: Any, tree: TreeHash, most: int) -> AsyncIterator[bytes]:
    pieces = [body] if isinstance(body, bytes) else body or []
    if isinstance(pieces, list):
        for piece in pieces:
            tree.update(piece)
            yield piece
        return
    async for piece in pieces:
        await asyncio.to_thread(tree.update, piece)
        if tree.size > most:
            raise InvalidParameterValueException(f"Request body size exceeds the limit of {most} bytes")
        yield piece


async def receive(ctx: Context, body: Any, checksum: str | None, most: int = LARGEST) -> tuple[str, Any, TreeHash]:
    """Store a body, compressed; answers the blob, what opens it, and its hashes. Nothing stays of a wrong one.

    Raises InvalidParameterValueException.
    """
    tree, blobs = TreeHash(), ctx.engine("blobs")
    blob, facts = await packing.pack(blobs, _hashed(body, tree, most), master_of(ctx), TIER)
    error: str | None = None
    if not tree.size:
        error = "Invalid body: an archive has at least one byte"
    elif tree.size > most:
        error = f"Request body size exceeds the limit of {most} bytes"
    elif checksum is not None and checksum.lower() != tree.text:
        error = f"Checksum mismatch: expected {checksum[:64]} server computed {tree.text}"
    if error is not None:
        await blobs.delete(blob)
        raise InvalidParameterValueException(error)
    return blob, facts, tree


def discard(ctx: Context, rows: Iterable[Any]) -> None:
    """Free what rows held that are no more, after the commit."""
    blobs, found = ctx.engine("blobs"), [row["blob"] for row in rows if row["blob"]]

    async def free() -> None:
        await asyncio.gather(*(blobs.delete(blob) for blob in found))

    if found:
        ctx.db.after_commit(free)

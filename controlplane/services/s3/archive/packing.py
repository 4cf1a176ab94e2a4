"""Bytes in the archive: compressed, then sealed as all others are."""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from typing import Any

from controlplane.services.s3 import frames
from controlplane.services.s3.receiving import in_thread

_BLOCK = 16 * frames.FRAME
_LEVEL = 6


class _Writing:
    """A blob in the making. `write` and `commit` block."""

    def __init__(self, blobs: Any, master: bytes, tier: str) -> None:
        self.salt = frames.new_salt()
        self.length = 0
        self._sealing = frames.Sealing(master, self.salt)
        self._writer = blobs.create(tier)

    def write(self, data: bytes) -> None:
        self.length += len(data)
        self._writer.write(self._sealing.update(data))

    def commit(self) -> str:
        self._writer.write(self._sealing.finish())
        blob: str = self._writer.commit()
        return blob

    def abort(self) -> None:
        self._writer.abort()


async def pack(blobs: Any, body: bytes | AsyncIterator[bytes], master: bytes, tier: str) -> tuple[str, dict[str, Any]]:
    """Write a body to a tier; answers the blob and the facts with which `unpack` opens it."""
    writing = await in_thread(_Writing, blobs, master, tier)
    packing = zlib.compressobj(_LEVEL)
    try:
        if isinstance(body, bytes):
            await in_thread(lambda: writing.write(packing.compress(body)))
        else:
            async for block in body:
                await in_thread(lambda data: writing.write(packing.compress(data)), block)
        await in_thread(lambda: writing.write(packing.flush()))
        blob = await in_thread(writing.commit)
    finally:
        await in_thread(writing.abort)
    return blob, {"salt": b64encode(writing.salt).decode(), "length": writing.length}


def unpack(blobs: Any, blob: str, packed: dict[str, Any], master: bytes) -> tuple[str, str]:
    """Write what was packed to the first disk; answers the new blob and its salt. Blocks. Raises EngineMissing."""
    opening = frames.Opening(master, b64decode(packed["salt"]))
    unpacking = zlib.decompressobj()
    reader = blobs.open(blob)
    try:
        writing = _Writing(blobs, master, "")
        try:
            for start in range(0, packed["length"], _BLOCK):
                length = min(_BLOCK, packed["length"] - start)
                sealed = opening.open(reader.read(*frames.span(start, length)), start, length)
                while sealed:
                    writing.write(unpacking.decompress(sealed, _BLOCK))
                    sealed = unpacking.unconsumed_tail
            writing.write(unpacking.flush())
            return writing.commit(), b64encode(writing.salt).decode()
        finally:
            writing.abort()
    finally:
        reader.close()

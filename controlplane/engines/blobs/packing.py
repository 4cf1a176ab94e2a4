"""Bytes in an archive: compressed, then sealed."""

from __future__ import annotations

import asyncio
import zlib
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from controlplane.engines.blobs import frames
from controlplane.engines.blobs.contract import Blobs

_BLOCK = 16 * frames.FRAME
_LEVEL = 6


class SealedWriter:
    """A sealed blob in the making. All of it blocks. `length` counts what was sealed."""

    def __init__(self, blobs: Blobs, master: bytes, tier: str = "") -> None:
        self._salt = frames.new_salt()
        self.length = 0
        self._sealing = frames.Sealing(master, self._salt)
        self._writer = blobs.create(tier)

    @property
    def salt(self) -> str:
        """What opens it, beside the master key."""
        return b64encode(self._salt).decode()

    def write(self, data: bytes) -> None:
        self.length += len(data)
        self._writer.write(self._sealing.update(data))

    def commit(self) -> str:
        self._writer.write(self._sealing.finish())
        return self._writer.commit()

    def abort(self) -> None:
        self._writer.abort()


async def pack(
    blobs: Blobs, body: bytes | AsyncIterator[bytes], master: bytes, tier: str
) -> tuple[str, dict[str, Any]]:
    """Write a body to a tier; answers the blob and the facts with which `unpacked` opens it."""
    writing = await asyncio.to_thread(SealedWriter, blobs, master, tier)
    packing = zlib.compressobj(_LEVEL)

    def add(data: bytes) -> None:
        writing.write(packing.compress(data))

    try:
        if isinstance(body, bytes):
            await asyncio.to_thread(add, body)
        else:
            async for block in body:
                await asyncio.to_thread(add, block)
        await asyncio.to_thread(lambda: writing.write(packing.flush()))
        blob = await asyncio.to_thread(writing.commit)
    finally:
        await asyncio.to_thread(writing.abort)
    return blob, {"salt": writing.salt, "length": writing.length}


def unpacked(blobs: Blobs, blob: str, packed: Mapping[str, Any], master: bytes) -> Iterator[bytes]:
    """The bytes that were packed. Blocks. Raises EngineMissing, Corrupt."""
    unpacking = zlib.decompressobj()
    with SealedReader(blobs, blob, packed["salt"], master) as sealed:
        for start in range(0, packed["length"], _BLOCK):
            rest = sealed.read(start, min(_BLOCK, packed["length"] - start))
            while rest:
                yield unpacking.decompress(rest, _BLOCK)
                rest = unpacking.unconsumed_tail
        yield unpacking.flush()


def copy(blobs: Blobs, pieces: Iterator[bytes], master: bytes) -> tuple[str, str]:
    """Write bytes to the first disk; answers the blob and its salt. Blocks."""
    writing = SealedWriter(blobs, master)
    try:
        for piece in pieces:
            writing.write(piece)
        return writing.commit(), writing.salt
    finally:
        writing.abort()


class SealedReader:
    """A sealed blob that is being read, for `with`. Blocks."""

    def __init__(self, blobs: Blobs, blob: str, salt: str, master: bytes) -> None:
        self._opening = frames.Opening(master, b64decode(salt))
        self._reader = blobs.open(blob)

    def read(self, start: int, length: int) -> bytes:
        """A range, which must be there."""
        return self._opening.open(self._reader.read(*frames.span(start, length)), start, length)

    def __enter__(self) -> SealedReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()

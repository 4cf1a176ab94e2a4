"""Bytes on their way out: ranges, opened frame by frame, a block at a time."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from controlplane.core.context import Context
from controlplane.core.errors import EngineMissing
from controlplane.engines.blobs import frames
from controlplane.services.s3 import encryption, hot
from controlplane.services.s3.errors import InvalidRange
from controlplane.services.s3.hot import HOT
from controlplane.services.s3.queries import objects as queries
from controlplane.services.s3.receiving import in_thread

BLOCK = 1024 * 1024
_OPEN_AHEAD = 256
"""So many parts of an object are opened before the first is read."""
_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")


def range_of(text: str | None, size: int) -> tuple[int, int] | None:
    """Start and end (exclusive) of a Range header's one range; None for the whole. Raises InvalidRange."""
    match = _RANGE.fullmatch(text.replace(" ", "")) if text else None
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        wanted = int(match[2])
        if wanted == 0 or size == 0:
            raise InvalidRange(ActualObjectSize=size, RangeRequested=text)
        return max(0, size - wanted), size
    start = int(match[1])
    end = int(match[2]) + 1 if match[2] else size
    if match[2] and end <= start:
        return None
    if start >= size:
        raise InvalidRange(ActualObjectSize=size, RangeRequested=text)
    return start, min(end, size)


async def bytes_of(ctx: Context, row: Any, master: bytes, start: int, end: int) -> bytes | AsyncIterator[bytes]:
    """A range of an object. The first block is read before this answers, so that what is lost is not promised.

    Raises EngineMissing where the blob has gone meanwhile, Corrupt.
    """
    if end <= start:
        return b""
    if row["parts"]:
        return _with_first(*await _begun(_of_parts(ctx, row["upload_id"], master, start, end)))
    if row["content"] is not None:
        return _small(row, master, start, end)
    source = _Source(ctx, row["blob"], salt_of(row["facts"]), master)
    if end - start <= BLOCK:
        found: bytes = await in_thread(source.only, start, end - start)
        return found
    return _with_first(*await _begun(_of_blob(source, start, end)))


async def to_send(ctx: Context, row: Any, master: bytes, start: int, end: int) -> bytes | AsyncIterator[bytes]:
    """A range of an object for a client: as `bytes_of`, but what is asked for often comes from memory."""
    facts, size = row["facts"], row["size"]
    if row["parts"] or size > hot.LARGEST or facts["sse"]["kind"] == encryption.CUSTOMER or end <= start:
        return await bytes_of(ctx, row, master, start, end)
    whole = HOT.get(facts["salt"])
    if whole is None:
        if not HOT.wants(facts["salt"]):
            return await bytes_of(ctx, row, master, start, end)
        found = await bytes_of(ctx, row, master, 0, size)
        assert isinstance(found, bytes)  # it is a block at most
        HOT.keep(facts["salt"], whole := found)
    return whole if end - start == size else whole[start:end]


def salt_of(facts: Mapping[str, Any]) -> bytes:
    """What an object or part is opened with, beside the master key."""
    return b64decode(facts["salt"])


def _small(row: Any, master: bytes, start: int, end: int) -> bytes:
    opening = frames.Opening(master, salt_of(row["facts"]))
    return opening.open(row["content"], 0, row["size"])[start:end]


class _Source:
    """One blob that is being read. All but the constructor blocks."""

    def __init__(self, ctx: Context, blob: str, salt: bytes, master: bytes) -> None:
        self._blobs = ctx.engine("blobs")
        self._blob = blob
        self._opening = frames.Opening(master, salt)
        self._reader: Any = None

    def read(self, start: int, length: int) -> bytes:
        self.begin()
        return self._opening.open(self._reader.read(*frames.span(start, length)), start, length)

    def begin(self) -> None:
        if self._reader is None:
            self._reader = self._blobs.open(self._blob)

    def only(self, start: int, length: int) -> bytes:
        try:
            return self.read(start, length)
        finally:
            self.close()

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()


async def _of_blob(source: _Source, start: int, end: int) -> AsyncIterator[bytes]:
    try:
        while start < end:
            # Blocks end where frames do, so that none is opened twice.
            length = min(end - start, BLOCK - start % frames.FRAME)
            yield await in_thread(source.read, start, length)
            start += length
    finally:
        source.close()


def _open(sources: Sequence[_Source]) -> None:
    for source in sources:
        source.begin()


async def _of_parts(ctx: Context, upload_id: str, master: bytes, start: int, end: int) -> AsyncIterator[bytes]:
    parts = await queries.parts_between(ctx.db, upload_id, start, end)
    if not parts or any(part["content"] is None and part["blob"] is None for part in parts):
        raise EngineMissing("the parts have gone, or are in the archive")
    sources = {
        part["number"]: _Source(ctx, part["blob"], salt_of(part["facts"]), master)
        for part in parts
        if part["content"] is None
    }
    try:
        # What is open is read to its end, also when the object is overwritten meanwhile.
        await in_thread(_open, list(sources.values())[:_OPEN_AHEAD])
        for part in parts:
            first, last = max(0, start - part["start"]), min(part["size"], end - part["start"])
            if part["content"] is not None:
                yield _small(part, master, first, last)
                continue
            async for block in _of_blob(sources[part["number"]], first, last):
                yield block
    finally:
        for source in sources.values():
            source.close()


async def _begun(blocks: AsyncIterator[bytes]) -> tuple[bytes, AsyncIterator[bytes]]:
    return await anext(blocks), blocks


async def _with_first(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for block in rest:
        yield block

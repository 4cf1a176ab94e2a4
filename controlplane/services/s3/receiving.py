"""A body on its way to the disk: counted, hashed, sealed and written while it comes, in memory that stays flat."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from controlplane.core.context import Context
from controlplane.engines.blobs import frames
from controlplane.services.s3 import checksums
from controlplane.services.s3.errors import BadDigest, EntityTooLarge, IncompleteBody, InvalidRequest

INLINE = 32 * 1024
"""Bodies up to this size lie in the row."""
LARGEST = 5 * 1024**3
_BLOCK = 1024 * 1024
_THREADS = ThreadPoolExecutor(16, "s3-blobs")


@dataclass(slots=True)
class Wanted:
    """What a body must be: its length and digests as the request says; None where it does not. `algorithm` is
    worked out in any case."""

    length: int | None = None
    md5: bytes | None = None
    checksum: bytes | None = None
    algorithm: str = checksums.DEFAULT
    also: str | None = None
    """A further checksum to be worked out."""
    of_part: bool = False


@dataclass(slots=True)
class Received:
    """A body that is stored and not yet anybody's. `sums` by algorithm, as text; `salt` opens it."""

    size: int
    md5: str
    sums: dict[str, str]
    salt: bytes
    content: bytes | None = None
    blob: str | None = None


class _Sink:
    """Everything that is done with the bytes; `add` and `finish` run in a thread for all but small bodies."""

    def __init__(self, wanted: Wanted, master: bytes) -> None:
        self.salt = frames.new_salt()
        self.md5 = hashlib.md5(usedforsecurity=False)
        self.algorithm = wanted.algorithm
        self.sum = checksums.new(wanted.algorithm)
        self.also = wanted.also if wanted.also != wanted.algorithm else None
        self.second = checksums.new(self.also) if self.also is not None else None
        self.size = 0
        self._sealing = frames.Sealing(master, self.salt)
        self.writer: Any = None
        self.pending: asyncio.Future[Any] | None = None

    def add(self, data: bytes) -> bytes:
        self.size += len(data)
        self.md5.update(data)
        self.sum.update(data)
        if self.second is not None:
            self.second.update(data)
        sealed = self._sealing.update(data)
        if self.writer is not None:
            self.writer.write(sealed)
        return sealed

    def begin(self, blobs: Any, tier: str) -> None:
        self.writer = blobs.create(tier)

    def finish(self) -> bytes:
        return self._sealing.finish()

    def commit(self) -> str:
        self.writer.write(self.finish())
        blob: str = self.writer.commit()
        return blob


async def in_thread(function: Any, *args: Any) -> Any:
    """Run what blocks on the disk."""
    return await asyncio.get_running_loop().run_in_executor(_THREADS, function, *args)


async def receive(
    ctx: Context,
    body: AsyncIterator[bytes] | bytes | None,
    wanted: Wanted,
    master: bytes,
    tier: str = "",
    most: int = LARGEST,
) -> Received:
    """Store a body durably. Nothing is left of one that breaks off or is not what was announced.

    Raises EntityTooLarge, IncompleteBody, BadDigest and whatever the body raises.
    """
    if wanted.length is not None and wanted.length > most:
        raise EntityTooLarge(ProposedSize=wanted.length, MaxSizeAllowed=most)
    sink = _Sink(wanted, master)
    blob: str | None = None
    try:
        parts = await _collect(ctx, body, sink, tier, most)
        if parts is not None:
            sealed = sink.add(parts) + sink.finish()
            _check(sink, body, wanted)
            return Received(sink.size, sink.md5.hexdigest(), _sums(sink), sink.salt, content=sealed)
        _check(sink, body, wanted)
        blob = await in_thread(sink.commit)
    except BaseException:
        if sink.writer is not None:
            await asyncio.shield(_abandon(sink))
        raise
    return Received(sink.size, sink.md5.hexdigest(), _sums(sink), sink.salt, blob=blob)


async def _abandon(sink: _Sink) -> None:
    if sink.pending is not None:
        await asyncio.wait([sink.pending])
    await in_thread(sink.writer.abort)


async def _collect(ctx: Context, body: Any, sink: _Sink, tier: str, most: int) -> bytes | None:
    """A small body as it is; None when it was large and went to the sink."""
    waiting: list[bytes] = []
    held = size = 0
    async for chunk in _once(body or b"") if body is None or isinstance(body, bytes) else body:
        waiting.append(chunk)
        held += len(chunk)
        size += len(chunk)
        if size > most:
            raise EntityTooLarge(ProposedSize=size, MaxSizeAllowed=most)
        if held >= _BLOCK:
            await _ready(ctx, sink, tier)
            # The next block gathers while this one is hashed and written.
            sink.pending = asyncio.ensure_future(in_thread(sink.add, b"".join(waiting)))
            waiting, held = [], 0
    if sink.writer is None and size <= INLINE:
        return b"".join(waiting)
    await _ready(ctx, sink, tier)
    if waiting:
        await in_thread(sink.add, b"".join(waiting))
    return None


async def _ready(ctx: Context, sink: _Sink, tier: str) -> None:
    """Until the sink takes the next block."""
    if sink.pending is not None:
        await sink.pending
    elif sink.writer is None:
        await in_thread(sink.begin, ctx.engine("blobs"), tier)


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


def _check(sink: _Sink, body: Any, wanted: Wanted) -> None:
    if wanted.length is not None and wanted.length != sink.size:
        raise IncompleteBody
    if wanted.md5 is not None and wanted.md5 != sink.md5.digest():
        # AWS tells the digest that a whole object should have in hexadecimal, all others in base64.
        expected = checksums.text(wanted.md5) if wanted.of_part else wanted.md5.hex()
        raise BadDigest(CalculatedDigest=checksums.text(sink.md5.digest()), ExpectedDigest=expected)
    if wanted.checksum is not None and wanted.checksum != sink.sum.digest():
        raise checksums.mismatch(sink.algorithm)


def _sums(sink: _Sink) -> dict[str, str]:
    sums = {sink.algorithm: checksums.text(sink.sum.digest())}
    if sink.also is not None and sink.second is not None:
        sums[sink.also] = checksums.text(sink.second.digest())
    return sums


def wanted_of(request: Any, body: Any, algorithm: str | None = None) -> Wanted:
    """What a request says of its body, in its headers or in the trailer that it announces."""
    found = checksums.given(request)
    announced = sorted(getattr(body, "announced", ()))
    if announced and found is not None:
        raise InvalidRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
    if found is None and not announced and request.get("ChecksumAlgorithm") and algorithm is None:
        raise InvalidRequest(
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers "
            "were found."
        )
    chosen = found[0] if found else announced[0] if announced else algorithm or checksums.DEFAULT
    return Wanted(request.get("ContentLength"), checksums.md5_given(request), found[1] if found else None, chosen)

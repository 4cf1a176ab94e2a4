"""Events at rest: those of one call are one row, compressed and sealed."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence
from typing import Any

import orjson

from controlplane.state.sealing import Sealer

_PURPOSE = "logs-events"
_PLAIN, _PACKED = b"\0", b"\1"
_WORTH_IT = 256
"""Bytes from which compressing pays."""
_LONG = 65536
"""Bytes from which a thread does the work, so that other requests do not wait for it."""
_LEVEL = 1

Events = tuple[list[int], list[str]]
"""Times, ascending, and messages."""


async def pack(times: Sequence[int], messages: Sequence[str], group_id: int, sealer: Sealer) -> bytes:
    """The content of a row."""
    plain = orjson.dumps([times, messages])
    if len(plain) < _LONG:
        return _packed(plain, group_id, sealer)
    return await asyncio.to_thread(_packed, plain, group_id, sealer)


def _packed(plain: bytes, group_id: int, sealer: Sealer) -> bytes:
    packed = _PACKED + zlib.compress(plain, _LEVEL) if len(plain) > _WORTH_IT else _PLAIN + plain
    return sealer.seal(_PURPOSE, packed, str(group_id))


async def unpack(row: Any, sealer: Sealer) -> Events:
    """The events of a row of `logs_batches`."""
    if row["size"] < _LONG:
        return _unpacked(row, sealer)
    return await asyncio.to_thread(_unpacked, row, sealer)


def _unpacked(row: Any, sealer: Sealer) -> Events:
    packed = sealer.open(_PURPOSE, row["content"], str(row["group_id"]))
    plain = zlib.decompress(packed[1:]) if packed[:1] == _PACKED else packed[1:]
    times, messages = orjson.loads(plain)
    return times, messages

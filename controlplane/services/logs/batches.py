"""Events at rest: those of one call are one row, compressed, and sealed by the cloud or under a data key of KMS."""

from __future__ import annotations

import asyncio
import os
import zlib
from collections.abc import Sequence
from typing import Any

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from controlplane.state.sealing import Sealer

_PURPOSE = "logs-events"
_PLAIN, _PACKED = b"\0", b"\1"
_NONCE = 12
_WORTH_IT = 256
"""Bytes from which compressing pays."""
_LONG = 65536
"""Bytes from which a thread does the work, so that other requests do not wait for it."""
_LEVEL = 1

Events = tuple[list[int], list[str]]
"""Times, ascending, and messages."""


async def pack(
    times: Sequence[int], messages: Sequence[str], group_id: int, sealer: Sealer, key: bytes | None = None
) -> bytes:
    """The content of a row: under a data key where one is given, else sealed by the cloud."""
    plain = orjson.dumps([times, messages])
    if len(plain) < _LONG:
        return _packed(plain, group_id, sealer, key)
    return await asyncio.to_thread(_packed, plain, group_id, sealer, key)


def _packed(plain: bytes, group_id: int, sealer: Sealer, key: bytes | None) -> bytes:
    packed = _PACKED + zlib.compress(plain, _LEVEL) if len(plain) > _WORTH_IT else _PLAIN + plain
    if key is not None:
        nonce = os.urandom(_NONCE)
        return nonce + AESGCM(key).encrypt(nonce, packed, str(group_id).encode())
    return sealer.seal(_PURPOSE, packed, str(group_id))


def unpack(row: Any, sealer: Sealer, key: bytes | None = None) -> Events:
    """The events of a row of `logs_batches`. `key` is the data key of one that has a `key_id`."""
    content, bound = row["content"], str(row["group_id"])
    if key is not None:
        packed = AESGCM(key).decrypt(content[:_NONCE], content[_NONCE:], bound.encode())
    else:
        packed = sealer.open(_PURPOSE, content, bound)
    plain = zlib.decompress(packed[1:]) if packed[:1] == _PACKED else packed[1:]
    times, messages = orjson.loads(plain)
    return times, messages

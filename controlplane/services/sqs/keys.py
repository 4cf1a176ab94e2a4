"""Data keys of queues that encrypt with KMS: made through KMS as the caller, kept for the queue's reuse period."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Any

from controlplane.core.context import Context
from controlplane.services.sqs.queues import Queue

_MOST = 4096
_INSERT = "INSERT INTO sqs_data_keys (queue_id, wrapped) VALUES ($1, $2) RETURNING id"
_WRAPPED = "SELECT wrapped FROM sqs_data_keys WHERE id = $1 AND queue_id = $2"

_made: OrderedDict[tuple[int, str, str], tuple[float, int, bytes]] = OrderedDict()
_opened: OrderedDict[tuple[int, str], tuple[float, bytes]] = OrderedDict()


async def for_sending(ctx: Context, queue: Queue) -> tuple[int, bytes] | None:
    """Number and bytes of the key under which the caller's messages go now; None where the queue names no KMS key."""
    master = queue.own.get("KmsMasterKeyId")
    if not master:
        return None
    name = (queue.id, master, ctx.principal.arn)
    kept = _made.get(name)
    if kept is not None and kept[0] > time.monotonic():
        return kept[1], kept[2]
    made = await ctx.call(
        "kms",
        "GenerateDataKey",
        {"KeyId": master, "KeySpec": "AES_256", "EncryptionContext": _context(queue)},
    )
    # Committed by itself: a message must never be on disk without its key, which is kept here beyond this request.
    async with ctx.engine("database").unit() as db:
        rows = await db.alone(_INSERT, queue.id, made["CiphertextBlob"])
    kept = time.monotonic() + _reuse(queue), rows[0]["id"], made["Plaintext"]
    _keep(_made, name, kept)
    return kept[1], kept[2]


async def for_receiving(ctx: Context, queue: Queue, key_id: int) -> bytes:
    """The bytes of a key by its number, if KMS lets the caller have it."""
    name = key_id, ctx.principal.arn
    kept = _opened.get(name)
    if kept is not None and kept[0] > time.monotonic():
        return kept[1]
    row = await ctx.db.cached_row(_WRAPPED, key_id, queue.id)
    opened = await ctx.call("kms", "Decrypt", {"CiphertextBlob": row["wrapped"], "EncryptionContext": _context(queue)})
    _keep(_opened, name, (time.monotonic() + _reuse(queue), opened["Plaintext"]))
    plaintext: bytes = opened["Plaintext"]
    return plaintext


def _context(queue: Queue) -> dict[str, str]:
    return {"aws:sqs:arn": queue.arn}


def _reuse(queue: Queue) -> int:
    return int(queue.attributes["KmsDataKeyReusePeriodSeconds"])


def _keep(cache: OrderedDict[Any, Any], name: Any, value: Any) -> None:
    cache.pop(name, None)
    if len(cache) >= _MOST:
        cache.popitem(last=False)
    cache[name] = value

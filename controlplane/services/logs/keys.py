"""Data keys of groups that encrypt with KMS: made and opened by CloudWatch Logs itself, which the key's policy names.

A group's events of one day go under one data key. What was opened is kept for five minutes, so that a key that is
disabled or withdrawn stops what it protects soon.
Source: "Encrypt log data using AWS KMS" in the CloudWatch Logs user guide.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.services.logs import groups
from controlplane.services.logs.errors import AccessDeniedException, InvalidParameterException

_MOST = 4096
_SECONDS = 300.0
_NEWEST = """
SELECT id, wrapped FROM logs_data_keys WHERE group_id = $1 AND key_arn = $2 AND created_at > now() - interval '1 day'
ORDER BY id DESC LIMIT 1
"""
_INSERT = "INSERT INTO logs_data_keys (group_id, key_arn, wrapped) VALUES ($1, $2, $3) RETURNING id"
_WRAPPED = "SELECT wrapped FROM logs_data_keys WHERE id = $1 AND group_id = $2"

_writing: OrderedDict[tuple[int, str], tuple[float, tuple[int, bytes]]] = OrderedDict()
_reading: OrderedDict[int, tuple[float, bytes]] = OrderedDict()


async def checked(ctx: Context, name: str, key_id: str) -> str:
    """The ARN of a key that is to be used for a group. Raises InvalidParameterException, AccessDeniedException."""
    if not key_id.startswith("arn:"):
        raise InvalidParameterException("The specified KMS key must be an ARN.")
    made = await _asked(ctx, name, "GenerateDataKey", {"KeyId": key_id, "KeySpec": "AES_256"})
    return str(made["KeyId"])


async def for_writing(ctx: Context, group: Any) -> tuple[int, bytes] | None:
    """Number and bytes of the key under which a group's events go now; None where the group names no KMS key."""
    if group["key_arn"] is None:
        return None
    name = group["id"], group["key_arn"]
    kept = _writing.get(name)
    if kept is not None and kept[0] > time.monotonic():
        return kept[1]
    row = await ctx.db.fetchrow(_NEWEST, *name)
    if row is not None:
        until, key = await _opened(ctx, group, row["id"])
        found = row["id"], key
    else:
        made = await _asked(ctx, group["name"], "GenerateDataKey", {"KeyId": group["key_arn"], "KeySpec": "AES_256"})
        # Committed by itself: an event must never be on disk without its key, which is kept here beyond this request.
        async with ctx.engine("database").unit() as db:
            [row] = await db.alone(_INSERT, *name, made["CiphertextBlob"])
        until, found = time.monotonic() + _SECONDS, (row["id"], made["Plaintext"])
    _keep(_writing, name, until, found)
    return found


async def for_reading(ctx: Context, group: Any, id: int) -> bytes:
    """The bytes of a group's key by its number, if KMS lets us have it. Raises AccessDeniedException."""
    return (await _opened(ctx, group, id))[1]


async def _opened(ctx: Context, group: Any, id: int) -> tuple[float, bytes]:
    """Until when a key may be kept, and its bytes."""
    kept = _reading.get(id)
    if kept is not None and kept[0] > time.monotonic():
        return kept
    until = time.monotonic() + _SECONDS
    row = await ctx.db.cached_row(_WRAPPED, id, group["id"])
    opened = await _asked(ctx, group["name"], "Decrypt", {"CiphertextBlob": row["wrapped"]})
    plaintext: bytes = opened["Plaintext"]
    _keep(_reading, id, until, plaintext)
    return until, plaintext


async def _asked(ctx: Context, name: str, operation: str, request: Mapping[str, Any]) -> Any:
    """What KMS answers us, for the sake of a group."""
    where = groups.arn_of(ctx, name)
    ourselves = ctx.as_service(f"logs.{ctx.region}.amazonaws.com", where)
    try:
        return await ourselves.call("kms", operation, {**request, "EncryptionContext": {"aws:logs:arn": where}})
    except AwsError as error:
        if error.status >= 500:
            raise
        if error.code in ("NotFoundException", "DisabledException", "InvalidArnException"):
            raise InvalidParameterException("The specified KMS key does not exist or is disabled.") from error
        raise AccessDeniedException(
            f"The specified KMS key does not exist or is not allowed to be used with Arn '{where}'"
        ) from error


def _keep(cache: OrderedDict[Any, Any], name: Any, until: float, value: Any) -> None:
    cache.pop(name, None)
    if len(cache) >= _MOST:
        cache.popitem(last=False)
    cache[name] = until, value

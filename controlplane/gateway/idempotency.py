"""Client tokens, honoured once for all services.

The row is inserted before the operation runs, in its transaction: a second call with the token waits at the primary key
until the first has committed, then gets the same answer. AWS keeps tokens at least 24 hours in most services.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

import orjson

from controlplane.core.context import Context, Unit
from controlplane.core.errors import AwsError
from controlplane.core.operation import OperationSpec

_KEEP = "interval '24 hours'"
_RESERVE = """
INSERT INTO gateway_idempotent_answers (account_id, region, operation, token, parameters, answer)
VALUES ($1, $2, $3, $4, $5, '{}') ON CONFLICT DO NOTHING RETURNING true
"""
_FIND = """
SELECT parameters, answer FROM gateway_idempotent_answers
WHERE account_id = $1 AND region = $2 AND operation = $3 AND token = $4
"""
_KEEP_ANSWER = """
UPDATE gateway_idempotent_answers SET answer = $5
WHERE account_id = $1 AND region = $2 AND operation = $3 AND token = $4
"""
_FORGET = f"DELETE FROM gateway_idempotent_answers WHERE created_at < now() - {_KEEP}"


class IdempotentParameterMismatch(AwsError):
    """The token was used before with other parameters."""

    code = "IdempotentParameterMismatch"


async def run_once(ctx: Context, spec: OperationSpec, member: str, run: Callable[[], Awaitable[Any]]) -> Any:
    """Run an operation, or answer what it answered when the same token came before.

    `member` is the parameter that the model marks as idempotency token.
    """
    token = ctx.request.get(member)
    if not token:
        return await run()
    key = (ctx.account_id, ctx.region, f"{ctx.service}:{spec.name}", str(token))
    digest = _digest(ctx.request, member)
    if not await ctx.db.fetchval(_RESERVE, *key, digest):
        return await _earlier_answer(ctx, key, digest)
    result = await run()
    await ctx.db.execute(_KEEP_ANSWER, *key, _pack(result or {}))
    return result


async def _earlier_answer(ctx: Context, key: tuple[str, ...], digest: bytes) -> Any:
    row = await ctx.db.fetchrow(_FIND, *key)
    if row is None or row["parameters"] != digest:
        raise IdempotentParameterMismatch(
            "Arguments on this idempotent request are inconsistent with arguments used in previous request(s)."
        )
    return _unpack(row["answer"])


def _digest(request: Mapping[str, Any], member: str) -> bytes:
    parameters = {name: value for name, value in request.items() if name != member}
    return hashlib.sha256(
        orjson.dumps(parameters, default=_plain, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    ).digest()


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(type(value).__name__)


def _pack(value: Any) -> Any:
    """JSON with times and bytes marked, so that the replayed answer encodes to the same bytes."""
    if isinstance(value, datetime):
        return {"$time": value.isoformat()}
    if isinstance(value, bytes):
        return {"$bytes": value.hex()}
    if isinstance(value, Mapping):
        return {"$map": {name: _pack(item) for name, item in value.items()}}
    if isinstance(value, list | tuple):
        return [_pack(item) for item in value]
    return value


def _unpack(value: Any) -> Any:
    if isinstance(value, list):
        return [_unpack(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    if "$time" in value:
        return datetime.fromisoformat(value["$time"])
    if "$bytes" in value:
        return bytes.fromhex(value["$bytes"])
    return {name: _unpack(item) for name, item in value.get("$map", {}).items()}


async def forget_old(db: Unit) -> None:
    """Drop answers older than a day."""
    await db.execute(_FORGET)

"""Aliases."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context

_UPDATE = """
UPDATE kms_aliases SET key_id = $4, updated_at = now() WHERE account_id = $1 AND region = $2 AND name = $3
RETURNING true
"""
_DELETE = "DELETE FROM kms_aliases WHERE account_id = $1 AND region = $2 AND name = $3 RETURNING true"
_COUNT = "SELECT count(*) FROM kms_aliases WHERE key_id = $1 AND region = $2"
_FIND = "SELECT key_id FROM kms_aliases WHERE account_id = $1 AND region = $2 AND name = $3"
_PAGE = """
SELECT name, key_id, created_at, updated_at FROM kms_aliases
WHERE account_id = $1 AND region = $2 AND ($3::text IS NULL OR key_id = $3) AND ($4::text IS NULL OR name > $4)
ORDER BY name LIMIT $5
"""


async def insert(ctx: Context, name: str, key_id: str) -> None:
    """A new alias; the primary key refuses a name that is taken."""
    await ctx.db.insert("kms_aliases", account_id=ctx.account_id, region=ctx.region, name=name, key_id=key_id)


async def exists(ctx: Context, name: str) -> bool:
    return await ctx.db.fetchval(_FIND, ctx.account_id, ctx.region, name) is not None


async def update(ctx: Context, name: str, key_id: str) -> bool:
    return bool(await ctx.db.fetchval(_UPDATE, ctx.account_id, ctx.region, name, key_id))


async def delete(ctx: Context, name: str) -> bool:
    return bool(await ctx.db.fetchval(_DELETE, ctx.account_id, ctx.region, name))


async def count(ctx: Context, key_id: str) -> int:
    return int(await ctx.db.fetchval(_COUNT, key_id, ctx.region))


async def page(ctx: Context, key_id: str | None, after: str | None, limit: int) -> list[Any]:
    """The account's aliases, of one key or of all, by name."""
    return await ctx.db.fetch(_PAGE, ctx.account_id, ctx.region, key_id, after, limit)

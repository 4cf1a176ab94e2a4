"""Access keys."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context

_INSERT = """
INSERT INTO access_keys (id, account_id, user_id, secret) VALUES ($1, $2, $3, $4) RETURNING created_at
"""
_COUNT = "SELECT count(*) FROM access_keys WHERE account_id = $1 AND user_id IS NOT DISTINCT FROM $2"
_LIST = """
SELECT id, status, created_at FROM access_keys
WHERE account_id = $1 AND user_id IS NOT DISTINCT FROM $2 AND ($3::text IS NULL OR id > $3) ORDER BY id LIMIT $4
"""
_SET_STATUS = """
UPDATE access_keys SET status = $4 WHERE account_id = $1 AND user_id IS NOT DISTINCT FROM $2 AND id = $3 RETURNING true
"""
_DELETE = """
DELETE FROM access_keys WHERE account_id = $1 AND user_id IS NOT DISTINCT FROM $2 AND id = $3 RETURNING true
"""
_LAST_USED = """
SELECT k.id, k.last_used_at, k.last_used_region, k.last_used_service, u.name, u.path, u.tags
FROM access_keys k LEFT JOIN access_identities u ON u.id = k.user_id WHERE k.account_id = $1 AND k.id = $2
"""
_LOCK_ACCOUNT = "SELECT id FROM access_accounts WHERE id = $1 FOR UPDATE"


async def insert(ctx: Context, id: str, user_id: str | None, secret: bytes) -> Any:
    """A new key; its creation time."""
    return await ctx.db.fetchval(_INSERT, id, ctx.account_id, user_id, secret)


async def count(ctx: Context, user_id: str | None) -> int:
    return int(await ctx.db.fetchval(_COUNT, ctx.account_id, user_id))


async def page(ctx: Context, user_id: str | None, after: str | None, limit: int) -> list[Any]:
    """Keys of a user, or of root where `user_id` is None, by id."""
    return await ctx.db.fetch(_LIST, ctx.account_id, user_id, after, limit)


async def set_status(ctx: Context, user_id: str | None, id: str, status: str) -> bool:
    return bool(await ctx.db.fetchval(_SET_STATUS, ctx.account_id, user_id, id, status))


async def delete(ctx: Context, user_id: str | None, id: str) -> bool:
    return bool(await ctx.db.fetchval(_DELETE, ctx.account_id, user_id, id))


async def last_used(ctx: Context, id: str) -> Any:
    """A key of this account with its last use and its user, or None."""
    return await ctx.db.fetchrow(_LAST_USED, ctx.account_id, id)


async def lock_account(ctx: Context) -> None:
    """Hold the account's row, so that two calls do not both make root's second key."""
    await ctx.db.execute(_LOCK_ACCOUNT, ctx.account_id)

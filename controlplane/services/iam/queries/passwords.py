"""Login profiles and the account's password policy."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context

_GET = """
SELECT user_id, hash, earlier, reset_required, created_at, changed_at FROM access_passwords
WHERE account_id = $1 AND user_id = $2
"""
_INSERT = """
INSERT INTO access_passwords (user_id, account_id, hash, reset_required) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING RETURNING created_at
"""
_SET = """
UPDATE access_passwords SET earlier = $4, hash = $3, changed_at = now(), reset_required = $5
WHERE account_id = $1 AND user_id = $2
"""
_SET_RESET = "UPDATE access_passwords SET reset_required = $3 WHERE account_id = $1 AND user_id = $2"
_DELETE = "DELETE FROM access_passwords WHERE account_id = $1 AND user_id = $2 RETURNING true"
_POLICY = "SELECT password_policy, alias, name FROM access_accounts WHERE id = $1"
_SET_POLICY = "UPDATE access_accounts SET password_policy = $2 WHERE id = $1"


async def get(ctx: Context, user_id: str) -> Any:
    """A user's password, or None."""
    return await ctx.db.fetchrow(_GET, ctx.account_id, user_id)


async def insert(ctx: Context, user_id: str, hash: str, reset_required: bool) -> Any:
    """A first password; its creation time, None when there is one already."""
    return await ctx.db.fetchval(_INSERT, user_id, ctx.account_id, hash, reset_required)


async def replace(ctx: Context, user_id: str, hash: str, earlier: list[str], reset_required: bool) -> None:
    """Another password in the place of the one there was."""
    await ctx.db.execute(_SET, ctx.account_id, user_id, hash, earlier, reset_required)


async def set_reset(ctx: Context, user_id: str, reset_required: bool) -> None:
    await ctx.db.execute(_SET_RESET, ctx.account_id, user_id, reset_required)


async def delete(ctx: Context, user_id: str) -> bool:
    return bool(await ctx.db.fetchval(_DELETE, ctx.account_id, user_id))


async def account(ctx: Context) -> Any:
    """The account's password policy (null where it has none), alias and name."""
    return await ctx.db.fetchrow(_POLICY, ctx.account_id)


async def set_policy(ctx: Context, policy: dict[str, Any] | None) -> None:
    await ctx.db.execute(_SET_POLICY, ctx.account_id, policy)

"""Grants."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context

_DELETE = "DELETE FROM kms_grants WHERE id = $1 AND key_id = $2 AND region = $3 RETURNING true"
_PAGE = """
SELECT * FROM kms_grants
WHERE key_id = $1 AND region = $2 AND ($3::text IS NULL OR id = $3) AND ($4::text IS NULL OR grantee = $4)
  AND ($5::text IS NULL OR id > $5)
ORDER BY id LIMIT $6
"""
_RETIRABLE = """
SELECT * FROM kms_grants
WHERE retiring = $1 AND region = $2 AND account_id = $3 AND ($4::text IS NULL OR id > $4) ORDER BY id LIMIT $5
"""


async def insert(ctx: Context, **values: Any) -> None:
    await ctx.db.insert("kms_grants", **values)


async def delete(ctx: Context, key_id: str, id: str) -> bool:
    return bool(await ctx.db.fetchval(_DELETE, id, key_id, ctx.region))


async def page(
    ctx: Context, key_id: str, id: str | None, grantee: str | None, after: str | None, limit: int
) -> list[Any]:
    """Grants on a key, by id."""
    return await ctx.db.fetch(_PAGE, key_id, ctx.region, id, grantee, after, limit)


async def retirable(ctx: Context, principal: str, after: str | None, limit: int) -> list[Any]:
    """Grants on the account's keys that a principal may retire, by id."""
    return await ctx.db.fetch(_RETIRABLE, principal, ctx.region, ctx.account_id, after, limit)

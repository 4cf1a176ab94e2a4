"""OIDC and SAML providers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from controlplane.core.context import Context

_COLUMNS = "arn, id, account_id, kind, content, tags, created_at, valid_until"
_GET = f"SELECT {_COLUMNS} FROM access_providers WHERE account_id = $1 AND kind = $2 AND arn = $3"
_LOCK = f"{_GET} FOR UPDATE"
_LIST = """
SELECT arn, created_at, valid_until FROM access_providers WHERE account_id = $1 AND kind = $2 ORDER BY arn
"""
_INSERT = """
INSERT INTO access_providers (arn, id, account_id, kind, content, tags, valid_until)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING arn
"""
_SET = "UPDATE access_providers SET content = $2, valid_until = $3 WHERE arn = $1"
_SET_TAGS = "UPDATE access_providers SET tags = $2 WHERE arn = $1"
_DELETE = "DELETE FROM access_providers WHERE arn = $1"


async def find(ctx: Context, kind: str, arn: str) -> Any:
    """One of this account, or None."""
    return await ctx.db.fetchrow(_GET, ctx.account_id, kind, arn)


async def lock(ctx: Context, kind: str, arn: str) -> Any:
    """One held against changes until the commit, or None."""
    return await ctx.db.fetchrow(_LOCK, ctx.account_id, kind, arn)


async def every(ctx: Context, kind: str) -> list[Any]:
    """All of a kind, without their content."""
    return await ctx.db.fetch(_LIST, ctx.account_id, kind)


async def insert(
    ctx: Context, arn: str, id: str, kind: str, content: dict[str, Any], tags: dict[str, str], until: datetime | None
) -> bool:
    """A new one; False when there is one under that ARN."""
    return await ctx.db.fetchval(_INSERT, arn, id, ctx.account_id, kind, content, tags, until) is not None


async def set_content(ctx: Context, arn: str, content: dict[str, Any], until: datetime | None = None) -> None:
    await ctx.db.execute(_SET, arn, content, until)


async def set_tags(ctx: Context, arn: str, tags: dict[str, str]) -> None:
    await ctx.db.execute(_SET_TAGS, arn, tags)


async def delete(ctx: Context, arn: str) -> None:
    await ctx.db.execute(_DELETE, arn)

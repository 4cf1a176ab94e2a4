"""Server certificates."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context

_COLUMNS = "id, account_id, name, path, body, chain, tags, created_at, expires_at"
_GET = f"SELECT {_COLUMNS} FROM iam_server_certificates WHERE account_id = $1 AND lower(name) = lower($2)"
_LOCK = f"{_GET} FOR UPDATE"
_LIST = f"""
SELECT {_COLUMNS} FROM iam_server_certificates WHERE account_id = $1 AND starts_with(path, $2)
  AND ($3::text IS NULL OR lower(name) > lower($3)) ORDER BY lower(name) LIMIT $4
"""
_COUNT = "SELECT count(*) FROM iam_server_certificates WHERE account_id = $1"
_INSERT = f"""
INSERT INTO iam_server_certificates (id, account_id, name, path, body, chain, private_key, tags, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING RETURNING {_COLUMNS}
"""
_TAKEN = """
SELECT 1 FROM iam_server_certificates WHERE account_id = $1 AND lower(name) = lower($2) AND id <> $3
"""
_RENAME = "UPDATE iam_server_certificates SET name = $2, path = $3 WHERE id = $1"
_SET_TAGS = "UPDATE iam_server_certificates SET tags = $2 WHERE id = $1"
_DELETE = "DELETE FROM iam_server_certificates WHERE id = $1"


async def find(ctx: Context, name: str) -> Any:
    """One by its name, or None."""
    return await ctx.db.fetchrow(_GET, ctx.account_id, name)


async def lock(ctx: Context, name: str) -> Any:
    """One held against changes until the commit, or None."""
    return await ctx.db.fetchrow(_LOCK, ctx.account_id, name)


async def page(ctx: Context, prefix: str, after: str | None, limit: int) -> list[Any]:
    """Those whose path begins with the prefix, by name."""
    return await ctx.db.fetch(_LIST, ctx.account_id, prefix, after, limit)


async def count(ctx: Context) -> int:
    return int(await ctx.db.fetchval(_COUNT, ctx.account_id))


async def insert(ctx: Context, id: str, *values: Any) -> Any:
    """A new one; None when the name is taken."""
    return await ctx.db.fetchrow(_INSERT, id, ctx.account_id, *values)


async def rename(ctx: Context, id: str, name: str, path: str) -> bool:
    """Give one another name and path; False when the name is taken."""
    if await ctx.db.fetchval(_TAKEN, ctx.account_id, name, id):
        return False
    await ctx.db.execute(_RENAME, id, name, path)
    return True


async def set_tags(ctx: Context, id: str, tags: dict[str, str]) -> None:
    await ctx.db.execute(_SET_TAGS, id, tags)


async def delete(ctx: Context, id: str) -> None:
    await ctx.db.execute(_DELETE, id)

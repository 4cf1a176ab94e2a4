"""Rows of `rolesanywhere_resources`."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context

_COLUMNS = "id, account_id, region, kind, name, enabled, content, tags, created_at, updated_at"
_OF = "FROM rolesanywhere_resources WHERE account_id = $1 AND region = $2 AND kind = $3"
_GET = f"SELECT {_COLUMNS} {_OF} AND id = $4"
_LOCK = f"{_GET} FOR UPDATE"
_LIST = f"SELECT {_COLUMNS} {_OF} AND ($4::text IS NULL OR id > $4) ORDER BY id LIMIT $5"
_INSERT = f"""
INSERT INTO rolesanywhere_resources (id, account_id, region, kind, name, enabled, content, tags)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING {_COLUMNS}
"""
_SET = f"""
UPDATE rolesanywhere_resources SET name = $2, enabled = $3, content = $4, updated_at = now() WHERE id = $1
RETURNING {_COLUMNS}
"""
_SET_TAGS = "UPDATE rolesanywhere_resources SET tags = $2 WHERE id = $1"
_DELETE = "DELETE FROM rolesanywhere_resources WHERE id = $1"
_CRLS = f"SELECT {_COLUMNS} {_OF} AND enabled AND content->>'trustAnchorArn' = $4"
_SEEN = """
INSERT INTO rolesanywhere_resources AS r (id, account_id, region, kind, name, enabled, content)
VALUES ($1, $2, $3, 'subject', $4, true, $5)
ON CONFLICT (account_id, region, name) WHERE kind = 'subject'
DO UPDATE SET content = excluded.content, updated_at = now() RETURNING id
"""
_OPEN = "SELECT true FROM access_accounts WHERE id = $1 AND closed_at IS NULL"


async def find(ctx: Context, kind: str, id: str, account_id: str | None = None) -> Any:
    """One resource of this account (or another, for sessions), or None."""
    return await ctx.db.fetchrow(_GET, account_id or ctx.account_id, ctx.region, kind, id)


async def lock(ctx: Context, kind: str, id: str) -> Any:
    """The same, held until the commit."""
    return await ctx.db.fetchrow(_LOCK, ctx.account_id, ctx.region, kind, id)


async def page(ctx: Context, kind: str, after: str | None, limit: int) -> list[Any]:
    """Resources of a kind, by id."""
    return await ctx.db.fetch(_LIST, ctx.account_id, ctx.region, kind, after, limit)


async def insert(
    ctx: Context, id: str, kind: str, name: str, enabled: bool, content: dict[str, Any], tags: dict[str, str]
) -> Any:
    return await ctx.db.fetchrow(_INSERT, id, ctx.account_id, ctx.region, kind, name, enabled, content, tags)


async def update(ctx: Context, id: str, name: str, enabled: bool, content: dict[str, Any]) -> Any:
    return await ctx.db.fetchrow(_SET, id, name, enabled, content)


async def set_tags(ctx: Context, id: str, tags: dict[str, str]) -> None:
    await ctx.db.execute(_SET_TAGS, id, tags)


async def delete(ctx: Context, id: str) -> None:
    await ctx.db.execute(_DELETE, id)


async def lists_of(ctx: Context, account_id: str, trust_anchor_arn: str) -> list[Any]:
    """The enabled revocation lists of a trust anchor."""
    return await ctx.db.fetch(_CRLS, account_id, ctx.region, "crl", trust_anchor_arn)


async def seen(ctx: Context, id: str, account_id: str, name: str, content: dict[str, Any]) -> str:
    """Note that a subject was seen; its id, the given one if it is new."""
    return str(await ctx.db.fetchval(_SEEN, id, account_id, ctx.region, name, content))


async def is_open(ctx: Context, account_id: str) -> bool:
    """Whether an account exists and is not closed."""
    return bool(await ctx.db.fetchval(_OPEN, account_id))

"""Instance profiles, always with their role."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context

_COLUMNS = """
p.id, p.account_id, p.name, p.path, p.tags, p.created_at, p.role_id,
r.name AS role_name, r.path AS role_path, r.created_at AS role_created_at, r.trust_policy AS role_trust_policy,
r.description AS role_description, r.max_session_seconds AS role_max_session_seconds
"""
_FROM = "FROM access_instance_profiles p LEFT JOIN access_identities r ON r.id = p.role_id"
_GET = f"SELECT {_COLUMNS} {_FROM} WHERE p.account_id = $1 AND lower(p.name) = lower($2)"
_LOCK = "SELECT id FROM access_instance_profiles WHERE account_id = $1 AND lower(name) = lower($2) FOR UPDATE"
_INSERT = """
INSERT INTO access_instance_profiles (id, account_id, name, path, tags) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING RETURNING id
"""
_LIST = f"""
SELECT {_COLUMNS} {_FROM} WHERE p.account_id = $1 AND starts_with(p.path, $2) AND ($3::text IS NULL OR p.role_id = $3)
  AND ($4::text IS NULL OR lower(p.name) > lower($4)) ORDER BY lower(p.name) LIMIT $5
"""
_SET_ROLE = "UPDATE access_instance_profiles SET role_id = $2 WHERE id = $1"
_SET_TAGS = "UPDATE access_instance_profiles SET tags = $2 WHERE id = $1"
_DELETE = "DELETE FROM access_instance_profiles WHERE id = $1"


async def find(ctx: Context, name: str) -> Any:
    """One by its name, or None."""
    return await ctx.db.fetchrow(_GET, ctx.account_id, name)


async def lock(ctx: Context, name: str) -> None:
    """Hold one against changes until the commit."""
    await ctx.db.execute(_LOCK, ctx.account_id, name)


async def insert(ctx: Context, *values: Any) -> bool:
    """A new one; False when the name is taken."""
    return await ctx.db.fetchval(_INSERT, *values) is not None


async def page(ctx: Context, prefix: str, role_id: str | None, after: str | None, limit: int) -> list[Any]:
    """Rows whose path begins with the prefix, of one role or of all, by name."""
    return await ctx.db.fetch(_LIST, ctx.account_id, prefix, role_id, after, limit)


async def set_role(ctx: Context, id: str, role_id: str | None) -> None:
    await ctx.db.execute(_SET_ROLE, id, role_id)


async def set_tags(ctx: Context, id: str, tags: dict[str, str]) -> None:
    await ctx.db.execute(_SET_TAGS, id, tags)


async def delete(ctx: Context, id: str) -> None:
    await ctx.db.execute(_DELETE, id)

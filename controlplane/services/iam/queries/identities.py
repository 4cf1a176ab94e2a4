"""Users, groups and roles: rows of `access_identities`."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context
from controlplane.services.iam.nouns import Noun

_COLUMNS = """
i.id, i.account_id, i.kind, i.name, i.path, i.boundary_arn, i.tags, i.created_at, i.trust_policy, i.description,
i.max_session_seconds, i.last_used_at, i.last_used_region,
(SELECT p.last_used_at FROM access_passwords p WHERE p.user_id = i.id) AS password_used_at
"""
_GET = f"SELECT {_COLUMNS} FROM access_identities i WHERE account_id = $1 AND kind = $2 AND lower(name) = lower($3)"
_LOCK = f"{_GET} FOR UPDATE"
_INSERT = f"""
INSERT INTO access_identities AS i
  (id, account_id, kind, name, path, boundary_arn, tags, trust_policy, description, max_session_seconds)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING RETURNING {_COLUMNS}
"""
_LIST = f"""
SELECT {_COLUMNS} FROM access_identities i
WHERE account_id = $1 AND kind = $2 AND starts_with(path, $3) AND ($4::text IS NULL OR lower(name) > lower($4))
ORDER BY lower(name) LIMIT $5
"""
_RENAME = "UPDATE access_identities SET name = $2, path = $3 WHERE id = $1"
_NAME_TAKEN = """
SELECT 1 FROM access_identities WHERE account_id = $1 AND kind = $2 AND lower(name) = lower($3) AND id <> $4
"""
_DELETE = "DELETE FROM access_identities WHERE id = $1"
_SET_TAGS = "UPDATE access_identities SET tags = $2 WHERE id = $1"
_SET_BOUNDARY = "UPDATE access_identities SET boundary_arn = $2 WHERE id = $1"
_SET_TRUST = "UPDATE access_identities SET trust_policy = $2 WHERE id = $1"
_SET_ROLE = "UPDATE access_identities SET description = $2, max_session_seconds = $3 WHERE id = $1"
_USES = """
SELECT
  EXISTS (SELECT 1 FROM access_attachments WHERE identity_id = $1) AS attached,
  EXISTS (SELECT 1 FROM access_inline_policies WHERE identity_id = $1) AS inline,
  EXISTS (SELECT 1 FROM access_keys WHERE user_id = $1) AS keys,
  EXISTS (SELECT 1 FROM access_passwords WHERE user_id = $1) AS password,
  EXISTS (SELECT 1 FROM access_mfa_devices WHERE owner_id = $1) AS devices,
  EXISTS (SELECT 1 FROM iam_user_credentials WHERE user_id = $1 AND kind = 'certificate') AS certificates,
  EXISTS (SELECT 1 FROM iam_user_credentials WHERE user_id = $1) AS credentials,
  EXISTS (SELECT 1 FROM access_memberships WHERE user_id = $1 OR group_id = $1) AS members,
  EXISTS (SELECT 1 FROM access_instance_profiles WHERE role_id = $1) AS profiles
"""
_JOIN = "INSERT INTO access_memberships (group_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING"
_LEAVE = "DELETE FROM access_memberships WHERE group_id = $1 AND user_id = $2 RETURNING true"
_GROUP_COUNT = "SELECT count(*) FROM access_memberships WHERE user_id = $1"
_MEMBERS = f"""
SELECT {_COLUMNS} FROM access_identities i JOIN access_memberships m ON m.user_id = i.id
WHERE m.group_id = $1 AND ($2::text IS NULL OR lower(i.name) > lower($2)) ORDER BY lower(i.name) LIMIT $3
"""
_GROUPS = f"""
SELECT {_COLUMNS} FROM access_identities i JOIN access_memberships m ON m.group_id = i.id
WHERE m.user_id = $1 AND ($2::text IS NULL OR lower(i.name) > lower($2)) ORDER BY lower(i.name) LIMIT $3
"""


async def find(ctx: Context, noun: Noun, name: str) -> Any:
    """One by its name, or None."""
    return await ctx.db.cached_row(_GET, ctx.account_id, noun.kind, name)


async def lock(ctx: Context, noun: Noun, name: str) -> Any:
    """One by its name, held against changes until the commit. Raises NoSuchEntity."""
    row = await ctx.db.fetchrow(_LOCK, ctx.account_id, noun.kind, name)
    if row is None:
        raise noun.missing(name)
    return row


async def insert(ctx: Context, *values: Any) -> Any:
    """A new row; None when the name is taken."""
    return await ctx.db.fetchrow(_INSERT, *values)


async def page(ctx: Context, noun: Noun, prefix: str, after: str | None, limit: int) -> list[Any]:
    """Rows whose path begins with the prefix, by name."""
    return await ctx.db.fetch(_LIST, ctx.account_id, noun.kind, prefix, after, limit)


async def rename(ctx: Context, row: Any, noun: Noun, name: str, path: str) -> bool:
    """Give a row another name and path; False when the name is taken."""
    if await ctx.db.fetchval(_NAME_TAKEN, ctx.account_id, noun.kind, name, row["id"]):
        return False
    await ctx.db.execute(_RENAME, row["id"], name, path)
    return True


async def uses(ctx: Context, id: str) -> Any:
    """What stands in the way of deleting, as truth values by name."""
    return await ctx.db.fetchrow(_USES, id)


async def delete(ctx: Context, id: str) -> None:
    await ctx.db.execute(_DELETE, id)


async def set_tags(ctx: Context, id: str, tags: dict[str, str]) -> None:
    await ctx.db.execute(_SET_TAGS, id, tags)


async def set_boundary(ctx: Context, id: str, arn: str | None) -> None:
    await ctx.db.execute(_SET_BOUNDARY, id, arn)


async def set_trust(ctx: Context, id: str, document: str) -> None:
    await ctx.db.execute(_SET_TRUST, id, document)


async def set_role(ctx: Context, id: str, description: str | None, max_session_seconds: int) -> None:
    await ctx.db.execute(_SET_ROLE, id, description, max_session_seconds)


async def join(ctx: Context, group_id: str, user_id: str) -> None:
    await ctx.db.execute(_JOIN, group_id, user_id)


async def leave(ctx: Context, group_id: str, user_id: str) -> bool:
    """Take a user out of a group; False when it was not in it."""
    return bool(await ctx.db.fetchval(_LEAVE, group_id, user_id))


async def group_count(ctx: Context, user_id: str) -> int:
    return int(await ctx.db.fetchval(_GROUP_COUNT, user_id))


async def members(ctx: Context, group_id: str, after: str | None, limit: int) -> list[Any]:
    """Users of a group, by name."""
    return await ctx.db.fetch(_MEMBERS, group_id, after, limit)


async def groups_of(ctx: Context, user_id: str, after: str | None, limit: int) -> list[Any]:
    """Groups of a user, by name."""
    return await ctx.db.fetch(_GROUPS, user_id, after, limit)

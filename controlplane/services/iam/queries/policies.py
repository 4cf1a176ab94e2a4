"""Managed policies, their versions and attachments; inline policies."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context

_COLUMNS = """
p.arn, p.id, p.account_id, p.name, p.path, p.description, p.default_version, p.last_version, p.tags, p.created_at,
p.updated_at,
(SELECT count(*) FROM access_attachments a JOIN access_identities i ON i.id = a.identity_id
 WHERE a.policy_arn = p.arn AND i.account_id = $1) AS attachments,
(SELECT count(*) FROM access_identities i WHERE i.boundary_arn = p.arn AND i.account_id = $1) AS boundaries
"""
_GET = f"""
SELECT {_COLUMNS} FROM access_policies p WHERE p.arn = $2 AND (p.account_id = $1 OR p.account_id IS NULL)
"""
_LOCK = "SELECT arn FROM access_policies WHERE arn = $2 AND account_id = $1 FOR UPDATE"
_INSERT = """
INSERT INTO access_policies (arn, id, account_id, name, path, description, default_version, last_version, tags)
VALUES ($1, $2, $3, $4, $5, $6, 1, 1, $7) ON CONFLICT DO NOTHING RETURNING arn
"""
_INSERT_VERSION = """
INSERT INTO access_policy_versions (policy_arn, version, document) VALUES ($1, $2, $3) RETURNING created_at
"""
_LIST = f"""
SELECT {_COLUMNS} FROM access_policies p
WHERE (p.account_id = $1 AND $2 OR p.account_id IS NULL AND $3) AND starts_with(p.path, $4)
  AND ($5::text IS NULL OR p.arn > $5) ORDER BY p.arn LIMIT $6
"""
_DELETE = "DELETE FROM access_policies WHERE arn = $1"
_SET_DEFAULT = "UPDATE access_policies SET default_version = $2, updated_at = now() WHERE arn = $1"
_SET_LAST = "UPDATE access_policies SET last_version = $2, updated_at = now() WHERE arn = $1"
_SET_TAGS = "UPDATE access_policies SET tags = $2 WHERE arn = $1"
_VERSIONS = """
SELECT version, document, created_at FROM access_policy_versions
WHERE policy_arn = $1 AND ($2::int IS NULL OR version < $2) ORDER BY version DESC LIMIT $3
"""
_VERSION = "SELECT version, document, created_at FROM access_policy_versions WHERE policy_arn = $1 AND version = $2"
_VERSION_COUNT = "SELECT count(*) FROM access_policy_versions WHERE policy_arn = $1"
_DELETE_VERSION = "DELETE FROM access_policy_versions WHERE policy_arn = $1 AND version = $2 RETURNING true"
_ATTACH = "INSERT INTO access_attachments (identity_id, policy_arn) VALUES ($1, $2) ON CONFLICT DO NOTHING"
_DETACH = "DELETE FROM access_attachments WHERE identity_id = $1 AND policy_arn = $2 RETURNING true"
_ATTACHED = """
SELECT p.arn, p.name FROM access_attachments a JOIN access_policies p ON p.arn = a.policy_arn
WHERE a.identity_id = $1 AND starts_with(p.path, $2) AND ($3::text IS NULL OR p.arn > $3) ORDER BY p.arn LIMIT $4
"""
_ATTACHED_COUNT = "SELECT count(*) FROM access_attachments WHERE identity_id = $1 AND policy_arn <> $2"
_ENTITIES = """
SELECT i.id, i.kind, i.name FROM access_identities i
WHERE i.account_id = $1 AND ($3::text IS NULL OR i.kind = $3) AND starts_with(i.path, $4)
  AND ($5 AND i.id IN (SELECT identity_id FROM access_attachments WHERE policy_arn = $2) OR $6 AND i.boundary_arn = $2)
  AND ($7::text IS NULL OR i.id > $7)
ORDER BY i.id LIMIT $8
"""
_PUT_INLINE = """
INSERT INTO access_inline_policies (identity_id, name, document) VALUES ($1, $2, $3)
ON CONFLICT (identity_id, name) DO UPDATE SET document = excluded.document
"""
_INLINE = "SELECT name, document FROM access_inline_policies WHERE identity_id = $1 AND name = $2"
_INLINES = """
SELECT name, document FROM access_inline_policies
WHERE identity_id = $1 AND ($2::text IS NULL OR name > $2) ORDER BY name LIMIT $3
"""
_DELETE_INLINE = "DELETE FROM access_inline_policies WHERE identity_id = $1 AND name = $2 RETURNING true"


async def find(ctx: Context, arn: str) -> Any:
    """A policy of this account or of AWS, or None."""
    return await ctx.db.fetchrow(_GET, ctx.account_id, arn)


async def lock(ctx: Context, arn: str) -> bool:
    """Hold a policy of this account until the commit; False when there is none."""
    return await ctx.db.fetchval(_LOCK, ctx.account_id, arn) is not None


async def insert(ctx: Context, *values: Any) -> bool:
    """A new policy; False when the name is taken."""
    return await ctx.db.fetchval(_INSERT, *values) is not None


async def insert_version(ctx: Context, arn: str, version: int, document: str) -> Any:
    """A new version; its creation time."""
    return await ctx.db.fetchval(_INSERT_VERSION, arn, version, document)


async def page(ctx: Context, own: bool, aws: bool, prefix: str, after: str | None, limit: int) -> list[Any]:
    """Policies by ARN."""
    return await ctx.db.fetch(_LIST, ctx.account_id, own, aws, prefix, after, limit)


async def delete(ctx: Context, arn: str) -> None:
    await ctx.db.execute(_DELETE, arn)


async def set_default(ctx: Context, arn: str, version: int) -> None:
    await ctx.db.execute(_SET_DEFAULT, arn, version)


async def set_last(ctx: Context, arn: str, version: int) -> None:
    await ctx.db.execute(_SET_LAST, arn, version)


async def set_tags(ctx: Context, arn: str, tags: dict[str, str]) -> None:
    await ctx.db.execute(_SET_TAGS, arn, tags)


async def versions(ctx: Context, arn: str, before: int | None, limit: int) -> list[Any]:
    """Versions, newest first."""
    return await ctx.db.fetch(_VERSIONS, arn, before, limit)


async def version(ctx: Context, arn: str, number: int) -> Any:
    """One version, or None."""
    return await ctx.db.fetchrow(_VERSION, arn, number)


async def version_count(ctx: Context, arn: str) -> int:
    return int(await ctx.db.fetchval(_VERSION_COUNT, arn))


async def delete_version(ctx: Context, arn: str, number: int) -> bool:
    return bool(await ctx.db.fetchval(_DELETE_VERSION, arn, number))


async def attach(ctx: Context, identity_id: str, arn: str) -> None:
    await ctx.db.execute(_ATTACH, identity_id, arn)


async def detach(ctx: Context, identity_id: str, arn: str) -> bool:
    return bool(await ctx.db.fetchval(_DETACH, identity_id, arn))


async def attached(ctx: Context, identity_id: str, prefix: str, after: str | None, limit: int) -> list[Any]:
    """Policies attached to an identity, by ARN."""
    return await ctx.db.fetch(_ATTACHED, identity_id, prefix, after, limit)


async def attached_besides(ctx: Context, identity_id: str, arn: str) -> int:
    """How many policies are attached, this one not counted."""
    return int(await ctx.db.fetchval(_ATTACHED_COUNT, identity_id, arn))


async def entities(
    ctx: Context,
    arn: str,
    kind: str | None,
    prefix: str,
    attached: bool,
    bounded: bool,
    after: str | None,
    limit: int,
) -> list[Any]:
    """Identities that a policy is attached to, or bounds."""
    return await ctx.db.fetch(_ENTITIES, ctx.account_id, arn, kind, prefix, attached, bounded, after, limit)


async def put_inline(ctx: Context, identity_id: str, name: str, document: str) -> None:
    await ctx.db.execute(_PUT_INLINE, identity_id, name, document)


async def inline(ctx: Context, identity_id: str, name: str) -> Any:
    """One inline policy, or None."""
    return await ctx.db.fetchrow(_INLINE, identity_id, name)


async def inlines(ctx: Context, identity_id: str, after: str | None, limit: int) -> list[Any]:
    """Inline policies, by name."""
    return await ctx.db.fetch(_INLINES, identity_id, after, limit)


async def delete_inline(ctx: Context, identity_id: str, name: str) -> bool:
    return bool(await ctx.db.fetchval(_DELETE_INLINE, identity_id, name))

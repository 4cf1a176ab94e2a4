"""Reports and tasks that were worked out, and what they are worked out from."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context

_INSERT = "INSERT INTO iam_reports (id, account_id, kind, content) VALUES ($1, $2, $3, $4) RETURNING created_at"
_GET = "SELECT id, content, created_at FROM iam_reports WHERE account_id = $1 AND kind = $2 AND id = $3"
_LATEST = """
SELECT id, content, created_at FROM iam_reports WHERE account_id = $1 AND kind = $2 ORDER BY created_at DESC LIMIT 1
"""
_FORGET = "DELETE FROM iam_reports WHERE account_id = $1 AND kind = $2 AND created_at < now() - interval '7 days'"
_USES = """
SELECT u.prefix, u.at, u.region, i.id, i.kind, i.name, i.path, i.account_id
FROM access_service_uses u JOIN access_identities i ON i.id = u.identity_id
WHERE u.account_id = $1 AND u.identity_id = ANY($2) ORDER BY u.prefix, u.at DESC
"""
_CREDENTIALS = """
SELECT i.id, i.name, i.path, i.account_id, i.created_at,
  p.created_at AS password_at, p.changed_at, p.last_used_at,
  EXISTS (SELECT 1 FROM access_mfa_devices d WHERE d.owner_id = i.id) AS mfa,
  (SELECT coalesce(json_agg(k ORDER BY k.created_at, k.id), '[]') FROM (
     SELECT id, status, created_at, last_used_at, last_used_region, last_used_service FROM access_keys
     WHERE user_id = i.id) k) AS keys,
  (SELECT coalesce(json_agg(c ORDER BY c.created_at), '[]') FROM (
     SELECT status, created_at FROM iam_user_credentials
     WHERE user_id = i.id AND kind = 'certificate') c) AS certificates
FROM access_identities i LEFT JOIN access_passwords p ON p.user_id = i.id
WHERE i.account_id = $1 AND i.kind = 'user' ORDER BY lower(i.name)
"""
_ROOT = """
SELECT a.id, a.created_at, EXISTS (SELECT 1 FROM access_mfa_devices d WHERE d.owner_id = a.id) AS mfa,
  (SELECT coalesce(json_agg(k ORDER BY k.created_at, k.id), '[]') FROM (
     SELECT id, status, created_at, last_used_at, last_used_region, last_used_service FROM access_keys
     WHERE account_id = a.id AND user_id IS NULL) k) AS keys
FROM access_accounts a WHERE a.id = $1
"""


async def insert(ctx: Context, id: str, kind: str, content: dict[str, Any]) -> Any:
    """Keep a report for a week; its time."""
    await ctx.db.execute(_FORGET, ctx.account_id, kind)
    return await ctx.db.fetchval(_INSERT, id, ctx.account_id, kind, content)


async def find(ctx: Context, kind: str, id: str) -> Any:
    """A report, or None."""
    return await ctx.db.fetchrow(_GET, ctx.account_id, kind, id)


async def latest(ctx: Context, kind: str) -> Any:
    """The newest report of a kind, or None."""
    return await ctx.db.fetchrow(_LATEST, ctx.account_id, kind)


async def uses(ctx: Context, identity_ids: list[str]) -> list[Any]:
    """When identities called services, newest first within each service."""
    return await ctx.db.fetch(_USES, ctx.account_id, identity_ids)


async def credentials(ctx: Context) -> list[Any]:
    """Users with all of their credentials."""
    return await ctx.db.fetch(_CREDENTIALS, ctx.account_id)


async def root(ctx: Context) -> Any:
    """Root's credentials."""
    return await ctx.db.fetchrow(_ROOT, ctx.account_id)

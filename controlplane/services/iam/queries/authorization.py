"""All that says what identities may do, read in few statements for whole pages of them."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context

_IDENTITIES = """
SELECT i.id, i.account_id, i.kind, i.name, i.path, i.boundary_arn, i.tags, i.created_at, i.trust_policy, i.description,
  i.max_session_seconds, i.last_used_at, i.last_used_region,
  (SELECT coalesce(json_agg(json_build_object('name', p.name, 'document', p.document) ORDER BY p.name), '[]')
   FROM access_inline_policies p WHERE p.identity_id = i.id) AS inline,
  (SELECT coalesce(json_agg(json_build_object('name', p.name, 'arn', p.arn) ORDER BY p.arn), '[]')
   FROM access_attachments a JOIN access_policies p ON p.arn = a.policy_arn WHERE a.identity_id = i.id) AS attached,
  (SELECT coalesce(json_agg(g.name ORDER BY lower(g.name)), '[]')
   FROM access_memberships m JOIN access_identities g ON g.id = m.group_id WHERE m.user_id = i.id) AS groups
FROM access_identities i
WHERE i.account_id = $1 AND i.kind = ANY($2) AND ($3::text IS NULL OR i.id > $3) ORDER BY i.id LIMIT $4
"""
_PROFILES = """
SELECT p.id, p.account_id, p.name, p.path, p.tags, p.created_at, p.role_id,
  r.name AS role_name, r.path AS role_path, r.created_at AS role_created_at, r.trust_policy AS role_trust_policy,
  r.description AS role_description, r.max_session_seconds AS role_max_session_seconds
FROM access_instance_profiles p JOIN access_identities r ON r.id = p.role_id
WHERE p.account_id = $1 AND p.role_id = ANY($2) ORDER BY lower(p.name)
"""
_POLICIES = """
SELECT p.arn, p.id, p.account_id, p.name, p.path, p.description, p.default_version, p.tags, p.created_at, p.updated_at,
  (SELECT count(*) FROM access_attachments a JOIN access_identities i ON i.id = a.identity_id
   WHERE a.policy_arn = p.arn AND i.account_id = $1) AS attachments,
  (SELECT count(*) FROM access_identities i WHERE i.boundary_arn = p.arn AND i.account_id = $1) AS boundaries
FROM access_policies p
WHERE (p.account_id = $1 AND $2 OR p.account_id IS NULL AND $3) AND ($4::text IS NULL OR p.arn > $4)
ORDER BY p.arn LIMIT $5
"""
_VERSIONS = """
SELECT policy_arn, version, document, created_at FROM access_policy_versions
WHERE policy_arn = ANY($1) ORDER BY policy_arn, version DESC
"""


async def identities(ctx: Context, kinds: list[str], after: str | None, limit: int) -> list[Any]:
    """Users, groups and roles by id, each with its policies and groups."""
    return await ctx.db.fetch(_IDENTITIES, ctx.account_id, kinds, after, limit)


async def profiles(ctx: Context, role_ids: list[str]) -> list[Any]:
    """The instance profiles of some roles."""
    return await ctx.db.fetch(_PROFILES, ctx.account_id, role_ids)


async def policies(ctx: Context, own: bool, aws: bool, after: str | None, limit: int) -> list[Any]:
    """Managed policies by ARN."""
    return await ctx.db.fetch(_POLICIES, ctx.account_id, own, aws, after, limit)


async def versions(ctx: Context, arns: list[str]) -> list[Any]:
    """All versions of some policies, newest first."""
    return await ctx.db.fetch(_VERSIONS, arns)

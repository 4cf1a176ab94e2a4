"""What authentication and authorization read. Every statement is a plain SELECT, so that none opens a transaction."""

from __future__ import annotations

from typing import Any, Protocol


class Reader(Protocol):
    """Anything that can run a query: a unit of work or the database itself."""

    async def fetch(self, sql: str, *args: Any) -> list[Any]: ...


_ACCESS_KEY = """
SELECT k.id, k.account_id, k.secret, k.status, k.user_id, u.name, u.path
FROM access_keys k JOIN access_accounts a ON a.id = k.account_id AND a.closed_at IS NULL
LEFT JOIN access_identities u ON u.id = k.user_id
WHERE k.id = $1
"""
_IDENTITY = """
SELECT i.id, i.account_id, i.kind, i.name, i.path, i.tags, i.boundary_arn, v.document AS boundary
FROM access_identities i
LEFT JOIN access_policies p ON p.arn = i.boundary_arn
LEFT JOIN access_policy_versions v ON v.policy_arn = p.arn AND v.version = p.default_version
WHERE i.id = $1
"""
_DOCUMENTS = """
SELECT h.kind || '/' || h.name || '/' || p.name AS name, p.document
FROM access_inline_policies p JOIN access_identities h ON h.id = p.identity_id
WHERE h.id = $1 OR h.id IN (SELECT group_id FROM access_memberships WHERE user_id = $1)
UNION ALL
SELECT DISTINCT v.policy_arn, v.document
FROM access_attachments a
JOIN access_policies p ON p.arn = a.policy_arn
JOIN access_policy_versions v ON v.policy_arn = p.arn AND v.version = p.default_version
WHERE a.identity_id = $1 OR a.identity_id IN (SELECT group_id FROM access_memberships WHERE user_id = $1)
ORDER BY 1
"""
_MANAGED = """
SELECT p.arn AS name, v.document FROM access_policies p
JOIN access_policy_versions v ON v.policy_arn = p.arn AND v.version = p.default_version
WHERE p.arn = ANY($1)
"""
_ACCOUNT = "SELECT id, name, email, organization, created_at, closed_at, regions FROM access_accounts WHERE id = $1"
_ROLE = """
SELECT id, account_id, name, path, trust_policy, max_session_seconds, tags FROM access_identities
WHERE kind = 'role' AND account_id = $1 AND lower(name) = lower($2)
"""
_NAMED = """
SELECT id, name, path FROM access_identities WHERE account_id = $1 AND kind = $2 AND lower(name) = lower($3)
"""
_INSTANCE_PROFILE = """
SELECT p.id, 'arn:aws:iam::' || p.account_id || ':instance-profile' || p.path || p.name AS arn, p.name,
  r.name AS role_name, 'arn:aws:iam::' || r.account_id || ':role' || r.path || r.name AS role_arn
FROM access_instance_profiles p LEFT JOIN access_identities r ON r.id = p.role_id
WHERE p.account_id = $1 AND lower(p.name) = lower($2)
"""


async def _one(db: Reader, sql: str, *args: Any) -> Any:
    rows = await db.fetch(sql, *args)
    return rows[0] if rows else None


async def access_key(db: Reader, access_key_id: str) -> Any:
    """A long-term key with its user, or None."""
    return await _one(db, _ACCESS_KEY, access_key_id)


async def identity(db: Reader, identity_id: str) -> Any:
    """A user or role with the document of its boundary, or None."""
    return await _one(db, _IDENTITY, identity_id)


async def documents(db: Reader, identity_id: str) -> list[Any]:
    """(name, document) of every policy that empowers an identity: inline, attached, and those of its groups."""
    return await db.fetch(_DOCUMENTS, identity_id)


async def managed(db: Reader, arns: list[str]) -> list[Any]:
    """(name, document) of the default versions of managed policies."""
    return await db.fetch(_MANAGED, arns)


async def account(db: Reader, account_id: str) -> Any:
    """An account, or None."""
    return await _one(db, _ACCOUNT, account_id)


async def role(db: Reader, account_id: str, name: str) -> Any:
    """A role by its name, or None."""
    return await _one(db, _ROLE, account_id, name)


async def named(db: Reader, account_id: str, kind: str, name: str) -> Any:
    """A user, group or role by its name, or None."""
    return await _one(db, _NAMED, account_id, kind, name)


async def instance_profile(db: Reader, account_id: str, name: str) -> Any:
    """An instance profile with its role's name and ARN (null without a role), or None."""
    return await _one(db, _INSTANCE_PROFILE, account_id, name)

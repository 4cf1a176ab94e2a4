"""Handshakes, with the organization and its management account that every answer tells of."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Unit

_COLUMNS = """
SELECT h.*, jsonb_build_object('id', a.id, 'name', a.name, 'email', a.email) AS management,
  jsonb_build_object('id', o.id, 'management_id', o.management_id, 'feature_set', o.feature_set) AS organization
FROM organizations_handshakes h JOIN organizations_organizations o ON o.id = h.organization_id
JOIN access_accounts a ON a.id = o.management_id
"""
_ONE = f"{_COLUMNS} WHERE h.id = $1"
_OF_ORGANIZATION = f"{_COLUMNS} WHERE h.organization_id = $1"
_OF_ACCOUNT = f"""
{_COLUMNS} WHERE (h.target_type = 'ACCOUNT' AND h.target = $1 AND h.action <> 'ENABLE_ALL_FEATURES')
OR (h.target_type = 'EMAIL' AND lower(h.target) = lower($2))
"""
_INSERT = """
INSERT INTO organizations_handshakes (id, organization_id, action, state, target_type, target, expires_at, notes,
  parent_handshake, tags)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING RETURNING id
"""
_SET_STATE = "UPDATE organizations_handshakes SET state = $2 WHERE id = $1"
_LIVE = """
SELECT true FROM organizations_handshakes
WHERE organization_id = $1 AND action = $2 AND state IN ('OPEN', 'REQUESTED') AND expires_at > now()
"""
_OPEN_PARENT = """
UPDATE organizations_handshakes SET state = 'OPEN' WHERE id = $1 AND state = 'REQUESTED'
AND NOT EXISTS (SELECT FROM organizations_handshakes WHERE parent_handshake = $1 AND state <> 'ACCEPTED')
"""
_ALL_FEATURES = "UPDATE organizations_organizations SET feature_set = 'ALL' WHERE id = $1"


async def one(db: Unit, id: str) -> Any:
    """A handshake, or None."""
    return await db.fetchrow(_ONE, id)


async def for_organization(db: Unit, organization_id: str) -> list[Any]:
    return await db.fetch(_OF_ORGANIZATION, organization_id)


async def for_account(db: Unit, account_id: str, email: str) -> list[Any]:
    """Those that ask an account, by its id or its address."""
    return await db.fetch(_OF_ACCOUNT, account_id, email)


async def insert(
    db: Unit,
    *,
    id: str,
    organization_id: str,
    action: str,
    state: str,
    target_type: str,
    target: str,
    expires_at: Any,
    notes: str | None = None,
    parent_handshake: str | None = None,
    tags: dict[str, str] | None = None,
) -> Any:
    """A new handshake; None when the same is open already."""
    made = await db.fetchval(
        _INSERT,
        id,
        organization_id,
        action,
        state,
        target_type,
        target,
        expires_at,
        notes,
        parent_handshake,
        tags or {},
    )
    return await one(db, id) if made else None


async def set_state(db: Unit, id: str, state: str) -> None:
    await db.execute(_SET_STATE, id, state)


async def live(db: Unit, organization_id: str, action: str) -> bool:
    """Whether a handshake of this kind waits for an answer."""
    return bool(await db.fetchval(_LIVE, organization_id, action))


async def open_when_all_agree(db: Unit, parent: str) -> None:
    """Let the management account go on once every member has agreed."""
    await db.execute(_OPEN_PARENT, parent)


async def enable_all_features(db: Unit, organization_id: str) -> None:
    await db.execute(_ALL_FEATURES, organization_id)

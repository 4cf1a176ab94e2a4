"""Policies and what they are attached to."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Unit
from controlplane.services.organizations.nouns import AWS_POLICIES

_ONE = "SELECT * FROM organizations_policies WHERE organization_id = $1 AND id = $2"
_ALL = "SELECT * FROM organizations_policies WHERE organization_id = $1 AND type = $2"
_ATTACHED = "SELECT policy_id, target_id, type FROM organizations_attachments WHERE organization_id = $1"
_ON = f"{_ATTACHED} AND target_id = $2 AND type = $3"
_OF = f"{_ATTACHED} AND policy_id = $2"
_ATTACH = """
INSERT INTO organizations_attachments (organization_id, target_id, policy_id, type) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING RETURNING true
"""
_DETACH = """
DELETE FROM organizations_attachments WHERE organization_id = $1 AND target_id = $2 AND policy_id = $3 RETURNING true
"""


async def one(db: Unit, organization_id: str, id: str) -> Any:
    """A policy, AWS's own included, or None."""
    return AWS_POLICIES.get(id) or await db.fetchrow(_ONE, organization_id, id)


async def of_type(db: Unit, organization_id: str, type: str) -> dict[str, Any]:
    """All policies of a type by id, AWS's own included."""
    found: dict[str, Any] = {id: row for id, row in AWS_POLICIES.items() if row["type"] == type}
    return found | {row["id"]: row for row in await db.fetch(_ALL, organization_id, type)}


async def attachments(db: Unit, organization_id: str) -> list[Any]:
    return await db.fetch(_ATTACHED, organization_id)


async def on_target(db: Unit, organization_id: str, target_id: str, type: str) -> list[str]:
    """Ids of the policies of a type that are attached to a target itself."""
    return [row["policy_id"] for row in await db.fetch(_ON, organization_id, target_id, type)]


async def targets(db: Unit, organization_id: str, policy_id: str) -> list[str]:
    return [row["target_id"] for row in await db.fetch(_OF, organization_id, policy_id)]


async def attach(db: Unit, organization_id: str, target_id: str, policy_id: str, type: str) -> bool:
    """False when it was attached before."""
    return bool(await db.fetchval(_ATTACH, organization_id, target_id, policy_id, type))


async def detach(db: Unit, organization_id: str, target_id: str, policy_id: str) -> bool:
    """False when it was not attached."""
    return bool(await db.fetchval(_DETACH, organization_id, target_id, policy_id))

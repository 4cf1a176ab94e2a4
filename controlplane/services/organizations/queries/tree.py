"""Organizations, their units and members."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Unit

_OF_ACCOUNT = """
SELECT o.*, EXISTS (SELECT FROM organizations_delegations d WHERE d.organization_id = o.id AND d.member_id = $1)
  AS delegated
FROM organizations_members m JOIN organizations_organizations o ON o.id = m.organization_id WHERE m.member_id = $1
"""
_LOCK = "SELECT * FROM organizations_organizations WHERE id = $1 FOR UPDATE"
_UNITS = "SELECT * FROM organizations_units WHERE organization_id = $1"
_MEMBERS = """
SELECT m.*, a.id, a.name, a.email, a.closed_at, a.freed_at
FROM organizations_members m JOIN access_accounts a ON a.id = m.member_id WHERE m.organization_id = $1
"""
_MEMBER = f"{_MEMBERS} AND m.member_id = $2"
_JOIN = """
INSERT INTO organizations_members (member_id, organization_id, parent_id, joined_method) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING RETURNING true
"""
_TAGS = "SELECT resource_id, key, value FROM organizations_tags WHERE organization_id = $1 AND resource_id = ANY($2)"
_PUT_TAG = """
INSERT INTO organizations_tags (organization_id, resource_id, key, value) VALUES ($1, $2, $3, $4)
ON CONFLICT (organization_id, resource_id, key) DO UPDATE SET value = excluded.value
"""


async def of_account(db: Unit, account_id: str) -> Any:
    """The organization that an account is in, with `delegated`; None outside one."""
    return await db.fetchrow(_OF_ACCOUNT, account_id)


async def lock(db: Unit, organization_id: str) -> Any:
    """An organization, held against every other change; None when it is gone."""
    return await db.fetchrow(_LOCK, organization_id)


async def units(db: Unit, organization_id: str) -> dict[str, Any]:
    """All units by id."""
    return {row["id"]: row for row in await db.fetch(_UNITS, organization_id)}


async def members(db: Unit, organization_id: str) -> list[Any]:
    """All accounts with their names, management account included."""
    return await db.fetch(_MEMBERS, organization_id)


async def member(db: Unit, organization_id: str, account_id: str) -> Any:
    """One account of an organization, or None."""
    return await db.fetchrow(_MEMBER, organization_id, account_id)


async def join(db: Unit, organization_id: str, parent_id: str, account_id: str, method: str) -> bool:
    """Take an account in; False when it is in an organization already."""
    return bool(await db.fetchval(_JOIN, account_id, organization_id, parent_id, method))


async def tags(db: Unit, organization_id: str, ids: list[str]) -> dict[str, dict[str, str]]:
    """Tags by resource id."""
    found: dict[str, dict[str, str]] = {id: {} for id in ids}
    for row in await db.fetch(_TAGS, organization_id, ids):
        found[row["resource_id"]][row["key"]] = row["value"]
    return found


async def put_tags(db: Unit, organization_id: str, id: str, tags: dict[str, str]) -> None:
    await db.executemany(_PUT_TAG, [(organization_id, id, key, value) for key, value in tags.items()])


async def forget_resource(db: Unit, organization_id: str, id: str) -> None:
    """Drop the tags of what is gone, and the attachments on it."""
    await db.execute(
        "DELETE FROM organizations_tags WHERE organization_id = $1 AND resource_id = $2", organization_id, id
    )
    await db.execute(
        "DELETE FROM organizations_attachments WHERE organization_id = $1 AND target_id = $2", organization_id, id
    )


def path_of(organization: Any, units: dict[str, Any], parent_id: str) -> str:
    """The path from the organization to a parent: `o-…/r-…/ou-…/`."""
    steps: list[str] = []
    while parent_id in units:
        steps.insert(0, parent_id)
        parent_id = units[parent_id]["parent_id"]
    return "/".join([organization["id"], organization["root_id"], *steps]) + "/"

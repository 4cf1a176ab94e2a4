"""What Organizations tells the policy engine: for every account its path and the policies on each level above it."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from controlplane.access.principals import EVERY_ACCOUNT, announce
from controlplane.core.context import Unit
from controlplane.services.organizations.nouns import RCP, SCP, policy_arn
from controlplane.services.organizations.queries import policies, tree

_MANY = 50
_TELL = """
UPDATE access_accounts a SET organization = told.value
FROM unnest($1::text[], $2::jsonb[]) AS told (id, value)
WHERE a.id = told.id AND a.organization IS DISTINCT FROM told.value RETURNING a.id
"""
_LEAVE = "UPDATE access_accounts SET organization = NULL WHERE id = ANY($1) AND organization IS NOT NULL RETURNING id"
_MEMBERS = {SCP: "service_control", RCP: "resource_control"}


async def refresh(db: Unit, organization_id: str) -> None:
    """Tell what holds now for every account of an organization, whose row the caller has locked.

    Only what changed is written and announced, in the transaction of the change itself.
    """
    organization = await tree.lock(db, organization_id)
    if organization is None:
        return
    units = await tree.units(db, organization_id)
    attached: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in await policies.attachments(db, organization_id):
        attached[row["target_id"], row["type"]].append(row["policy_id"])
    known = {type: await policies.of_type(db, organization_id, type) for type in _enforced(organization)}
    told = {}
    for member in await tree.members(db, organization_id):
        path = tree.path_of(organization, units, member["parent_id"])
        told[member["member_id"]] = facts = {
            "id": organization_id,
            "path": path,
            "management": organization["management_id"],
        }
        if member["member_id"] == organization["management_id"]:
            continue
        steps = [*path.split("/")[1:-1], member["member_id"]]
        for type, rows in known.items():
            facts[_MEMBERS[type]] = [
                [_told(organization, rows[id]) for id in sorted(attached[step, type])] for step in steps
            ]
    changed = await db.fetch(_TELL, list(told), list(told.values()))
    await _announce(db, [row["id"] for row in changed])


async def forget(db: Unit, accounts: list[str]) -> None:
    """Tell that accounts are in no organization any more."""
    await _announce(db, [row["id"] for row in await db.fetch(_LEAVE, accounts)])


def _enforced(organization: Any) -> list[str]:
    if organization["feature_set"] != "ALL":
        return []
    return [type for type in _MEMBERS if type in organization["policy_types"]]


def _told(organization: Any, policy: Any) -> dict[str, Any]:
    return {"Arn": policy_arn(organization, policy), "Document": json.loads(policy["content"])}


async def _announce(db: Unit, accounts: list[str]) -> None:
    for account in accounts if len(accounts) <= _MANY else [EVERY_ACCOUNT]:
        await announce(db, account)

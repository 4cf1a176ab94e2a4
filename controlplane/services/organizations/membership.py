"""How accounts come into an organization and leave it."""

from __future__ import annotations

from typing import Any

from controlplane.access import quotas
from controlplane.core.context import Context, Unit
from controlplane.services.organizations import levels, nouns
from controlplane.services.organizations.errors import (
    AWSOrganizationsNotInUseException,
    ConstraintViolationException,
    MasterCannotLeaveOrganizationException,
)
from controlplane.services.organizations.queries import policies, tree

ACCOUNTS = "organizations/L-E619E033"

_COUNT = """
SELECT count(*) FROM organizations_members m JOIN access_accounts a ON a.id = m.member_id
WHERE m.organization_id = $1 AND a.closed_at IS NULL
"""
_PENDING = """
SELECT count(*) FROM organizations_account_requests WHERE organization_id = $1 AND state = 'IN_PROGRESS'
"""
_DELEGATED = "SELECT true FROM organizations_delegations WHERE organization_id = $1 AND member_id = $2"


async def check_room(db: Unit, organization: Any) -> None:
    """Raises ConstraintViolation when the organization may have no further account. Its row is locked."""
    if await is_full(db, organization):
        raise ConstraintViolationException(
            "ACCOUNT_NUMBER_LIMIT_EXCEEDED", "You have exceeded the allowed number of AWS Accounts."
        )


async def is_full(db: Unit, organization: Any, *, pending: bool = True) -> bool:
    """Whether members, with those that are being made (`pending`), are as many as may be. The organization's row is
    locked, so that nobody else counts."""
    count = int(await db.fetchval(_COUNT, organization["id"]))
    if pending:
        count += int(await db.fetchval(_PENDING, organization["id"]))
    return count >= await quotas.limit(db, organization["management_id"], quotas.EVERYWHERE, ACCOUNTS)


async def admit(db: Unit, organization: Any, account_id: str, method: str) -> bool:
    """Take an account in below the root, with what every account has. False when it is in an organization already."""
    if not await tree.join(db, organization["id"], organization["root_id"], account_id, method):
        return False
    for type, default in nouns.DEFAULTS.items():
        if type in organization["policy_types"]:
            await policies.attach(db, organization["id"], account_id, default, type)
    await levels.refresh(db, organization["id"])
    return True


async def release(db: Unit, organization: Any, row: Any) -> None:
    """Let an account go. Raises MasterCannotLeaveOrganization, ConstraintViolation."""
    if row["member_id"] == organization["management_id"]:
        raise MasterCannotLeaveOrganizationException
    if await db.fetchval(_DELEGATED, organization["id"], row["member_id"]):
        raise ConstraintViolationException(
            "CANNOT_REMOVE_DELEGATED_ADMINISTRATOR_FROM_ORG",
            "You can't remove a delegated administrator from the organization; deregister it first.",
        )
    await db.execute("DELETE FROM organizations_members WHERE member_id = $1", row["member_id"])
    await tree.forget_resource(db, organization["id"], row["member_id"])
    await levels.forget(db, [row["member_id"]])


async def own(ctx: Context) -> Any:
    """The caller's organization, locked, whatever the caller may do in it. Raises AWSOrganizationsNotInUse."""
    organization = await tree.of_account(ctx.db, ctx.account_id)
    locked = await tree.lock(ctx.db, organization["id"]) if organization is not None else None
    if locked is None:
        raise AWSOrganizationsNotInUseException
    return locked

"""Accounts of an organization: made, moved, removed, closed."""

from __future__ import annotations

from typing import Any

from controlplane.access import accounts as access
from controlplane.core.context import Context
from controlplane.core.operation import ANY, operation
from controlplane.services.organizations import levels, membership, nouns, shapes, standing, tagging
from controlplane.services.organizations.errors import (
    AccountAlreadyClosedException,
    AccountNotFoundException,
    ConstraintViolationException,
    CreateAccountStatusNotFoundException,
    DestinationParentNotFoundException,
    DuplicateAccountException,
    ParentNotFoundException,
    SourceParentNotFoundException,
)
from controlplane.services.organizations.queries import tree
from controlplane.services.organizations.reconcilers import ACCOUNT_REQUEST

DEFAULT_ROLE = "OrganizationAccountAccessRole"

_REQUEST = "SELECT * FROM organizations_account_requests WHERE organization_id = $1 AND id = $2"
_REQUESTS = """
SELECT * FROM organizations_account_requests
WHERE organization_id = $1 AND ($2::text[] IS NULL OR state = ANY($2))
"""
_MOVE = "UPDATE organizations_members SET parent_id = $2 WHERE member_id = $1"


@operation("CreateAccount", on=standing.on(new="account"))
async def create_account(ctx: Context, request: Any) -> dict[str, Any]:
    """Ask for an account; a reconciler makes it. What goes wrong is told by DescribeCreateAccountStatus."""
    organization = await standing.governed(ctx)
    id = nouns.new_id("car", 32)
    await membership.check_room(ctx.db, organization)
    await ctx.db.insert(
        "organizations_account_requests",
        id=id,
        organization_id=organization["id"],
        name=request["AccountName"],
        email=request["Email"],
        role_name=request.get("RoleName") or DEFAULT_ROLE,
        tags=tagging.requested(request),
    )
    await ctx.wake(ACCOUNT_REQUEST, id)
    return {"CreateAccountStatus": shapes.account_request(await ctx.db.fetchrow(_REQUEST, organization["id"], id))}


@operation("DescribeCreateAccountStatus", on=standing.on(reading=True))
async def describe_create_account_status(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises CreateAccountStatusNotFound."""
    organization = standing.readable(ctx)
    row = await ctx.db.fetchrow(_REQUEST, organization["id"], request["CreateAccountRequestId"])
    if row is None:
        raise CreateAccountStatusNotFoundException
    return {"CreateAccountStatus": shapes.account_request(row)}


@operation("ListCreateAccountStatus", on=standing.on(reading=True))
async def list_create_account_status(ctx: Context, request: Any) -> dict[str, Any]:
    """Requests for accounts, in any or some states."""
    organization = standing.readable(ctx)
    rows = await ctx.db.fetch(_REQUESTS, organization["id"], request.get("States") or None)
    return shapes.page(request, "CreateAccountStatuses", rows, lambda row: str(row["id"]), shapes.account_request)


async def _member(ctx: Context, organization: Any, id: str) -> Any:
    row = await tree.member(ctx.db, organization["id"], id)
    if row is None:
        raise AccountNotFoundException
    return row


@operation("DescribeAccount", on=standing.on("AccountId", reading=True))
async def describe_account(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises AccountNotFound."""
    organization = standing.readable(ctx)
    row = await _member(ctx, organization, request["AccountId"])
    units = await tree.units(ctx.db, organization["id"])
    return {"Account": shapes.account(row, organization, _path(organization, units, row))}


def _path(organization: Any, units: dict[str, Any], row: Any) -> str:
    return f"{tree.path_of(organization, units, row['parent_id'])}{row['id']}/"


@operation("ListAccounts", on=standing.on(reading=True))
async def list_accounts(ctx: Context, request: Any) -> dict[str, Any]:
    """All accounts, those that were closed lately included."""
    return await _listing(ctx, request, standing.readable(ctx), None)


@operation("ListAccountsForParent", on=standing.on("ParentId", reading=True))
async def list_accounts_for_parent(ctx: Context, request: Any) -> dict[str, Any]:
    """Accounts right below a root or a unit. Raises ParentNotFound."""
    organization, parent = standing.readable(ctx), request["ParentId"]
    if parent != organization["root_id"] and parent not in await tree.units(ctx.db, organization["id"]):
        raise ParentNotFoundException
    return await _listing(ctx, request, organization, parent)


async def _listing(ctx: Context, request: Any, organization: Any, parent: str | None) -> dict[str, Any]:
    units = await tree.units(ctx.db, organization["id"])
    rows = [row for row in await tree.members(ctx.db, organization["id"]) if parent in (None, row["parent_id"])]

    def show(row: Any) -> dict[str, Any]:
        return shapes.account(row, organization, _path(organization, units, row))

    return shapes.page(request, "Accounts", rows, lambda row: str(row["id"]), show)


@operation("MoveAccount", on=standing.on("AccountId", "SourceParentId", "DestinationParentId"))
async def move_account(ctx: Context, request: Any) -> None:
    """Move an account; the policies of its new place hold at once. Raises AccountNotFound and the like."""
    organization = await standing.governed(ctx)
    row = await _member(ctx, organization, request["AccountId"])
    places = {organization["root_id"], *await tree.units(ctx.db, organization["id"])}
    source, destination = request["SourceParentId"], request["DestinationParentId"]
    if source not in places or row["parent_id"] != source:
        raise SourceParentNotFoundException
    if destination not in places:
        raise DestinationParentNotFoundException
    if source == destination:
        raise DuplicateAccountException
    await ctx.db.execute(_MOVE, row["id"], destination)
    await levels.refresh(ctx.db, organization["id"])


@operation("RemoveAccountFromOrganization", on=standing.on("AccountId"))
async def remove_account_from_organization(ctx: Context, request: Any) -> None:
    """Let an account go on by itself. Raises AccountNotFound, MasterCannotLeaveOrganization, ConstraintViolation."""
    organization = await standing.governed(ctx)
    row = await _member(ctx, organization, request["AccountId"])
    await membership.release(ctx.db, organization, row)


@operation("LeaveOrganization", on=ANY)
async def leave_organization(ctx: Context, request: Any) -> None:
    """Leave, as a member account. Raises MasterCannotLeaveOrganization, ConstraintViolation."""
    organization = await membership.own(ctx)
    await membership.release(ctx.db, organization, await _member(ctx, organization, ctx.account_id))


@operation("CloseAccount", on=standing.on("AccountId"))
async def close_account(ctx: Context, request: Any) -> None:
    """Close a member account: its keys stop at once, and all that it holds is freed. Raises AccountNotFound,
    AccountAlreadyClosed, ConstraintViolation."""
    organization = await standing.governed(ctx)
    row = await _member(ctx, organization, request["AccountId"])
    if row["id"] == organization["management_id"]:
        raise ConstraintViolationException(
            "CANNOT_CLOSE_MANAGEMENT_ACCOUNT", "You can't close the management account of an organization."
        )
    if row["closed_at"] is not None or not await access.close(ctx.db, row["id"]):
        raise AccountAlreadyClosedException

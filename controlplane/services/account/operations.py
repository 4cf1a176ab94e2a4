"""Contacts, regions and the name of the caller's account, or of a member of the organization that it manages."""

from __future__ import annotations

from typing import Any

from controlplane.access import queries as access
from controlplane.access.accounts import email_of
from controlplane.access.principals import announce
from controlplane.access.regions import OPT_IN
from controlplane.core.context import Context
from controlplane.core.operation import Resource, operation
from controlplane.core.paging import decode_token, encode_token
from controlplane.services.account.errors import (
    AccessDeniedException,
    ConflictException,
    ResourceNotFoundException,
    ValidationException,
)

_PRIMARY = "PRIMARY"
_PAGE = 50
_GET = "SELECT details FROM account_contacts WHERE account_id = $1 AND kind = $2"
_PUT = """
INSERT INTO account_contacts (account_id, kind, details) VALUES ($1, $2, $3)
ON CONFLICT (account_id, kind) DO UPDATE SET details = excluded.details
"""
_DELETE = "DELETE FROM account_contacts WHERE account_id = $1 AND kind = $2 RETURNING true"
_LOCK = "SELECT name, regions FROM access_accounts WHERE id = $1 FOR NO KEY UPDATE"
_NAMESAKE = "SELECT true FROM access_accounts WHERE name = $2 AND id <> $1 AND closed_at IS NULL"
_RENAME = "UPDATE access_accounts SET name = $2 WHERE id = $1"
_SET_REGIONS = "UPDATE access_accounts SET regions = $2 WHERE id = $1"


async def on_account(ctx: Context, request: Any) -> list[Resource]:
    """The caller's account, or a member of the organization that it manages; the row tells which."""
    conditions = {
        "account:AlternateContactTypes": request.get("AlternateContactType"),
        "account:TargetRegion": request.get("RegionName"),
    }
    asked: dict[str, Any] = {name: [value] for name, value in conditions.items() if value}
    if region := request.get("RegionName"):
        asked["account:TargetRegion"] = region
    asked["aws:ResourceAccount"] = ctx.account_id
    id = request.get("AccountId") or ctx.account_id
    if id == ctx.account_id and not request.get("AccountId"):
        row = await access.account(ctx.db, id)
        return [Resource(f"arn:aws:account::{id}:account", conditions=asked, row=row)]
    row = await access.account(ctx.db, id)
    organization = (row["organization"] or {}) if row is not None else {}
    managed = organization.get("management") == ctx.account_id
    name = f"arn:aws:account::{ctx.account_id}:account/{organization['id'] if managed else '*'}/{id}"
    return [Resource(name, conditions=asked, row=row if managed else None)]


def _account(ctx: Context) -> Any:
    """The account that a request is about. Raises AccessDenied for what the caller does not manage."""
    row = ctx.resources[0].row
    if row is None:
        raise AccessDeniedException("User is not authorized to access this account.")
    return row


@operation("GetAccountInformation", on=on_account)
async def get_account_information(ctx: Context, request: Any) -> dict[str, Any]:
    """Id, name and age."""
    row = _account(ctx)
    return {
        "AccountId": row["id"],
        "AccountName": row["name"],
        "AccountCreatedDate": row["created_at"],
        "AccountState": "SUSPENDED" if row["closed_at"] else "ACTIVE",
    }


@operation("GetPrimaryEmail", on=on_account)
async def get_primary_email(ctx: Context, request: Any) -> dict[str, Any]:
    """The address of a member's root user."""
    return {"PrimaryEmail": email_of(_account(ctx))}


@operation("PutAccountName", on=on_account)
async def put_account_name(ctx: Context, request: Any) -> None:
    """Rename an account. Names tell accounts apart in this cloud's commands. Raises Conflict."""
    row, name = _account(ctx), request["AccountName"]
    await ctx.db.fetchrow(_LOCK, row["id"])
    if await ctx.db.fetchval(_NAMESAKE, row["id"], name):
        raise ConflictException("The account name is in use.")
    await ctx.db.execute(_RENAME, row["id"], name)
    await announce(ctx.db, row["id"])


@operation("PutContactInformation", on=on_account)
async def put_contact_information(ctx: Context, request: Any) -> None:
    """Replace the primary contact."""
    await ctx.db.execute(_PUT, _account(ctx)["id"], _PRIMARY, request["ContactInformation"])


@operation("GetContactInformation", on=on_account)
async def get_contact_information(ctx: Context, request: Any) -> dict[str, Any]:
    """The primary contact. Raises ResourceNotFound."""
    return {"ContactInformation": await _contact(ctx, _PRIMARY, "No contact information was found.")}


@operation("PutAlternateContact", on=on_account)
async def put_alternate_contact(ctx: Context, request: Any) -> None:
    """Set who is reached about bills, operations or security."""
    details = {name: request[name] for name in ("Name", "Title", "EmailAddress", "PhoneNumber")}
    await ctx.db.execute(_PUT, _account(ctx)["id"], request["AlternateContactType"], details)


@operation("GetAlternateContact", on=on_account)
async def get_alternate_contact(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourceNotFound."""
    kind = request["AlternateContactType"]
    details = await _contact(ctx, kind, "No contact of the inputted alternate contact type found.")
    return {"AlternateContact": {**details, "AlternateContactType": kind}}


@operation("DeleteAlternateContact", on=on_account)
async def delete_alternate_contact(ctx: Context, request: Any) -> None:
    """Raises ResourceNotFound."""
    if not await ctx.db.fetchval(_DELETE, _account(ctx)["id"], request["AlternateContactType"]):
        raise ResourceNotFoundException("No contact of the inputted alternate contact type found.")


async def _contact(ctx: Context, kind: str, missing: str) -> dict[str, Any]:
    details = await ctx.db.fetchval(_GET, _account(ctx)["id"], kind)
    if details is None:
        raise ResourceNotFoundException(missing)
    return dict(details)


def _status(ctx: Context, row: Any, region: str) -> str:
    """Raises Validation for a region that this cloud does not have."""
    if region not in ctx.cloud.regions:
        raise ValidationException(f"The region {region} is not a valid region.")
    if region not in OPT_IN:
        return "ENABLED_BY_DEFAULT"
    return "ENABLED" if region in row["regions"] else "DISABLED"


@operation("ListRegions", on=on_account)
async def list_regions(ctx: Context, request: Any) -> dict[str, Any]:
    """The regions of this cloud, by name."""
    row, wanted = _account(ctx), request.get("RegionOptStatusContains")
    found = [{"RegionName": name, "RegionOptStatus": _status(ctx, row, name)} for name in sorted(ctx.cloud.regions)]
    found = [item for item in found if not wanted or item["RegionOptStatus"] in wanted]
    if token := request.get("NextToken"):
        try:
            after = str(decode_token(token))
        except ValueError as error:
            raise ValidationException("The NextToken is not valid.") from error
        found = [item for item in found if item["RegionName"] > after]
    limit = int(request.get("MaxResults") or _PAGE)
    shown: dict[str, Any] = {"Regions": found[:limit]}
    return {**shown, "NextToken": encode_token(found[limit - 1]["RegionName"])} if len(found) > limit else shown


@operation("GetRegionOptStatus", on=on_account)
async def get_region_opt_status(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises Validation."""
    name = request["RegionName"]
    return {"RegionName": name, "RegionOptStatus": _status(ctx, _account(ctx), name)}


@operation("EnableRegion", on=on_account)
async def enable_region(ctx: Context, request: Any) -> None:
    """Opt in to a region, from the commit on. Raises Validation for regions that are there for everybody."""
    await _opt(ctx, request["RegionName"], enabled=True)


@operation("DisableRegion", on=on_account)
async def disable_region(ctx: Context, request: Any) -> None:
    """Opt out: no request to the region is let in any more; what runs there goes on. Raises Validation."""
    await _opt(ctx, request["RegionName"], enabled=False)


async def _opt(ctx: Context, region: str, *, enabled: bool) -> None:
    id = _account(ctx)["id"]
    row = await ctx.db.fetchrow(_LOCK, id)
    if _status(ctx, row, region) == "ENABLED_BY_DEFAULT":
        raise ValidationException(f"The region {region} is enabled by default and cannot be opted in to or out of.")
    kept = sorted({*row["regions"], region} if enabled else set(row["regions"]) - {region})
    await ctx.db.execute(_SET_REGIONS, id, kept)
    await announce(ctx.db, id)

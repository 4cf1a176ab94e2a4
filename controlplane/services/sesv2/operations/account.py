"""The account: its quota and details, and its suppression list."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import ANY
from controlplane.services.ses import sending_limits, settings, suppression
from controlplane.services.ses.addresses import bare
from controlplane.services.ses.paging import after
from controlplane.services.sesv2.declaring import operation
from controlplane.services.sesv2.errors import NotFoundException
from controlplane.services.sesv2.paging import more, size

_MOST = 1000
_DETAILS = ("MailType", "WebsiteURL", "ContactLanguage", "UseCaseDescription", "AdditionalContactEmailAddresses")


@operation("GetAccount", on=ANY)
async def get_account(ctx: Context, request: Any) -> dict[str, Any]:
    """The sandbox, what is used of it, and what the account has set."""
    row = await settings.read(ctx)
    answer = {
        "DedicatedIpAutoWarmupEnabled": False,
        "EnforcementStatus": "HEALTHY",
        "ProductionAccessEnabled": False,
        "SendQuota": await sending_limits.told(ctx),
        "SendingEnabled": not row["paused"],
        "SuppressionAttributes": {"SuppressedReasons": suppression.reasons(row["settings"], {})},
    }
    details = row["settings"].get("Details")
    return {**answer, "Details": details} if details else answer


@operation("PutAccountDetails", on=ANY)
async def put_account_details(ctx: Context, request: Any) -> dict[str, Any]:
    """Kept; the sandbox is not left by it."""
    details = {name: request[name] for name in _DETAILS if request.get(name)}
    await settings.put(ctx, Details={**details, "ReviewDetails": {"Status": "PENDING", "CaseId": ""}})
    return {}


@operation("PutAccountSendingAttributes", on=ANY)
async def put_account_sending_attributes(ctx: Context, request: Any) -> dict[str, Any]:
    """Pause the account's sending, or go on."""
    await settings.pause(ctx, paused=not request.get("SendingEnabled", False))
    return {}


@operation("PutAccountSuppressionAttributes", on=ANY)
async def put_account_suppression_attributes(ctx: Context, request: Any) -> dict[str, Any]:
    """For which reasons addresses are left out."""
    await settings.put(ctx, SuppressedReasons=list(request.get("SuppressedReasons") or ()))
    return {}


@operation("PutSuppressedDestination", on=ANY)
async def put_suppressed_destination(ctx: Context, request: Any) -> dict[str, Any]:
    """Send to an address no more. Raises BadRequestException."""
    address = bare(request["EmailAddress"])
    await suppression.put(ctx.db, (ctx.account_id, ctx.region), address, request["Reason"], {})
    return {}


@operation("GetSuppressedDestination", on=ANY)
async def get_suppressed_destination(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NotFoundException."""
    row = await suppression.get(ctx, request["EmailAddress"])
    if row is None:
        raise _missing(request)
    told = {"EmailAddress": row["address"], "Reason": row["reason"], "LastUpdateTime": row["updated_at"]}
    return {"SuppressedDestination": {**told, **({"Attributes": row["cause"]} if row["cause"] else {})}}


@operation("DeleteSuppressedDestination", on=ANY)
async def delete_suppressed_destination(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NotFoundException."""
    if not await suppression.delete(ctx, request["EmailAddress"]):
        raise _missing(request)
    return {}


def _missing(request: Any) -> NotFoundException:
    return NotFoundException(f"Email address {request['EmailAddress'][:320]} does not exist on your suppression list.")


@operation("ListSuppressedDestinations", on=ANY)
async def list_suppressed_destinations(ctx: Context, request: Any) -> dict[str, Any]:
    """By address, of some reasons and of a time."""
    most, why = size(request, _MOST), request.get("Reasons") or suppression.REASONS
    span = request.get("StartDate"), request.get("EndDate")
    rows = await suppression.page(ctx, after(request) or "", why, *span, most + 1)
    told = [
        {"EmailAddress": row["address"], "Reason": row["reason"], "LastUpdateTime": row["updated_at"]}
        for row in rows[:most]
    ]
    return {"SuppressedDestinationSummaries": told, **more(rows, most, lambda row: str(row["address"]))}

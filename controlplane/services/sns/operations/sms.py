"""Text messages: what an account sets, who has opted out, the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from controlplane.core.context import Context
from controlplane.core.operation import ANY, operation
from controlplane.core.paging import decode_token, encode_token
from controlplane.services.sns import sandbox, sms
from controlplane.services.sns.attributes import ROLE
from controlplane.services.sns.errors import InvalidParameter, OptedOut

if TYPE_CHECKING:
    from types_boto3_sns.type_defs import (
        CheckIfPhoneNumberIsOptedOutInputTypeDef,
        CreateSMSSandboxPhoneNumberInputTypeDef,
        DeleteSMSSandboxPhoneNumberInputTypeDef,
        GetSMSAttributesInputTypeDef,
        ListPhoneNumbersOptedOutInputTypeDef,
        ListSMSSandboxPhoneNumbersInputTypeDef,
        OptInPhoneNumberInputTypeDef,
        SetSMSAttributesInputTypeDef,
        VerifySMSSandboxPhoneNumberInputTypeDef,
    )

_KNOWN = frozenset(
    {"MonthlySpendLimit", "DeliveryStatusIAMRole", "DeliveryStatusSuccessSamplingRate", "DefaultSenderID"}
    | {"DefaultSMSType", "UsageReportS3Bucket"}
)
_NUMBERS = {"MonthlySpendLimit": 10**9, "DeliveryStatusSuccessSamplingRate": 100}
"""Attributes that are whole numbers, and the largest."""
_PAGE = 100
_SET = """
INSERT INTO sns_sms_accounts (account_id, region, attributes) VALUES ($1, $2, $3)
ON CONFLICT (account_id, region) DO UPDATE SET attributes = sns_sms_accounts.attributes || excluded.attributes
"""
_LIST_OUT = """
SELECT number FROM sns_opted_out_numbers WHERE account_id = $1 AND region = $2 AND ($3::text IS NULL OR number > $3)
ORDER BY number LIMIT $4
"""
_OPT_IN = "DELETE FROM sns_opted_out_numbers WHERE account_id = $1 AND region = $2 AND number = $3"


@operation("SetSMSAttributes", on=ANY)
async def set_sms_attributes(ctx: Context, request: SetSMSAttributesInputTypeDef) -> dict[str, Any]:
    """Set what the account's text messages have. Raises InvalidParameter."""
    for name, value in request["attributes"].items():
        if name not in _KNOWN or (name == "DefaultSenderID" and not sms.SENDER.fullmatch(value)):
            raise InvalidParameter(
                f"{name} is not a valid attribute" if name not in _KNOWN else _no_sender(), bare=True
            )
        if name == "DefaultSMSType" and value not in sms.TYPES:
            raise InvalidParameter("DefaultSMSType is invalid", bare=True)
        if name == "DeliveryStatusIAMRole" and value and not ROLE.fullmatch(value):
            raise InvalidParameter("DeliveryStatusIAMRole is invalid", bare=True)
        if name in _NUMBERS and not (value.isascii() and value.isdigit() and int(value) <= _NUMBERS[name]):
            raise InvalidParameter(f"{name} is invalid", bare=True)
    await ctx.db.execute(_SET, ctx.account_id, ctx.region, dict(request["attributes"]))
    return {}


def _no_sender() -> str:
    return "DefaultSendID is not a valid attribute"  # AWS's own spelling


@operation("GetSMSAttributes", on=ANY)
async def get_sms_attributes(ctx: Context, request: GetSMSAttributesInputTypeDef) -> dict[str, Any]:
    """Those that are named, or all."""
    found = await sms.settings(ctx)
    names = request.get("attributes")
    return {"attributes": {name: value for name, value in found.items() if not names or name in names}}


def _number(text: str) -> str:
    if not sms.E164.fullmatch(text):
        raise InvalidParameter("PhoneNumber Reason: input incorrectly formatted")
    return text


def _after(token: str | None) -> str | None:
    if not token:
        return None
    try:
        return str(decode_token(token))
    except ValueError as error:
        raise InvalidParameter("nextToken Reason: Invalid token") from error


@operation("CheckIfPhoneNumberIsOptedOut", on=ANY)
async def check_if_phone_number_is_opted_out(
    ctx: Context, request: CheckIfPhoneNumberIsOptedOutInputTypeDef
) -> dict[str, Any]:
    """Whether a phone wants no messages."""
    number = _number(request["phoneNumber"])
    return {"isOptedOut": await sms.is_opted_out(ctx.db, ctx.account_id, ctx.region, number)}


@operation("ListPhoneNumbersOptedOut", on=ANY)
async def list_phone_numbers_opted_out(ctx: Context, request: ListPhoneNumbersOptedOutInputTypeDef) -> dict[str, Any]:
    """Phones that want no messages, a hundred a page."""
    after = _after(request.get("nextToken"))
    rows = await ctx.db.fetch(_LIST_OUT, ctx.account_id, ctx.region, after, _PAGE + 1)
    numbers = [row["number"] for row in rows[:_PAGE]]
    more = {"nextToken": encode_token(numbers[-1])} if len(rows) > _PAGE else {}
    return {"phoneNumbers": numbers, **more}


@operation("OptInPhoneNumber", on=ANY)
async def opt_in_phone_number(ctx: Context, request: OptInPhoneNumberInputTypeDef) -> dict[str, Any]:
    """Let a phone get messages again; one that gets them is no error."""
    await ctx.db.execute(_OPT_IN, ctx.account_id, ctx.region, _number(request["phoneNumber"]))
    return {}


@operation("GetSMSSandboxAccountStatus", on=ANY)
async def get_sms_sandbox_account_status(ctx: Context, request: Any) -> dict[str, Any]:
    """Whether text messages go to verified numbers alone."""
    return {"IsInSandbox": ctx.cloud.sms_sandbox}


@operation("CreateSMSSandboxPhoneNumber", on=ANY)
async def create_sms_sandbox_phone_number(
    ctx: Context, request: CreateSMSSandboxPhoneNumberInputTypeDef
) -> dict[str, Any]:
    """Enter a phone number; the code that proves it is sent there. Raises UserError, Throttled, OptedOut."""
    number = _number(request["PhoneNumber"])
    if await sms.is_opted_out(ctx.db, ctx.account_id, ctx.region, number):
        raise OptedOut
    code = await sandbox.enter(ctx, number)
    # Where it counts, only the phone may tell it.
    hidden = ctx.cloud.sms_sandbox and ctx.engine("phones").configured("sms")
    text, shown = (f"Your verification code is {code}", "******" if hidden else code)
    kind = {"AWS.SNS.SMS.SMSType": "Transactional"}
    await sms.put(ctx, uuid4(), number, text, kind, shown=f"Your verification code is {shown}")
    return {}


@operation("VerifySMSSandboxPhoneNumber", on=ANY)
async def verify_sms_sandbox_phone_number(
    ctx: Context, request: VerifySMSSandboxPhoneNumberInputTypeDef
) -> dict[str, Any]:
    """Prove a number by its code. Raises VerificationException, ResourceNotFound, Throttled."""
    await sandbox.verify(ctx, _number(request["PhoneNumber"]), request["OneTimePassword"])
    return {}


@operation("DeleteSMSSandboxPhoneNumber", on=ANY)
async def delete_sms_sandbox_phone_number(
    ctx: Context, request: DeleteSMSSandboxPhoneNumberInputTypeDef
) -> dict[str, Any]:
    """Take a number out again. Raises ResourceNotFound, UserError."""
    await sandbox.leave(ctx, _number(request["PhoneNumber"]))
    return {}


@operation("ListSMSSandboxPhoneNumbers", on=ANY)
async def list_sms_sandbox_phone_numbers(
    ctx: Context, request: ListSMSSandboxPhoneNumbersInputTypeDef
) -> dict[str, Any]:
    """The numbers that were entered, and which are verified. Raises InvalidParameter."""
    most = request.get("MaxResults") or _PAGE
    rows = await sandbox.page(ctx, _after(request.get("NextToken")) or "", most + 1)
    numbers = [
        {"PhoneNumber": row["number"], "Status": "Verified" if row["verified"] else "Pending"} for row in rows[:most]
    ]
    more = {"NextToken": encode_token(rows[most - 1]["number"])} if len(rows) > most else {}
    return {"PhoneNumbers": numbers, **more}


@operation("ListOriginationNumbers", on=ANY)
async def list_origination_numbers(ctx: Context, request: Any) -> dict[str, Any]:
    """This cloud has no numbers of its own."""
    return {"PhoneNumbers": []}

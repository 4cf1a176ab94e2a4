"""Text messages: what an account sets, who has opted out, the sandbox."""

from __future__ import annotations

import hmac
import secrets
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from controlplane.core.context import Context
from controlplane.core.operation import ANY, operation
from controlplane.core.paging import decode_token, encode_token
from controlplane.services.sns import sms
from controlplane.services.sns.errors import InvalidParameter, ResourceNotFound, VerificationFailed

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
_ENTER = """
INSERT INTO sns_sandbox_numbers (account_id, region, number, code) VALUES ($1, $2, $3, $4)
ON CONFLICT (account_id, region, number) DO UPDATE SET code = excluded.code
"""
_ENTERED = "SELECT * FROM sns_sandbox_numbers WHERE account_id = $1 AND region = $2 AND number = $3"
_ALL_ENTERED = "SELECT * FROM sns_sandbox_numbers WHERE account_id = $1 AND region = $2 ORDER BY number LIMIT 100"
_VERIFIED = "UPDATE sns_sandbox_numbers SET verified = true WHERE account_id = $1 AND region = $2 AND number = $3"
_LEAVE = "DELETE FROM sns_sandbox_numbers WHERE account_id = $1 AND region = $2 AND number = $3 RETURNING number"


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
    token, after = request.get("nextToken"), None
    if token:
        try:
            after = str(decode_token(token))
        except ValueError as error:
            raise InvalidParameter("nextToken Reason: Invalid token") from error
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
    """No account is in the sandbox: the owner decides by his gateway whom messages reach."""
    return {"IsInSandbox": False}


@operation("CreateSMSSandboxPhoneNumber", on=ANY)
async def create_sms_sandbox_phone_number(
    ctx: Context, request: CreateSMSSandboxPhoneNumberInputTypeDef
) -> dict[str, Any]:
    """Enter a phone number; the code that proves it goes to the outbox."""
    number, code = _number(request["PhoneNumber"]), f"{secrets.randbelow(10**6):06}"
    await ctx.db.execute(_ENTER, ctx.account_id, ctx.region, number, code)
    text = f"Your verification code is {code}"
    await sms.put(ctx, uuid4(), number, text, {"AWS.SNS.SMS.SMSType": "Transactional"})
    return {}


@operation("VerifySMSSandboxPhoneNumber", on=ANY)
async def verify_sms_sandbox_phone_number(
    ctx: Context, request: VerifySMSSandboxPhoneNumberInputTypeDef
) -> dict[str, Any]:
    """Prove a number by its code. Raises VerificationException, ResourceNotFound."""
    number = _number(request["PhoneNumber"])
    row = await ctx.db.fetchrow(_ENTERED, ctx.account_id, ctx.region, number)
    if row is None:
        raise ResourceNotFound("Phone number does not exist in sandbox")
    if not hmac.compare_digest(row["code"], request["OneTimePassword"]):
        raise VerificationFailed("The one-time password is incorrect")
    await ctx.db.execute(_VERIFIED, ctx.account_id, ctx.region, number)
    return {}


@operation("DeleteSMSSandboxPhoneNumber", on=ANY)
async def delete_sms_sandbox_phone_number(
    ctx: Context, request: DeleteSMSSandboxPhoneNumberInputTypeDef
) -> dict[str, Any]:
    """Take a number out again. Raises ResourceNotFound."""
    if not await ctx.db.fetchval(_LEAVE, ctx.account_id, ctx.region, _number(request["PhoneNumber"])):
        raise ResourceNotFound("Phone number does not exist in sandbox")
    return {}


@operation("ListSMSSandboxPhoneNumbers", on=ANY)
async def list_sms_sandbox_phone_numbers(
    ctx: Context, request: ListSMSSandboxPhoneNumbersInputTypeDef
) -> dict[str, Any]:
    """All numbers that were entered."""
    rows = await ctx.db.fetch(_ALL_ENTERED, ctx.account_id, ctx.region)
    return {
        "PhoneNumbers": [
            {"PhoneNumber": row["number"], "Status": "Verified" if row["verified"] else "Pending"} for row in rows
        ]
    }


@operation("ListOriginationNumbers", on=ANY)
async def list_origination_numbers(ctx: Context, request: Any) -> dict[str, Any]:
    """This cloud has no numbers of its own."""
    return {"PhoneNumbers": []}

"""Text messages: who gets them, what they cost, and their way into the outbox."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from uuid import UUID

from controlplane.core.context import Context, Unit
from controlplane.services.sns import outbox, reports, sandbox, spending
from controlplane.services.sns.errors import InvalidParameter
from controlplane.services.sns.messages import Message, timestamp
from controlplane.services.sns.outbox import Letter
from controlplane.services.sns.subscriptions import PHONE

E164 = re.compile(r"\+[1-9]\d{1,14}")
SENDER = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9]{1,11}", re.ASCII)
TYPES = ("Promotional", "Transactional")
DEFAULTS = {"MonthlySpendLimit": "1"}
_GROUP = "DirectPublishToPhoneNumber"
_OPTED_OUT = "SELECT true FROM sns_opted_out_numbers WHERE account_id = $1 AND region = $2 AND number = $3"
_OPT_OUT = """
INSERT INTO sns_opted_out_numbers (account_id, region, number) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
"""
_SETTINGS = "SELECT attributes FROM sns_sms_accounts WHERE account_id = $1 AND region = $2"


def check_number(number: str) -> None:
    """Refuse what is no phone number. Raises InvalidParameter."""
    if not PHONE.fullmatch(number):
        raise InvalidParameter(f"PhoneNumber Reason: {number} is not valid to publish to")


async def send(ctx: Context, number: str, message: Message) -> None:
    """Send a message to a phone. Raises InvalidParameter for one that has opted out, and for bad attributes."""
    if await is_opted_out(ctx.db, ctx.account_id, ctx.region, number):
        raise InvalidParameter("PhoneNumber Reason: This phone number is opted out")
    attributes = {name: value.get("StringValue") or "" for name, value in message.attributes.items()}
    _check(attributes)
    await put(ctx, message.id, number, message.body("sms"), attributes)


def _check(attributes: Mapping[str, str]) -> None:
    """Refuse what the gateway, or the account's limit, must not see. Raises InvalidParameter."""
    for name, known in (
        ("AWS.SNS.SMS.SenderID", SENDER.fullmatch),
        ("AWS.SNS.SMS.SMSType", TYPES.__contains__),
        ("AWS.SNS.SMS.MaxPrice", lambda text: math.isfinite(_number(text)) and _number(text) >= 0),
    ):
        if name in attributes and not known(attributes[name]):
            raise InvalidParameter(f"MessageAttributes Reason: {name} is invalid")


async def is_opted_out(db: Unit, account_id: str, region: str, number: str) -> bool:
    """Whether a phone wants nothing from an account."""
    return bool(await db.fetchval(_OPTED_OUT, account_id, region, number))


async def opt_out(db: Unit, account_id: str, region: str, number: str) -> None:
    """Let a phone get nothing more from an account."""
    await db.execute(_OPT_OUT, account_id, region, number)


async def settings(ctx: Context) -> dict[str, str]:
    """What the account has set for its text messages."""
    row = await ctx.db.cached_row(_SETTINGS, ctx.account_id, ctx.region)
    return DEFAULTS | (row["attributes"] if row is not None else {})


async def put(
    ctx: Context, id: UUID, number: str, text: str, attributes: Mapping[str, str], *, shown: str | None = None
) -> None:
    """Put a message into the outbox of the context's account, within its limits. `shown` is of a verification: it goes
    to any number, and is what the outbox tells in place of the text. Delivery status tells nothing of it: a digest of
    the text, or an answer that repeats it, would give the code away."""
    own = await settings(ctx)
    fields = {
        "id": str(id),
        "number": number,
        "text": text,
        "sender": attributes.get("AWS.SNS.SMS.SenderID") or own.get("DefaultSenderID") or "NOTICE",
        "type": attributes.get("AWS.SNS.SMS.SMSType") or own.get("DefaultSMSType") or "Promotional",
    }
    told = {"PhoneNumber": number, "Message": text if shown is None else shown, "Attributes": dict(attributes)}
    rates = {"SMSSuccessFeedbackRoleArn": own.get("DeliveryStatusIAMRole", "")}
    rates |= {"SMSFailureFeedbackRoleArn": own.get("DeliveryStatusIAMRole", "")}
    rates |= {"SMSSuccessFeedbackSampleRate": own.get("DeliveryStatusSuccessSamplingRate", "")}
    secret = shown is not None
    closed = not secret and ctx.cloud.sms_sandbox and not await sandbox.is_verified(ctx, number)
    failure = "Destination phone number is not verified" if closed else await _refusal(ctx, own, attributes)
    wanted = None if secret else reports.wanted(rates, "SMS", f"sns/{ctx.region}/{ctx.account_id}/{_GROUP}")
    notification = None if secret else reports.notification(str(id), text, timestamp())
    await outbox.put(ctx, Letter("sms", id, told, fields, wanted, notification, failure=failure, secret=secret))


async def _refusal(ctx: Context, own: Mapping[str, str], attributes: Mapping[str, str]) -> str:
    """Why a message must not be sent, in the words of AWS's delivery logs; empty when it may. Counts what it costs."""
    price = ctx.engine("phones").price("sms")
    if not price:
        return ""
    most = attributes.get("AWS.SNS.SMS.MaxPrice")
    if most and not price <= _number(most):
        return "Price of message exceeds the maximum price"
    counted = await spending.count(ctx, price, _number(own["MonthlySpendLimit"]))
    return "" if counted else "No quota left for account"


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan

"""Text messages. They go to an outbox that their account can read; a phone that has opted out gets none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson

from controlplane.core.context import Context, Unit
from controlplane.services.sns.errors import InvalidParameter
from controlplane.services.sns.messages import Message
from controlplane.services.sns.subscriptions import PHONE
from controlplane.state.sealing import Sealer

PURPOSE = "sns-sms"
E164 = re.compile(r"\+[1-9]\d{1,14}")
_INSERT = "INSERT INTO sns_sms_messages (id, account_id, region, content) VALUES ($1, $2, $3, $4)"
_OPTED_OUT = "SELECT true FROM sns_opted_out_numbers WHERE account_id = $1 AND region = $2 AND number = $3"
_OUTBOX = """
SELECT id, content, created_at FROM sns_sms_messages WHERE account_id = $1 AND region = $2
ORDER BY created_at DESC LIMIT $3
"""


def check_number(number: str) -> None:
    """Refuse what is no phone number. Raises InvalidParameter."""
    if not PHONE.fullmatch(number):
        raise InvalidParameter(f"PhoneNumber Reason: {number} is not valid to publish to")


async def send(ctx: Context, number: str, message: Message) -> None:
    """Put a message into the caller's outbox."""
    if await is_opted_out(ctx.db, ctx.account_id, ctx.region, number):
        raise InvalidParameter("PhoneNumber Reason: This phone number is opted out")
    attributes = {name: value.get("StringValue") for name, value in message.attributes.items()}
    sealer = ctx.engine("sealing")
    await keep(ctx.db, sealer, ctx.account_id, ctx.region, message.id, number, message.body("sms"), attributes)


async def is_opted_out(db: Unit, account_id: str, region: str, number: str) -> bool:
    """Whether a phone wants nothing from an account."""
    return bool(await db.fetchval(_OPTED_OUT, account_id, region, number))


async def keep(
    db: Unit,
    sealer: Sealer,
    account_id: str,
    region: str,
    id: UUID,
    number: str,
    text: str,
    attributes: Mapping[str, Any],
) -> None:
    """Put a message into an account's outbox."""
    content = orjson.dumps({"PhoneNumber": number, "Message": text, "Attributes": attributes})
    await db.execute(_INSERT, id, account_id, region, sealer.seal(PURPOSE, content, str(id)))


async def outbox(ctx: Context, most: int) -> list[dict[str, Any]]:
    """The latest messages of the caller's outbox, newest first."""
    sealer: Sealer = ctx.engine("sealing")
    return [
        {
            "MessageId": str(row["id"]),
            "CreatedAt": row["created_at"].isoformat(),
            **orjson.loads(sealer.open(PURPOSE, row["content"], str(row["id"]))),
        }
        for row in await ctx.db.fetch(_OUTBOX, ctx.account_id, ctx.region, most)
    ]

"""Messages for phones: texts, and what devices are told.

Each lies in its account's outbox for two weeks, and goes to the owner's gateway where there is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from controlplane.core.context import Context
from controlplane.engines.phones.contract import Kind
from controlplane.services.sns import reports
from controlplane.services.sns.reports import Wanted
from controlplane.state.sealing import Sealer

KIND = "sns.outbox"
"""The kind of work that hands a message to the gateway; its keys are messages."""
PURPOSE = "sns-sms"
STORED, WAITING, DELIVERED, FAILED = "STORED", "WAITING", "DELIVERED", "FAILED"
"""STORED: there is no gateway, so it stays here."""
_INSERT = """
INSERT INTO sns_outbox (id, account_id, region, kind, state, answer, content) VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_LIST = """
SELECT id, state, answer, content, created_at FROM sns_outbox WHERE account_id = $1 AND region = $2 AND kind = $3
ORDER BY created_at DESC LIMIT $4
"""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message on its way. `told` is what the outbox shows, `fields` what the gateway gets. `device` is the ARN of a
    push message's endpoint, `via` the cloud's address, for what is signed later. `failure` says why it goes nowhere. Of
    a `secret` one nobody sees what the gateway answers, since that may repeat the text."""

    kind: Kind
    id: UUID
    told: Mapping[str, Any]
    fields: Mapping[str, str]
    wanted: Wanted | None = None
    notification: Mapping[str, Any] | None = None
    device: str = ""
    via: str = ""
    failure: str = ""
    is_event: bool = False
    secret: bool = False


async def put(ctx: Context, letter: Letter) -> None:
    """Put a message into the outbox of the context's account, and have it sent if there is a gateway."""
    waits = not letter.failure and ctx.engine("phones").configured(letter.kind)
    state = FAILED if letter.failure else WAITING if waits else STORED
    content = {
        "told": letter.told,
        "fields": letter.fields,
        "wanted": letter.wanted,
        "notification": letter.notification,
        "device": letter.device,
        "via": letter.via,
        "event": letter.is_event,
        "secret": letter.secret,
    }
    sealed = ctx.engine("sealing").seal(PURPOSE, orjson.dumps(content), str(letter.id))
    await ctx.db.execute(
        _INSERT, letter.id, ctx.account_id, ctx.region, letter.kind, state, letter.failure or None, sealed
    )
    if waits:
        await ctx.wake(KIND, str(letter.id))
    elif letter.wanted is not None:
        await note(ctx, letter.wanted, content, attempts=1, ok=not letter.failure, status=0, answer=letter.failure)


async def note(
    ctx: Context, wanted: Wanted, content: Mapping[str, Any], *, attempts: int, ok: bool, status: int, answer: str
) -> None:
    """Note what became of a message for its delivery status."""
    where = content["device"] or content["told"].get("PhoneNumber", "")
    result = reports.Result(where, ok=ok, status=status, answer=answer, attempts=attempts)
    await reports.note(ctx, wanted, [(content["notification"] or {}, result)])


def opened(sealer: Sealer, row: Any) -> dict[str, Any]:
    """The content of a row."""
    found: dict[str, Any] = orjson.loads(sealer.open(PURPOSE, row["content"], str(row["id"])))
    return found if "told" in found else {"told": found}  # as texts were kept before there were gateways


async def listed(ctx: Context, kind: Kind, most: int) -> list[dict[str, Any]]:
    """The latest messages of the caller's outbox, newest first."""
    sealer: Sealer = ctx.engine("sealing")
    return [
        {
            "MessageId": str(row["id"]),
            "CreatedAt": row["created_at"].isoformat(),
            "Status": row["state"],
            **({"ProviderResponse": row["answer"]} if row["answer"] else {}),
            **opened(sealer, row)["told"],
        }
        for row in await ctx.db.fetch(_LIST, ctx.account_id, ctx.region, kind, most)
    ]

"""Mail that goes out, events on their way to topics, and the emptying of the mailbox."""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

from controlplane.core.context import Unit
from controlplane.core.errors import AwsError, EngineUnavailable
from controlplane.services.ses import events, fates, inbound, keys, mailing, relaying, suppression
from controlplane.services.ses.receiving import RECEIVE
from controlplane.services.ses.relaying import RELAY
from controlplane.work.reconciler import GONE, Again, Outcome, Run, reconciler

log = logging.getLogger(__name__)

_OLD = "DELETE FROM ses_mails WHERE created_at < now() - interval '30 days'"
_NOTICE = "SELECT * FROM ses_notices WHERE id = $1 FOR UPDATE"
_TOLD = "DELETE FROM ses_notices WHERE id = $1"
_MAIL = "SELECT * FROM ses_mails WHERE id = $1"
_NOTE = """
UPDATE ses_mails SET waiting = $2, attempts = attempts + 1, bounced = bounced + $3,
    facts = CASE WHEN $2 = '[]'::jsonb THEN '{}'::jsonb ELSE facts END
WHERE id = $1
"""
_APPLIED = "UPDATE ses_mails SET facts = '{}' WHERE id = $1"
_SETTINGS = "SELECT settings FROM ses_accounts WHERE account_id = $1 AND region = $2"
_MOST_ATTEMPTS = 12
_SECONDS = 15.0


@reconciler("ses.expiry", every=3600.0, standing=True)
async def expire(run: Run, key: str) -> Outcome:
    """Delete mails of more than thirty days ago."""
    async with run.step() as db:
        await db.execute(_OLD)
    return None


@reconciler(keys.PUBLISH)
async def publish_keys(run: Run, key: str) -> Outcome:
    """Have the name server answer with the public keys of all identities."""
    engine = run.engine("dns")
    async with run.step() as db:
        ours = await engine.write(db, keys.ZONE, keys.OWNER, await keys.zone(db))
    if ours:
        try:
            await engine.refresh(keys.ZONE)
        except EngineUnavailable:
            return Again(1.0)
    return None


@reconciler(events.NOTICE)
async def tell(run: Run, key: str) -> Outcome:
    """Hand an event to its topic, whose policy decides. One that is not taken is lost, as at AWS."""
    async with run.step() as db:
        row = await db.fetchrow(_NOTICE, UUID(key))
        if row is None:
            return GONE
        request = {"TopicArn": row["topic"], "Subject": row["subject"], "Message": row["message"]}
        ctx = run.acting(db, "ses.amazonaws.com", row["source_arn"], account_id=row["account_id"])
        ctx.facts["aws:SourceOwner"] = row["account_id"]
        await db.execute(_TOLD, row["id"])
        try:
            await ctx.call("sns", "Publish", request)
        except AwsError as error:
            if error.status >= 500:
                raise
            log.info("an event of SES was not taken by its topic: %s", error.code)
    return None


@reconciler(RECEIVE)
async def receive(run: Run, key: str) -> Outcome:
    """Apply the rules to a mail that has come in, once."""
    async with run.step() as db:
        row = await db.fetchrow(f"{_MAIL} FOR UPDATE", UUID(key))
        if row is not None and row["facts"].get("new"):
            await inbound.apply(run, db, row)
            await db.execute(_APPLIED, row["id"])
    return GONE


@reconciler(RELAY)
async def relay(run: Run, key: str) -> Outcome:
    """Hand a mail to the relay for those who wait; no transaction is open meanwhile."""
    async with run.step() as db:
        row, server = await db.fetchrow(_MAIL, UUID(key)), await relaying.find(db)
    if row is None or not row["waiting"]:
        return GONE
    sealer = run.engine("sealing")
    last = row["attempts"] + 1 >= _MOST_ATTEMPTS
    try:
        if server is None:
            raise OSError("there is no relay any more")
        content = mailing.opened(sealer, row)
        answer, refused = await relaying.hand_over(sealer, server, row["source"], row["waiting"], content)
    except OSError as error:  # smtplib's errors are among them
        log.info("the relay does not take a mail: %r", error)
        answer, refused = "", [relaying.Refused(address, 451, "not reached") for address in row["waiting"]]
    kept = [item.address for item in refused if not item.final and not last]
    bounced = [item for item in refused if item.address not in kept]
    gone = {item.address for item in refused}
    async with run.step() as db:
        delivered = [address for address in row["waiting"] if address not in gone]
        await db.execute(_NOTE, row["id"], kept, len(bounced))
        await _tell_fates(db, row, answer, delivered, bounced)
    return Again(min(_SECONDS * 2 ** row["attempts"], 3600.0)) if kept else None


async def _tell_fates(db: Unit, row: Any, answer: str, delivered: list[str], bounced: list[relaying.Refused]) -> None:
    box = (row["account_id"], row["region"])
    told = [events.Event("Delivery", fates.delivery(delivered, answer))] if delivered else []
    for item in bounced:
        kind = "Permanent" if item.final else "Transient"
        detail = fates.bounce([item.address], "General", "5.1.1" if item.final else "4.4.7", item.text, kind)
        told.append(events.Event("Bounce", detail))
        settings = await db.fetchval(_SETTINGS, *box) or {}
        if item.final and "BOUNCE" in suppression.reasons(settings, {}):
            cause = {"MessageId": row["facts"]["mail"]["messageId"], "FeedbackId": detail["feedbackId"]}
            await suppression.put(db, box, item.address, "BOUNCE", cause)
    await events.tell(db, row["account_id"], row["facts"], told)

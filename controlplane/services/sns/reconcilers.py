"""Deliveries to endpoints that are not queues, and what deleted topics leave."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import orjson

from controlplane.services.sns import delivery_policies, outbox, platforms, queries, reports, sending
from controlplane.services.sns.delivering import KIND, PURPOSE
from controlplane.services.sns.messages import timestamp
from controlplane.services.sns.publishing import dead_letters_of
from controlplane.services.sns.reports import Result, Wanted
from controlplane.services.sns.sending import Failed
from controlplane.services.sns.subscriptions import Subscription, of_row
from controlplane.services.sns.topics import Topic
from controlplane.services.sns.topics import of_row as topic_of_row
from controlplane.work.reconciler import GONE, Again, Outcome, Run, reconciler

log = logging.getLogger(__name__)

_ABREAST = 10
_PORTION = 1000
_TIDY_SECONDS = 60.0
_REPORTS_SECONDS = 2.0
_DUE = "SELECT * FROM sns_deliveries WHERE subscription_id = $1 AND due_at <= $2 ORDER BY id LIMIT $3"
_NEXT = "SELECT min(due_at) FROM sns_deliveries WHERE subscription_id = $1"
_DONE = "DELETE FROM sns_deliveries WHERE id = $1"
_LATER = "UPDATE sns_deliveries SET attempts = attempts + 1, due_at = $2 WHERE id = $1"
_TOPIC = "SELECT * FROM sns_topics WHERE id = $1"
_FORGET = "DELETE FROM sns_deduplications WHERE expires_at <= $1"
_ORPHANS = """
DELETE FROM sns_subscriptions WHERE id IN (SELECT id FROM sns_subscriptions WHERE topic_id = $1 LIMIT $2) RETURNING id
"""
_UNCONFIRMED = "DELETE FROM sns_subscriptions WHERE NOT confirmed AND created_at < now() - interval '2 days'"
_OLD_MESSAGES = "DELETE FROM sns_outbox WHERE created_at < now() - interval '14 days'"
_WAITING = "SELECT * FROM sns_outbox WHERE id = $1 AND state = 'WAITING'"
_ENDED = "UPDATE sns_outbox SET state = $2, answer = $3, attempts = attempts + 1 WHERE id = $1"
_LOGGED = {"http": "HTTP", "https": "HTTP", "lambda": "Lambda", "firehose": "Firehose"}
"""What the attributes begin with that ask for logs, by protocol. Devices are their application's to log."""
_PHONE_DELAYS = (10.0, 10.0, *(10.0 * 60 ** (n / 9) for n in range(10)), *[600.0] * 38)
"""Seconds between attempts, as AWS's: two, then growing ones, then every ten minutes for six hours."""


@reconciler("sns.tidy", every=_TIDY_SECONDS, standing=True)
async def tidy(run: Run, key: str) -> Outcome:
    """Forget what is past its time."""
    async with run.step() as db:
        await db.execute(_FORGET, _now())
        await db.execute(_UNCONFIRMED)
        await db.execute(_OLD_MESSAGES)
    return None


@reconciler("sns.reports", every=_REPORTS_SECONDS, standing=True)
async def write_reports(run: Run, key: str) -> Outcome:
    """Write what became of messages into log groups."""
    while await reports.write_next(run):
        pass
    return None


@reconciler("sns.remains")
async def remains(run: Run, key: str) -> Outcome:
    """Delete the subscriptions of a deleted topic."""
    while True:
        async with run.step() as db:
            if len(await db.fetch(_ORPHANS, int(key), _PORTION)) < _PORTION:
                return GONE


@reconciler(KIND)
async def deliver(run: Run, key: str) -> Outcome:
    """Send what is due to one subscription's endpoint."""
    async with run.step() as db:
        rows = await db.fetch(_DUE, UUID(key), _now(), _ABREAST)
        row = await queries.subscription_by_id(db, UUID(key))
        topics = {row["topic_id"]: await db.fetchrow(_TOPIC, row["topic_id"]) for row in rows}
    subscription = of_row(row) if row is not None else None
    await asyncio.gather(*(_one(run, delivery, subscription, topics[delivery["topic_id"]]) for delivery in rows))
    async with run.step() as db:
        due = await db.fetchval(_NEXT, UUID(key))
    return GONE if due is None else Again(max(0.0, (due - _now()) / 1000))


async def _one(run: Run, row: Any, subscription: Subscription | None, topic_row: Any) -> None:
    """Try a delivery; end it, or put it off."""
    content = orjson.loads(run.engine("sealing").open(PURPOSE, row["content"], str(row["subscription_id"])))
    wanted = topic_row is not None and (subscription is not None or content["type"] == "UnsubscribeConfirmation")
    if wanted and content["type"] == "Notification" and subscription is not None and not subscription.confirmed:
        wanted = False
    if wanted:
        topic = topic_of_row(topic_row)
        policy = delivery_policies.retries(subscription.own if subscription else {}, topic.own)
        try:
            told = await _send(run, topic, subscription, content, policy.content_type, row)
            await _report(run, topic, subscription, content, row, Result("", True, *told, row["attempts"] + 1))
        except Failed as failed:
            log.info("a delivery to %s failed: %s", content.get("endpoint") or topic.arn, failed)
            if not failed.final and row["attempts"] < len(policy.delays):
                later = _now() + int(policy.delays[row["attempts"]] * 1000)
                async with run.step() as db:
                    await db.execute(_LATER, row["id"], later)
                return
            result = Result("", False, failed.status, failed.text, row["attempts"] + 1)
            await _report(run, topic, subscription, content, row, result)
            await _bury(run, row, subscription, topic, content)
            return
    async with run.step() as db:
        await db.execute(_DONE, row["id"])


async def _send(
    run: Run, topic: Topic, subscription: Subscription | None, content: Any, kind: str, row: Any
) -> tuple[int, str]:
    """Try once; answers the endpoint's status and text. Raises Failed."""
    protocol = subscription.protocol if subscription else content["protocol"]
    endpoint = subscription.endpoint if subscription else content["endpoint"]
    if protocol in ("http", "https"):
        arn = f"{topic.arn}:{row['subscription_id']}"
        raw = subscription is not None and subscription.raw and content["type"] == "Notification"
        headers = sending.headers_of(content, topic, arn, kind, raw=raw)
        return await sending.over_http(run.engine("outbound"), endpoint, content, headers)
    if protocol in ("email", "email-json"):
        await sending.by_mail(run, topic, protocol, endpoint, content)
    elif protocol == "sms":
        await sending.as_text(run, topic, endpoint, content)
    elif protocol == "application":
        await sending.to_device(run, topic, endpoint, content)
    elif subscription is not None and protocol in ("lambda", "firehose"):
        await sending.to_service(run, topic, subscription, content)
    return 200, "OK"


async def _report(
    run: Run, topic: Topic, subscription: Subscription | None, content: Any, row: Any, result: Result
) -> None:
    """Log how a delivery ended, if the topic asks for that. What goes to devices is logged by their application."""
    prefix = _LOGGED.get(subscription.protocol) if subscription else None
    wanted = reports.wanted(topic.own, prefix, topic.log_group) if prefix else None
    if subscription is None or wanted is None or content["type"] != "Notification":
        return
    told = reports.notification(content["id"], content["text"], content.get("at") or timestamp(), topic.arn)
    async with run.step() as db:
        ctx = run.acting(db, sending.SERVICE, topic.arn)
        await reports.note(ctx, wanted, [(told, replace(result, destination=subscription.endpoint))])


@reconciler(outbox.KIND)
async def hand_over(run: Run, key: str) -> Outcome:
    """Hand a message of an outbox to the owner's gateway."""
    async with run.step() as db:
        row = await db.fetchrow(_WAITING, UUID(key))
    phones = run.engine("phones")
    if row is None or not phones.configured(row["kind"]):
        return GONE
    content = outbox.opened(run.engine("sealing"), row)
    answer = await phones.send(row["kind"], content["fields"])
    again = not answer.ok and not answer.final and row["attempts"] < len(_PHONE_DELAYS)
    state = outbox.DELIVERED if answer.ok else outbox.WAITING if again else outbox.FAILED
    async with run.step() as db:
        told = f"{answer.status}" if content.get("secret") else f"{answer.status} {answer.text}".replace("\0", "")
        await db.execute(_ENDED, row["id"], state, told)
        ctx = run.acting(db, sending.SERVICE, f"arn:aws:sns:{row['region']}:{row['account_id']}:outbox")
        if answer.gone:
            await platforms.is_gone(ctx, content["device"], key, content["via"], by_event=bool(content.get("event")))
        if not again and content["wanted"] is not None:
            facts = {"attempts": row["attempts"] + 1, "ok": answer.ok, "status": answer.status, "answer": answer.text}
            await outbox.note(ctx, Wanted(**content["wanted"]), content, **facts)
    return Again(_PHONE_DELAYS[row["attempts"]]) if again else GONE


async def _bury(run: Run, row: Any, subscription: Subscription | None, topic: Topic, content: Any) -> None:
    """End a delivery; what can go to a dead-letter queue goes there in the same transaction."""
    target = dead_letters_of(subscription) if subscription and content["type"] == "Notification" else None
    async with run.step() as db:
        if target is not None:
            letter = {
                "Id": str(uuid4()),
                "Body": content["body"],
                "Attributes": {},
                "GroupId": content.get("group"),
                "DeduplicationId": content.get("deduplication"),
                "To": [(target, "")],
            }
            await run.acting(db, sending.SERVICE, topic.arn).ask("sqs", "Deliver", {"Letters": [letter]})
        await db.execute(_DONE, row["id"])


def _now() -> int:
    return time.time_ns() // 1_000_000

"""Deliveries to endpoints that are not queues, and what deleted topics leave."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any
from uuid import UUID, uuid4

import orjson

from controlplane.services.sns import delivery_policies, queries, sending, sms
from controlplane.services.sns.delivering import KIND, PURPOSE
from controlplane.services.sns.publishing import dead_letters_of
from controlplane.services.sns.sending import Failed
from controlplane.services.sns.subscriptions import Subscription, of_row
from controlplane.services.sns.topics import Topic
from controlplane.services.sns.topics import of_row as topic_of_row
from controlplane.work.reconciler import GONE, Again, Outcome, Run, reconciler

log = logging.getLogger(__name__)

_ABREAST = 10
_PORTION = 1000
_TIDY_SECONDS = 60.0
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
_OLD_SMS = "DELETE FROM sns_sms_messages WHERE created_at < now() - interval '14 days'"


@reconciler("sns.tidy", every=_TIDY_SECONDS, standing=True)
async def tidy(run: Run, key: str) -> Outcome:
    """Forget what is past its time."""
    async with run.step() as db:
        await db.execute(_FORGET, _now())
        await db.execute(_UNCONFIRMED)
        await db.execute(_OLD_SMS)
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
            await _send(run, topic, subscription, content, policy.content_type, str(row["subscription_id"]))
        except Failed as failed:
            log.info("a delivery to %s failed: %s", content.get("endpoint") or topic.arn, failed)
            if not failed.final and row["attempts"] < len(policy.delays):
                later = _now() + int(policy.delays[row["attempts"]] * 1000)
                async with run.step() as db:
                    await db.execute(_LATER, row["id"], later)
                return
            await _bury(run, row, subscription, topic, content)
            return
    async with run.step() as db:
        await db.execute(_DONE, row["id"])


async def _send(
    run: Run, topic: Topic, subscription: Subscription | None, content: Any, kind: str, subscription_id: str
) -> None:
    protocol = subscription.protocol if subscription else content["protocol"]
    endpoint = subscription.endpoint if subscription else content["endpoint"]
    if protocol in ("http", "https"):
        arn = f"{topic.arn}:{subscription_id}"
        raw = subscription is not None and subscription.raw and content["type"] == "Notification"
        await sending.over_http(endpoint, content, sending.headers_of(content, topic, arn, kind, raw=raw))
    elif protocol in ("email", "email-json"):
        await sending.by_mail(run, topic, protocol, endpoint, content)
    elif protocol == "sms":
        await _text(run, topic, endpoint, content)
    elif subscription is not None and protocol in ("lambda", "firehose"):
        await sending.to_service(run, topic, subscription, content)


async def _text(run: Run, topic: Topic, number: str, content: Any) -> None:
    async with run.step() as db:
        if not await sms.is_opted_out(db, topic.account_id, topic.region, number):
            sealer = run.engine("sealing")
            await sms.keep(db, sealer, topic.account_id, topic.region, uuid4(), number, content["text"], {})


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

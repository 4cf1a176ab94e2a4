"""What is to be sent to other endpoints than queues: noted in the transaction that publishes, sent by a reconciler."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

import orjson

from controlplane.core.context import Context
from controlplane.services.sns import messages, signing
from controlplane.services.sns.messages import HOLE, Message
from controlplane.services.sns.subscriptions import Subscription
from controlplane.services.sns.topics import Topic
from controlplane.state.sealing import Sealer

PURPOSE = "sns-delivery"
KIND = "sns.subscription"
_DEVICE_NAMES = 4
_INSERT = """
INSERT INTO sns_deliveries (account_id, topic_id, subscription_id, content, due_at)
SELECT $1, $2, *, $5 FROM unnest($3::uuid[], $4::bytea[])
"""


async def note(ctx: Context, topic: Topic, wanted: Sequence[tuple[Subscription, Message, str]]) -> None:
    """Note messages for subscriptions, with their envelopes."""
    sealer: Sealer = ctx.engine("sealing")
    signer = await signing.signer(ctx.engine("database"), sealer)
    contents = []
    for subscription, message, envelope in wanted:
        content = {
            "type": "Notification",
            "id": str(message.id),
            "body": message.body(subscription.protocol)
            if subscription.raw
            else signer.finish(envelope.replace(HOLE, subscription.arn)),
            "text": message.body(_body_of(subscription)),
            "at": message.at,
            "via": ctx.endpoint,
            "subject": message.subject,
            "attributes": {name: value.get("StringValue") for name, value in message.attributes.items()},
            "group": message.group_id,
            "deduplication": message.deduplication_id,
            "event": message.event,
        }
        contents.append(_sealed(sealer, subscription.id, content))
    await _insert(ctx, topic, [subscription.id for subscription, *_ in wanted], contents)


def _body_of(subscription: Subscription) -> str:
    """Which of a message's texts an endpoint gets: a device that of its platform."""
    if subscription.protocol != "application":
        return subscription.protocol
    names = subscription.endpoint.split(":")[-1].split("/")
    return names[1] if len(names) == _DEVICE_NAMES else subscription.protocol


async def ask_to_confirm(ctx: Context, topic: Topic, subscription: Subscription) -> None:
    """Send an endpoint the token with which it confirms."""
    text = (
        f"You have chosen to subscribe to the topic {topic.arn}.\n"
        "To confirm the subscription, visit the SubscribeURL included in this message."
    )
    await _tell(ctx, topic, subscription, "SubscriptionConfirmation", text)


async def tell_of_the_end(ctx: Context, topic: Topic, subscription: Subscription) -> None:
    """Tell an endpoint that it gets no more."""
    text = (
        f"You have chosen to deactivate subscription {subscription.arn}.\n"
        "To cancel this operation and restore the subscription, visit the SubscribeURL included in this message."
    )
    await _tell(ctx, topic, subscription, "UnsubscribeConfirmation", text)


async def _tell(ctx: Context, topic: Topic, subscription: Subscription, type: str, text: str) -> None:
    token = subscription.token or ""
    fields: dict[str, Any] = {
        "Type": type,
        "MessageId": str(uuid4()),
        "Token": token,
        "TopicArn": topic.arn,
        "Message": text,
        "SubscribeURL": f"{ctx.endpoint}/?Action=ConfirmSubscription&TopicArn={topic.arn}&Token={token}",
        "Timestamp": messages.timestamp(),
        "SignatureVersion": topic.signature_version,
    }
    signer = await signing.signer(ctx.engine("database"), ctx.engine("sealing"))
    content = {
        "type": type,
        "id": fields["MessageId"],
        "body": messages.envelope(signer.sign(fields, ctx.endpoint)),
        "text": text,
        "url": fields["SubscribeURL"],
        "protocol": subscription.protocol,
        "endpoint": subscription.endpoint,
    }
    sealed = _sealed(ctx.engine("sealing"), subscription.id, content)
    await _insert(ctx, topic, [subscription.id], [sealed])


def _sealed(sealer: Sealer, subscription: UUID, content: Mapping[str, Any]) -> bytes:
    return sealer.seal(PURPOSE, orjson.dumps(content), str(subscription))


async def _insert(ctx: Context, topic: Topic, subscriptions: list[UUID], contents: list[bytes]) -> None:
    now = time.time_ns() // 1_000_000
    await ctx.db.execute(_INSERT, topic.account_id, topic.id, subscriptions, contents, now)
    for id in dict.fromkeys(subscriptions):
        await ctx.wake(KIND, str(id))

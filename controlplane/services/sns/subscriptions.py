"""Subscriptions: finding them, and where they may go."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from controlplane.core.arn import Arn
from controlplane.core.context import Context
from controlplane.core.operation import Resource
from controlplane.services.sns import queries, topics
from controlplane.services.sns.errors import InvalidParameter, NotFound
from controlplane.services.sns.topics import Topic

PHONE = re.compile(r"\+?[1-9](?:[ ./()-]?\d){3,14}")
_DEVICE = re.compile(r"endpoint(/[^/:]+){3}")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}")
PROTOCOLS = ("http", "https", "email", "email-json", "sms", "sqs", "application", "lambda", "firehose")
CONFIRMED_BY_TOKEN = ("http", "https", "email", "email-json")


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription as its row says."""

    id: UUID
    topic_id: int
    topic_arn: str
    account_id: str
    protocol: str
    endpoint: str
    own: dict[str, str]
    principal: str
    confirmed: bool
    authenticated: bool
    only_by_owner: bool
    token: str | None

    @property
    def arn(self) -> str:
        return f"{self.topic_arn}:{self.id}"

    @property
    def raw(self) -> bool:
        return self.own.get("RawMessageDelivery") == "true"


def of_row(row: Any) -> Subscription:
    """The subscription of a row of `sns_subscriptions`."""
    return Subscription(
        row["id"],
        row["topic_id"],
        row["topic_arn"],
        row["account_id"],
        row["protocol"],
        row["endpoint"],
        row["attributes"],
        row["principal"],
        row["confirmed"],
        row["authenticated"],
        row["only_by_owner"],
        row["token"],
    )


def new_token() -> str:
    """What whoever reads an endpoint's mail shows to confirm it."""
    return secrets.token_hex(96)


async def find(ctx: Context, text: str) -> Subscription | None:
    """The subscription of an ARN."""
    topic_arn, _, id = text.rpartition(":")
    try:
        row = await queries.subscription(ctx.db, UUID(id), topic_arn)
    except ValueError:
        return None
    return of_row(row) if row is not None and Arn.parse(topic_arn).region == ctx.region else None


async def on_subscription(ctx: Context, request: Any) -> list[Resource]:
    """The subscription that is named: the caller must be allowed to by the topic's account or own it."""
    found = await find(ctx, request["SubscriptionArn"])
    if found is None:
        return [await topics.resource_of(ctx, request["SubscriptionArn"].rpartition(":")[0])]
    topic = await topics.find(ctx, found.topic_arn)
    if found.account_id == ctx.account_id or topic is None:
        return [Resource(found.arn, conditions={"aws:ResourceAccount": found.account_id}, row=found)]
    return [Resource(found.arn, topic.tags, topic.policy, row=found)]


def the_subscription(ctx: Context) -> Subscription:
    """The subscription that permission was asked for. Raises NotFound, InvalidParameter."""
    found: Subscription | None = ctx.resources[0].row if ctx.resources else None
    if not isinstance(found, Subscription):
        check_arn(ctx.request["SubscriptionArn"])
        raise NotFound("Subscription")
    return found


def check_arn(text: str) -> None:
    """Refuse what is no ARN of a subscription. Raises InvalidParameter."""
    parts = topics.parts_of("SubscriptionArn", text)
    if len(parts) != 7:
        raise InvalidParameter("SubscriptionArn Reason: An ARN must have at least 6 elements, not 5")
    try:
        UUID(parts[6])
    except ValueError as error:
        raise InvalidParameter("SubscriptionId") from error


async def check_endpoint(ctx: Context, topic: Topic, protocol: str, endpoint: str) -> None:
    """Refuse an endpoint that the protocol does not have. Raises InvalidParameter."""
    if protocol not in PROTOCOLS:
        raise InvalidParameter(f"Amazon SNS does not support this protocol string: {protocol}")
    if topic.fifo and protocol != "sqs":
        raise InvalidParameter(f"Invalid protocol type: {protocol}")
    if protocol in ("http", "https"):
        _check_url(protocol, endpoint)
    elif protocol in ("email", "email-json"):
        if not _EMAIL.fullmatch(endpoint):
            raise InvalidParameter("Email address")
    elif protocol == "sms":
        if not PHONE.fullmatch(endpoint):
            raise InvalidParameter(f"Invalid SMS endpoint: {endpoint}", bare=True)
    else:
        _check_arn(topic, protocol, endpoint)


def _check_url(protocol: str, endpoint: str) -> None:
    try:
        parts = urlsplit(endpoint)
        known = parts.scheme == protocol and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        known = False
    if not known:
        raise InvalidParameter(f"Endpoint must match the specified protocol: {protocol}")


def _check_arn(topic: Topic, protocol: str, endpoint: str) -> None:
    names = {"sqs": "SQS endpoint ARN", "lambda": "Lambda endpoint ARN", "firehose": "Firehose endpoint ARN"}
    try:
        parts = Arn.parse(endpoint)
    except ValueError as error:
        raise InvalidParameter(names.get(protocol, "Endpoint")) from error
    if parts.service != {"application": "sns"}.get(protocol, protocol):
        raise InvalidParameter(names.get(protocol, "Endpoint"))
    if protocol == "application" and not _DEVICE.fullmatch(parts.resource):
        raise InvalidParameter("Endpoint Reason: Wrong number of slashes in relative portion of the ARN.")
    if protocol == "sqs" and endpoint.endswith(".fifo") and not topic.fifo:
        raise InvalidParameter(
            "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics"
        )

"""Finding the topic that a request names, and what it is set to."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from controlplane.core.arn import arn
from controlplane.core.context import Context
from controlplane.core.operation import Resource
from controlplane.services.sns import queries
from controlplane.services.sns.errors import InvalidParameter, NotFound

_SHARED = (
    "SNS:GetTopicAttributes",
    "SNS:SetTopicAttributes",
    "SNS:AddPermission",
    "SNS:RemovePermission",
    "SNS:DeleteTopic",
    "SNS:Subscribe",
    "SNS:ListSubscriptionsByTopic",
    "SNS:Publish",
)

Answer = Callable[[Context, Any], Awaitable[list[Resource]]]


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as its row says."""

    id: int
    account_id: str
    region: str
    name: str
    fifo: bool
    own: Mapping[str, str]
    tags: Mapping[str, str]
    data_protection: str | None
    version: int
    deleted: int

    @property
    def arn(self) -> str:
        return arn("sns", self.region, self.account_id, self.name)

    @property
    def log_group(self) -> str:
        """Under which its deliveries are logged."""
        return f"sns/{self.region}/{self.account_id}/{self.name}"

    @property
    def policy(self) -> dict[str, Any]:
        """Its access policy: the one that was set, or that of a new topic."""
        text = self.own.get("Policy")
        return _document(text) if text else default_policy(self.arn, self.account_id)

    @property
    def deduplicates_by_content(self) -> bool:
        return self.own.get("ContentBasedDeduplication") == "true"

    @property
    def signature_version(self) -> str:
        return self.own.get("SignatureVersion") or "1"

    def resource(self) -> Resource:
        """What the policy engine is asked about."""
        return Resource(self.arn, self.tags, self.policy, row=self)


@lru_cache(maxsize=4096)
def _document(text: str) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(text)
    return document


@lru_cache(maxsize=4096)
def default_policy(topic_arn: str, account_id: str) -> dict[str, Any]:
    """What a new topic has: its own account may use it."""
    return {
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [
            {
                "Sid": "__default_statement_ID",
                "Effect": "Allow",
                "Principal": {"AWS": "*"},
                "Action": list(_SHARED),
                "Resource": topic_arn,
                "Condition": {"StringEquals": {"AWS:SourceOwner": account_id}},
            }
        ],
    }


def of_row(row: Any) -> Topic:
    """The topic of a row of `sns_topics`."""
    return Topic(
        row["id"],
        row["account_id"],
        row["region"],
        row["name"],
        row["fifo"],
        row["attributes"],
        row["tags"],
        row["data_protection"],
        row["version"],
        row["deleted_subscriptions"],
    )


def parts_of(member: str, text: str) -> list[str]:
    """The six parts of an ARN. Raises InvalidParameter in SNS's words."""
    if not text:
        raise InvalidParameter(f"{member} Reason: no value for required parameter")
    parts = text.split(":")
    if len(parts) < 6:
        raise InvalidParameter(f"{member} Reason: An ARN must have at least 6 elements, not {len(parts)}")
    return parts


_MOST_READ = 4096
_read: OrderedDict[int, tuple[Any, Topic]] = OrderedDict()
"""By id: the row that was read last, and the topic that was made of it."""


async def find(ctx: Context, text: str) -> Topic | None:
    """The topic of an ARN, of any account in the request's region."""
    parts = text.split(":")
    if len(parts) != 6 or parts[2] != "sns" or parts[3] != ctx.region:
        return None
    row = await queries.topic(ctx.db, parts[4], parts[3], parts[5])
    if row is None:
        return None
    kept = _read.get(row["id"])
    if kept is None or kept[0] is not row:  # as long as nothing was written the cache of reads gives the same row
        if len(_read) >= _MOST_READ:
            _read.popitem(last=False)
        kept = _read[row["id"]] = row, of_row(row)
    return kept[1]


def on_topic(member: str = "TopicArn") -> Answer:
    """The topic whose ARN a member of the request holds."""

    async def resources(ctx: Context, request: Any) -> list[Resource]:
        return [await resource_of(ctx, request.get(member) or "")]

    return resources


async def resource_of(ctx: Context, text: str) -> Resource:
    """What the policy engine is asked about for an ARN; what is none is refused only once the caller may call."""
    topic = await find(ctx, text)
    if topic is not None:
        return topic.resource()
    parts = text.split(":")
    named = len(parts) == 6 and parts[0] == "arn" and parts[2] == "sns" and parts[3] == ctx.region and parts[4]
    return Resource(text if named else arn("sns", ctx.region, ctx.account_id, "*"))


def the_topic(ctx: Context, member: str = "TopicArn") -> Topic:
    """The topic that permission was asked for. Raises NotFound, InvalidParameter."""
    topic = ctx.resources[0].row
    if topic is None:
        refuse(ctx, member, ctx.request.get(member) or "")
    found: Topic = topic
    return found


def refuse(ctx: Context, member: str, text: str) -> None:
    """Say what is wrong with the ARN of a topic that is not there. Raises NotFound, InvalidParameter."""
    parts = parts_of(member, text)
    if parts[2] != "sns" or parts[3] != ctx.region or len(parts) > 6:
        raise InvalidParameter(member)
    raise NotFound("Topic")

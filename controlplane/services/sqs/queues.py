"""Finding the queue that a request names, and what it is set to."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import orjson

from controlplane.core.arn import arn
from controlplane.core.context import Context
from controlplane.core.operation import Resource
from controlplane.services.sqs import queries
from controlplane.services.sqs.attributes import DEFAULTS, FIFO, KEY_REUSE
from controlplane.services.sqs.errors import InvalidAddress, QueueDoesNotExist

_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
Answer = Callable[[Context, Any], Awaitable[list[Resource]]]


@dataclass(frozen=True, slots=True)
class Redrive:
    """Where a queue's messages go that were received too often."""

    target_arn: str
    most: int


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue as its row says, with its numbers as numbers. Times in milliseconds."""

    id: int
    account_id: str
    region: str
    name: str
    fifo: bool
    own: dict[str, str]
    tags: dict[str, str]
    created_at: int
    modified_at: int
    visibility: int
    delay: int
    wait: int
    retention: int
    largest: int
    redrive: Redrive | None
    version: datetime
    """When it was last set to something: its row's `modified_at`."""
    arn: str

    @property
    def version_in_microseconds(self) -> int:
        """The same since the epoch."""
        return (self.version - _EPOCH) // _MICROSECOND

    @property
    def attributes(self) -> dict[str, str]:
        """All that are set, with the defaults; without those that are counted."""
        found = DEFAULTS | (FIFO if self.fifo else {}) | self.own
        if found.get("KmsMasterKeyId"):
            found = {"KmsDataKeyReusePeriodSeconds": KEY_REUSE} | found | {"SqsManagedSseEnabled": "false"}
        else:
            found.pop("KmsDataKeyReusePeriodSeconds", None)
        return found | {
            "QueueArn": self.arn,
            "CreatedTimestamp": str(self.created_at // 1000),
            "LastModifiedTimestamp": str(self.modified_at // 1000),
        }

    def is_set(self, name: str) -> bool:
        """Whether a yes-or-no attribute says yes."""
        return (self.own.get(name) or DEFAULTS.get(name)) == "true"

    def resource(self) -> Resource:
        """What the policy engine is asked about."""
        policy = self.own.get("Policy")
        return Resource(self.arn, self.tags, _document(policy) if policy else None, row=self)


@lru_cache(maxsize=4096)
def _document(text: str) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(text)
    return document


def of_row(row: Any) -> Queue:
    """The queue of a row of `sqs_queues`."""
    own = row["attributes"]
    number = {name: int(own.get(name) or default) for name, default in DEFAULTS.items() if default.isdigit()}
    redrive = own.get("RedrivePolicy")
    return Queue(
        id=row["id"],
        account_id=row["account_id"],
        region=row["region"],
        name=row["name"],
        fifo=row["fifo"],
        own=own,
        tags=row["tags"],
        created_at=int(row["created_at"].timestamp() * 1000),
        modified_at=int(row["modified_at"].timestamp() * 1000),
        visibility=number["VisibilityTimeout"] * 1000,
        delay=number["DelaySeconds"] * 1000,
        wait=number["ReceiveMessageWaitTimeSeconds"],
        retention=number["MessageRetentionPeriod"] * 1000,
        largest=number["MaximumMessageSize"],
        redrive=_redrive(redrive) if redrive else None,
        version=row["modified_at"],
        arn=arn("sqs", row["region"], row["account_id"], row["name"]),
    )


def _redrive(text: str) -> Redrive:
    found = orjson.loads(text)
    return Redrive(found["deadLetterTargetArn"], int(found["maxReceiveCount"]))


def url(ctx: Context, account_id: str, name: str) -> str:
    """The address of a queue, under the name by which the caller reached us; outside the default region it names its
    region, so that queues of the same name have different ones."""
    region = "" if ctx.region == ctx.cloud.regions[0] else f"/queue/{ctx.region}"
    return f"{ctx.endpoint}{region}/{account_id}/{name}"


@lru_cache(maxsize=4096)
def named_by(address: str) -> tuple[str | None, str]:
    """Account and name in a queue's address; a bare name is the caller's own queue. Raises InvalidAddress."""
    parts = [part for part in urlsplit(address).path.split("/") if part]
    if len(parts) >= 2 and parts[-2].isdigit() and len(parts[-2]) == 12:
        return parts[-2], parts[-1]
    if len(parts) == 1 and "://" not in address:
        return None, parts[0]
    raise InvalidAddress(f"The address {address[:200]} is not valid for this endpoint.")


async def on_queue(ctx: Context, request: Any) -> list[Resource]:
    """The queue of the request's QueueUrl; an address that is none is refused only once the caller may call at all."""
    try:
        account_id, name = named_by(request["QueueUrl"])
    except InvalidAddress:
        return [Resource(arn("sqs", ctx.region, ctx.account_id, "*"))]
    owner = account_id or ctx.account_id
    queue = await find(ctx, owner, name)
    return [queue.resource() if queue else Resource(arn("sqs", ctx.region, owner, name))]


def on_arn(member: str) -> Answer:
    """The queue whose ARN a member of the request holds."""

    async def resources(ctx: Context, request: Any) -> list[Resource]:
        return [await queue_resource(ctx, request[member])]

    return resources


_MOST_READ = 4096
_read: OrderedDict[int, tuple[Any, Queue]] = OrderedDict()
"""By id: the row that was read last, and the queue that was made of it."""


async def find(ctx: Context, account_id: str, name: str) -> Queue | None:
    """A queue of the request's region."""
    if "\x00" in name:
        return None  # a name that no queue can have, and that Postgres refuses
    row = await queries.queue(ctx.db, account_id, ctx.region, name)
    if row is None:
        return None
    kept = _read.get(row["id"])
    if kept is None or kept[0] is not row:  # as long as nothing was written the cache of reads gives the same row
        if len(_read) >= _MOST_READ:
            _read.popitem(last=False)
        kept = _read[row["id"]] = row, of_row(row)
    return kept[1]


async def of_arn(ctx: Context, text: str) -> Queue | None:
    """The queue of an ARN, of any account in the request's region."""
    parts = text.split(":")
    if len(parts) != 6 or parts[2] != "sqs" or parts[3] != ctx.region:
        return None
    return await find(ctx, parts[4], parts[5])


def the_queue(ctx: Context) -> Queue:
    """The queue that permission was asked for. Raises QueueDoesNotExist, InvalidAddress."""
    queue = ctx.resources[0].row
    if queue is None:
        if "QueueUrl" in ctx.request:
            named_by(ctx.request["QueueUrl"])
        raise QueueDoesNotExist
    found: Queue = queue
    return found


async def queue_resource(ctx: Context, text: str) -> Resource:
    """What the policy engine is asked about for a queue's ARN, be the queue there or not."""
    queue = await of_arn(ctx, text)
    return queue.resource() if queue else Resource(text)

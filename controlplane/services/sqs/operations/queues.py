"""Queues: made, found, listed, emptied, deleted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from controlplane.core.arn import arn
from controlplane.core.context import Context
from controlplane.core.operation import ANY, Resource, operation
from controlplane.core.paging import decode_token, encode_token
from controlplane.services.sqs import policies, queries, sending
from controlplane.services.sqs.attributes import check, check_throughput
from controlplane.services.sqs.errors import (
    InvalidParameterValue,
    PurgeQueueInProgress,
    QueueDeletedRecently,
    QueueDoesNotExist,
    QueueNameExists,
)
from controlplane.services.sqs.queues import Queue, find, on_queue, the_queue, url
from controlplane.services.sqs.redriving import check_target

if TYPE_CHECKING:
    from types_boto3_sqs.type_defs import (
        CreateQueueRequestTypeDef,
        DeleteQueueRequestTypeDef,
        GetQueueUrlRequestTypeDef,
        ListDeadLetterSourceQueuesRequestTypeDef,
        ListQueuesRequestTypeDef,
        PurgeQueueRequestTypeDef,
    )

_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}", re.ASCII)
_FIFO_NAME = re.compile(r"(?=.{1,80}\Z)[A-Za-z0-9_-]+\.fifo", re.ASCII)
_LARGEST_PAGE = 1000


def _new(ctx: Context, request: Any) -> Resource:
    return Resource(arn("sqs", ctx.region, ctx.account_id, request["QueueName"]))


async def _named(ctx: Context, request: Any) -> list[Resource]:
    owner, name = request.get("QueueOwnerAWSAccountId") or ctx.account_id, request["QueueName"]
    queue = await find(ctx, owner, name)
    return [queue.resource() if queue else Resource(arn("sqs", ctx.region, owner, name))]


@operation("CreateQueue", on=_new)
async def create_queue(ctx: Context, request: CreateQueueRequestTypeDef) -> dict[str, Any]:
    """Make a queue; one that is there already with the same attributes is answered as it is. Raises QueueNameExists."""
    name = request["QueueName"]
    given = {str(key): value for key, value in (request.get("Attributes") or {}).items()}
    fifo = name.endswith(".fifo")
    _check_name(name, fifo_wanted=given.get("FifoQueue", "").lower() == "true")
    attributes = await policies.bound(ctx, check(given, fifo=fifo, creating=True))
    await check_target(ctx, attributes, ctx.account_id, fifo=fifo)
    check_throughput(attributes)
    existing = await find(ctx, ctx.account_id, name)
    if existing is None:
        if await queries.deleted_recently(ctx, name):
            raise QueueDeletedRecently
        kept = {key: value for key, value in attributes.items() if value != ""}
        if await queries.insert(ctx, name, fifo=fifo, attributes=kept, tags=request.get("tags") or {}):
            return {"QueueUrl": url(ctx, ctx.account_id, name)}
        existing = await find(ctx, ctx.account_id, name)
    if existing is not None:
        _require_same(existing, attributes)
    return {"QueueUrl": url(ctx, ctx.account_id, name)}


def _check_name(name: str, *, fifo_wanted: bool) -> None:
    if fifo_wanted or name.endswith(".fifo"):
        if not fifo_wanted or not _FIFO_NAME.fullmatch(name):
            if not fifo_wanted and _FIFO_NAME.fullmatch(name):
                raise InvalidParameterValue(
                    "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
                )
            raise InvalidParameterValue(
                "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must "
                "end with "
                ".fifo suffix and be 1 to 80 in length."
            )
    elif not _NAME.fullmatch(name):
        raise InvalidParameterValue(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
        )


def _require_same(queue: Queue, attributes: dict[str, str]) -> None:
    now = queue.attributes
    for name, value in attributes.items():
        if (now.get(name) or "") != value:
            raise QueueNameExists(name)


@operation("GetQueueUrl", on=_named)
async def get_queue_url(ctx: Context, request: GetQueueUrlRequestTypeDef) -> dict[str, Any]:
    """The address of a queue. Raises QueueDoesNotExist."""
    queue = the_queue(ctx)
    return {"QueueUrl": url(ctx, queue.account_id, queue.name)}


@operation("ListQueues", on=ANY)
async def list_queues(ctx: Context, request: ListQueuesRequestTypeDef) -> dict[str, Any]:
    """Addresses of the caller's queues by name; a page only where MaxResults asks for one."""
    size = _page_size(request)
    names = await queries.page(ctx, request.get("QueueNamePrefix") or "", _after(request), (size or _LARGEST_PAGE) + 1)
    return _page(ctx, names, size, "QueueUrls")


@operation("ListDeadLetterSourceQueues", on=on_queue)
async def list_dead_letter_source_queues(
    ctx: Context, request: ListDeadLetterSourceQueuesRequestTypeDef
) -> dict[str, Any]:
    """Addresses of the queues whose dead letters come here."""
    size = _page_size(request)
    names = await queries.sources_of(ctx, the_queue(ctx).arn, _after(request), (size or _LARGEST_PAGE) + 1)
    return {"queueUrls": [], **_page(ctx, names, size, "queueUrls")}


def _page_size(request: Any) -> int | None:
    size: int | None = request.get("MaxResults")
    if size is not None and not 1 <= size <= _LARGEST_PAGE:
        raise InvalidParameterValue(
            f"Value {size} for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and "
            "1000."
        )
    return size


def _after(request: Any) -> str | None:
    token = request.get("NextToken")
    if not token:
        return None
    try:
        return str(decode_token(token))
    except ValueError as error:
        raise InvalidParameterValue("Invalid or expired next token.") from error


def _page(ctx: Context, names: list[str], size: int | None, member: str) -> dict[str, Any]:
    shown = names[: size or _LARGEST_PAGE]
    result: dict[str, Any] = {member: [url(ctx, ctx.account_id, name) for name in shown]} if shown else {}
    if size and len(names) > size:
        result["NextToken"] = encode_token(shown[-1])
    return result


@operation("PurgeQueue", on=on_queue)
async def purge_queue(ctx: Context, request: PurgeQueueRequestTypeDef) -> None:
    """Remove all messages that are in a queue. Raises PurgeQueueInProgress within a minute of the last time."""
    queue = the_queue(ctx)
    if not await queries.note_purge(ctx.db, queue.id):
        raise PurgeQueueInProgress(f"Only one PurgeQueue operation on {queue.name} is allowed every 60 seconds.")
    await ctx.db.execute("DELETE FROM sqs_deduplications WHERE queue_id = $1", queue.id)
    await sending.room_of(ctx).purge(queue.id)


@operation("DeleteQueue", on=on_queue)
async def delete_queue(ctx: Context, request: DeleteQueueRequestTypeDef) -> None:
    """Delete a queue with its messages. Raises QueueDoesNotExist."""
    queue = the_queue(ctx)
    if not await queries.delete(ctx.db, queue.id, queue.account_id, queue.region, queue.name):
        raise QueueDoesNotExist
    await ctx.wake("sqs.remains", str(queue.id))

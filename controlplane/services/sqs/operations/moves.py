"""Moving messages out of a dead-letter queue."""

from __future__ import annotations

import base64
import uuid
from typing import TYPE_CHECKING, Any

import orjson

from controlplane.core.context import Context
from controlplane.core.operation import ANY, operation
from controlplane.services.sqs import queries
from controlplane.services.sqs.errors import InvalidParameterValue, ResourceNotFound, UnsupportedOperation
from controlplane.services.sqs.mailroom import now
from controlplane.services.sqs.queues import Queue, of_arn, on_arn, queue_resource

if TYPE_CHECKING:
    from types_boto3_sqs.type_defs import (
        CancelMessageMoveTaskRequestTypeDef,
        ListMessageMoveTasksRequestTypeDef,
        StartMessageMoveTaskRequestTypeDef,
    )

_FASTEST = 500
_SOURCE = (
    "SELECT true FROM sqs_queues WHERE account_id = $1 AND region = $2 AND strpos(attributes->>'RedrivePolicy', $3) > 0"
)
_RUNNING = "SELECT true FROM sqs_move_tasks WHERE source_id = $1 AND state IN ('RUNNING', 'CANCELLING')"
_INSERT = """
INSERT INTO sqs_move_tasks (id, account_id, region, source_id, source_arn, destination_arn, rate, state, to_move)
VALUES ($1, $2, $3, $4, $5, $6, $7, 'RUNNING', $8)
"""
_LIST = "SELECT * FROM sqs_move_tasks WHERE source_id = $1 ORDER BY started_at DESC LIMIT $2"
_TASK = "SELECT * FROM sqs_move_tasks WHERE id = $1 FOR UPDATE"
_CANCEL = "UPDATE sqs_move_tasks SET state = 'CANCELLING' WHERE id = $1"


@operation("StartMessageMoveTask", on=on_arn("SourceArn"))
async def start_message_move_task(ctx: Context, request: StartMessageMoveTaskRequestTypeDef) -> dict[str, Any]:
    """Move the messages of a dead-letter queue to where they came from, or to a queue that is named."""
    source = await _existing(ctx, request["SourceArn"])
    destination = request.get("DestinationArn")
    rate = request.get("MaxNumberOfMessagesPerSecond")
    if rate is not None and not 1 <= rate <= _FASTEST:
        raise InvalidParameterValue(
            f"Value {rate} for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: You must enter a value "
            "from 1 to "
            f"{_FASTEST}."
        )
    if not await ctx.db.fetchval(_SOURCE, source.account_id, source.region, f'"{source.arn}"'):
        raise InvalidParameterValue("Source queue must be configured as a Dead Letter Queue.")
    if destination is not None:
        target = await of_arn(ctx, destination)
        if target is None:
            raise ResourceNotFound("The resource that you specified for the DestinationArn parameter doesn't exist.")
        if target.id == source.id:
            raise InvalidParameterValue("Source queue arn and destination queue arn cannot be the same.")
        await ctx.authorize("sqs:SendMessage", target.resource())
    if await ctx.db.fetchval(_RUNNING, source.id):
        raise InvalidParameterValue(
            "There is already a task running. Only one active task is allowed for a source queue arn at a given time."
        )
    id = str(uuid.uuid4())
    waiting = (await queries.counts(ctx.db, source.id, now()))["visible"]
    await ctx.db.execute(
        _INSERT, id, source.account_id, source.region, source.id, source.arn, destination, rate, waiting
    )
    await ctx.wake("sqs.move", id)
    return {"TaskHandle": _handle(id, source)}


def _handle(id: str, source: Queue) -> str:
    return base64.b64encode(orjson.dumps({"taskId": id, "sourceArn": source.arn})).decode()


async def _existing(ctx: Context, arn: str) -> Queue:
    queue = await of_arn(ctx, arn)
    if queue is None:
        raise ResourceNotFound("The resource that you specified for the SourceArn parameter doesn't exist.")
    return queue


def _read(handle: str) -> tuple[str, str]:
    try:
        found = orjson.loads(base64.b64decode(handle, validate=True))
        return str(found["taskId"]), str(found["sourceArn"])
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidParameterValue("Value for parameter TaskHandle is invalid.") from error


async def _on_handle(ctx: Context, request: Any) -> Any:
    try:
        source = _read(request["TaskHandle"])[1]
    except InvalidParameterValue:
        return ANY
    # Of a queue that is not there nothing is told but that; the caller must be allowed to ask, at home.
    return [await queue_resource(ctx, source)] if await of_arn(ctx, source) else ANY


@operation("CancelMessageMoveTask", on=_on_handle)
async def cancel_message_move_task(ctx: Context, request: CancelMessageMoveTaskRequestTypeDef) -> dict[str, Any]:
    """End a task early; what it moved stays moved. Raises ResourceNotFoundException."""
    id, source = _read(request["TaskHandle"])
    await _existing(ctx, source)
    row = await ctx.db.fetchrow(_TASK, id)
    if row is None or row["source_arn"] != source:
        raise ResourceNotFound("Task does not exist.")
    if row["state"] != "RUNNING":
        raise UnsupportedOperation("Only active tasks can be cancelled.")
    await ctx.db.execute(_CANCEL, id)
    await ctx.wake("sqs.move", id)
    return {"ApproximateNumberOfMessagesMoved": row["moved"]}


@operation("ListMessageMoveTasks", on=on_arn("SourceArn"))
async def list_message_move_tasks(ctx: Context, request: ListMessageMoveTasksRequestTypeDef) -> dict[str, Any]:
    """The latest tasks of a queue, newest first."""
    most = request.get("MaxResults") or 1
    if not 1 <= most <= 10:
        raise InvalidParameterValue(
            "Value for parameter MaxResults is invalid. Reason: You must enter a value from 1 to 10."
        )
    source = await _existing(ctx, request["SourceArn"])
    return {"Results": [_shape(row, source) for row in await ctx.db.fetch(_LIST, source.id, most)]}


def _shape(row: Any, source: Queue) -> dict[str, Any]:
    shape = {
        "Status": row["state"],
        "SourceArn": row["source_arn"],
        "ApproximateNumberOfMessagesMoved": row["moved"],
        "ApproximateNumberOfMessagesToMove": row["to_move"],
        "StartedTimestamp": int(row["started_at"].timestamp() * 1000),
    }
    optional = {
        "TaskHandle": _handle(row["id"], source) if row["state"] == "RUNNING" else None,
        "DestinationArn": row["destination_arn"],
        "MaxNumberOfMessagesPerSecond": row["rate"],
        "FailureReason": row["failure"],
    }
    return shape | {name: value for name, value in optional.items() if value is not None}

"""Sending, receiving and removing messages, one at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controlplane.core.context import Context
from controlplane.core.operation import operation
from controlplane.services.sqs import receipts, sending
from controlplane.services.sqs.delivering import delivered
from controlplane.services.sqs.errors import InvalidAttributeName, InvalidParameterValue
from controlplane.services.sqs.mailroom import Named, Take
from controlplane.services.sqs.queues import Queue, of_arn, on_queue, the_queue

if TYPE_CHECKING:
    from types_boto3_sqs.type_defs import (
        ChangeMessageVisibilityRequestTypeDef,
        DeleteMessageRequestTypeDef,
        ReceiveMessageRequestTypeDef,
        SendMessageRequestTypeDef,
    )

_SYSTEM = frozenset(
    {
        "All",
        "SenderId",
        "SentTimestamp",
        "ApproximateReceiveCount",
        "ApproximateFirstReceiveTimestamp",
        "SequenceNumber",
    }
    | {"MessageDeduplicationId", "MessageGroupId", "AWSTraceHeader", "DeadLetterQueueSourceArn"}
)
LONGEST_HIDDEN = 43200


@operation("SendMessage", on=on_queue)
async def send_message(ctx: Context, request: SendMessageRequestTypeDef) -> dict[str, Any]:
    """Put a message into a queue; it is on disk when this answers. Raises InvalidMessageContents."""
    queue = the_queue(ctx)
    sending.check(queue, request)
    return await sending.send(ctx, queue, request)


@operation("ReceiveMessage", on=on_queue)
async def receive_message(ctx: Context, request: ReceiveMessageRequestTypeDef) -> dict[str, Any]:
    """Up to ten messages, hidden from others for a while; waits for the first if asked to."""
    queue = the_queue(ctx)
    wanted = _within(request, "MaxNumberOfMessages", 1, 10, 1)
    wait = _within(request, "WaitTimeSeconds", 0, 20, queue.wait)
    hidden = _within(request, "VisibilityTimeout", 0, LONGEST_HIDDEN, queue.visibility // 1000) * 1000
    for name in (*(request.get("AttributeNames") or ()), *(request.get("MessageSystemAttributeNames") or ())):
        if name not in _SYSTEM:
            raise InvalidAttributeName(f"Unknown Attribute {name}.")
    take = await _take(ctx, queue, wanted, hidden)
    rows = await sending.room_of(ctx).receive(take, wait)
    messages = [await delivered(ctx, queue, row, request) for row in rows]
    return {"Messages": messages} if messages else {}


async def _take(ctx: Context, queue: Queue, wanted: int, hidden: int) -> Take:
    if queue.redrive is None:
        return Take(queue.id, wanted, hidden, queue.fifo)
    target = await of_arn(ctx, queue.redrive.target_arn)
    if target is None or target.fifo != queue.fifo:
        return Take(queue.id, wanted, hidden, queue.fifo)
    return Take(queue.id, wanted, hidden, queue.fifo, queue.redrive.most, target.id, queue.arn)


def _within(request: Any, name: str, low: int, high: int, default: int) -> int:
    value = request.get(name)
    if value is None:
        return default
    if not low <= value <= high:
        bounds = f"Must be between {low} and {high}" if low else f"Must be >= {low} and <= {high}"
        raise InvalidParameterValue(f"Value {value} for parameter {name} is invalid. Reason: {bounds}, if provided.")
    return int(value)


@operation("DeleteMessage", on=on_queue)
async def delete_message(ctx: Context, request: DeleteMessageRequestTypeDef) -> None:
    """Remove a message that was received. Raises ReceiptHandleIsInvalid."""
    await delete(ctx, the_queue(ctx), request["ReceiptHandle"])


async def delete(ctx: Context, queue: Queue, handle: str) -> None:
    """Remove the message of a receipt handle."""
    named = Named(queue.id, *receipts.read(handle, queue.id), handle)
    room = sending.room_of(ctx)
    await (room.delete_in_order(named) if queue.fifo else room.delete(named))


@operation("ChangeMessageVisibility", on=on_queue)
async def change_message_visibility(ctx: Context, request: ChangeMessageVisibilityRequestTypeDef) -> None:
    """Set how long a received message stays hidden from now on. Raises MessageNotInflight."""
    await hide(ctx, the_queue(ctx), request["ReceiptHandle"], request["VisibilityTimeout"])


async def hide(ctx: Context, queue: Queue, handle: str, seconds: int) -> None:
    """Hide the message of a receipt handle for so many seconds."""
    if not 0 <= seconds <= LONGEST_HIDDEN:
        raise InvalidParameterValue(
            f"Value {seconds} for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout must be an "
            "integer between "
            f"0 and {LONGEST_HIDDEN}."
        )
    id, receipt = receipts.read(handle, queue.id)
    await sending.room_of(ctx).hide(Named(queue.id, id, receipt, handle, seconds * 1000))

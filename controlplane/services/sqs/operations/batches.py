"""The same in batches, of which a part may fail."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.core.operation import operation
from controlplane.services.sqs import keys, sending
from controlplane.services.sqs.errors import (
    BatchEntryIdsNotDistinct,
    BatchRequestTooLong,
    EmptyBatchRequest,
    InvalidBatchEntryId,
    TooManyEntriesInBatchRequest,
)
from controlplane.services.sqs.operations import messages
from controlplane.services.sqs.queues import Queue, on_queue, the_queue

if TYPE_CHECKING:
    from types_boto3_sqs.type_defs import (
        ChangeMessageVisibilityBatchRequestTypeDef,
        DeleteMessageBatchRequestTypeDef,
        SendMessageBatchRequestTypeDef,
    )

_MOST = 10
_LARGEST = 1024 * 1024
_ID = re.compile(r"[\w-]{1,80}", re.ASCII)


@operation("SendMessageBatch", on=on_queue, action="sqs:SendMessage")
async def send_message_batch(ctx: Context, request: SendMessageBatchRequestTypeDef) -> dict[str, Any]:
    """Up to ten messages. Raises BatchRequestTooLong."""
    queue, entries = the_queue(ctx), _entries(request, "SendMessageBatchRequestEntry")
    total = sum(sending.size(entry) for entry in entries)
    if total > _LARGEST:
        raise BatchRequestTooLong(
            f"Batch requests cannot be longer than {_LARGEST} bytes. You have sent {total} bytes."
        )

    for entry in entries if queue.fifo else ():
        sending.check_order(queue, entry)
    await keys.for_sending(ctx, queue)  # once, before the entries ask for it side by side

    async def send(entry: Mapping[str, Any]) -> dict[str, Any]:
        sending.check(queue, entry)
        return await sending.send(ctx, queue, entry)

    return await _each(entries, send)


@operation("DeleteMessageBatch", on=on_queue, action="sqs:DeleteMessage")
async def delete_message_batch(ctx: Context, request: DeleteMessageBatchRequestTypeDef) -> dict[str, Any]:
    """Remove up to ten messages."""
    queue, entries = the_queue(ctx), _entries(request, "DeleteMessageBatchRequestEntry")
    return await _each(entries, lambda entry: messages.delete(ctx, queue, entry["ReceiptHandle"]))


@operation("ChangeMessageVisibilityBatch", on=on_queue, action="sqs:ChangeMessageVisibility")
async def change_message_visibility_batch(
    ctx: Context, request: ChangeMessageVisibilityBatchRequestTypeDef
) -> dict[str, Any]:
    """Hide up to ten messages for another while."""
    queue, entries = the_queue(ctx), _entries(request, "ChangeMessageVisibilityBatchRequestEntry")
    return await _each(entries, lambda entry: _hide(ctx, queue, entry))


async def _hide(ctx: Context, queue: Queue, entry: Mapping[str, Any]) -> None:
    await messages.hide(ctx, queue, entry["ReceiptHandle"], entry.get("VisibilityTimeout") or 0)


def _entries(request: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    entries: Sequence[Mapping[str, Any]] = request.get("Entries") or ()
    if not entries:
        raise EmptyBatchRequest(f"There should be at least one {name} in the request.")
    if len(entries) > _MOST:
        raise TooManyEntriesInBatchRequest(
            f"Maximum number of entries per request are {_MOST}. You have sent {len(entries)}."
        )
    for entry in entries:
        if not _ID.fullmatch(entry["Id"]):
            raise InvalidBatchEntryId(
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
                "It can be at most 80 letters long."
            )
    id, times = Counter(entry["Id"] for entry in entries).most_common(1)[0]
    if times > 1:
        raise BatchEntryIdsNotDistinct(f"Id {id} repeated.")
    return entries


async def _each(
    entries: Sequence[Mapping[str, Any]], do: Callable[[Mapping[str, Any]], Awaitable[dict[str, Any] | None]]
) -> dict[str, Any]:
    """All together, so that they share a commit; what fails is told for itself."""
    outcomes = await asyncio.gather(*(do(entry) for entry in entries), return_exceptions=True)
    successful, failed = [], []
    for entry, outcome in zip(entries, outcomes, strict=True):
        if isinstance(outcome, AwsError) and outcome.status < 500:
            failed.append({"Id": entry["Id"], "SenderFault": True, "Code": outcome.code, "Message": outcome.message})
        elif isinstance(outcome, BaseException):
            raise outcome
        else:
            successful.append({"Id": entry["Id"], **(outcome or {})})
    return {"Successful": successful, **({"Failed": failed} if failed else {})}

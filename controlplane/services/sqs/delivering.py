"""How a row becomes the message that a receiver gets."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from controlplane.core.context import Context
from controlplane.services.sqs import contents, digests, fifo, keys, receipts
from controlplane.services.sqs.queues import Queue


async def delivered(ctx: Context, queue: Queue, row: Any, request: Mapping[str, Any]) -> dict[str, Any]:
    """A message with those attributes that the receiver asked for."""
    content = await _content(ctx, queue, row)
    if content.finisher is not None:
        content = replace(content, body=await ctx.ask(content.finisher, "Finish", {"Text": content.body}))
    id = row["message_id"]
    message: dict[str, Any] = {
        "MessageId": str(contents.copy_id(id, row["id"]) if id == row["shared_id"] else id),
        "ReceiptHandle": receipts.handle(queue.id, row["id"], row["receipt"]),
        "MD5OfBody": digests.of_body(content.body),
        "Body": content.body,
    }
    names = [*(request.get("AttributeNames") or ()), *(request.get("MessageSystemAttributeNames") or ())]
    if names and (system := _system(queue, row, content.trace, names)):
        message["Attributes"] = system
    if wanted := _wanted(content.attributes, request.get("MessageAttributeNames") or ()):
        message["MessageAttributes"] = wanted
        message["MD5OfMessageAttributes"] = digests.of_attributes(wanted)
    return message


async def _content(ctx: Context, queue: Queue, row: Any) -> contents.Content:
    sealer = ctx.engine("sealing")
    if row["shared_id"] is not None:
        return contents.unpack_shared(row["content"], row["shared"], str(row["shared_id"]), sealer)
    key = await keys.for_receiving(ctx, queue, row["key_id"]) if row["key_id"] is not None else None
    return contents.unpack(row["content"], str(row["message_id"]), sealer, key)


def _system(queue: Queue, row: Any, trace: str | None, names: Collection[str]) -> dict[str, str]:
    found = {
        "SenderId": row["sender_id"],
        "SentTimestamp": str(row["sent_at"]),
        "ApproximateReceiveCount": str(row["received"]),
        "ApproximateFirstReceiveTimestamp": str(row["first_received_at"]),
        "SequenceNumber": fifo.sequence(row["id"]) if queue.fifo else None,
        "MessageDeduplicationId": row["deduplication_id"],
        "MessageGroupId": row["group_id"],
        "AWSTraceHeader": trace,
        "DeadLetterQueueSourceArn": row["source_arn"],
    }
    return {name: value for name, value in found.items() if value is not None and ("All" in names or name in names)}


def _wanted(attributes: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Those that a receiver names: each, by a prefix such as `foo.*`, or all."""
    if "All" in names or ".*" in names or "*" in names:
        return dict(attributes)
    prefixes = tuple(name[:-2] for name in names if name.endswith(".*"))
    return {
        name: value for name, value in attributes.items() if name in names or (prefixes and name.startswith(prefixes))
    }

"""What may be sent, and how it becomes a message."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.core.ids import any_uuid
from controlplane.services.sqs import contents, digests, keys
from controlplane.services.sqs.contents import Content
from controlplane.services.sqs.errors import InvalidMessageContents, InvalidParameterValue, MissingParameter
from controlplane.services.sqs.mailroom import Mailroom, Outgoing, mailroom, now
from controlplane.services.sqs.queues import Queue

_INVALID = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ATTRIBUTE_NAME = re.compile(r"[\w.-]{1,256}")
_RESERVED = re.compile(r"(aws|amazon)\.", re.IGNORECASE)
_TYPE = re.compile(r"(String|Number|Binary)(\..{1,240})?", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(\d{1,38}(\.\d{0,38})?|\.\d{1,38})([eE][+-]?\d{1,3})?", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]{1,128}", re.ASCII)
_MOST_ATTRIBUTES = 10
_TRACE = "AWSTraceHeader"
_LONGEST_TRACE = 1024


def room_of(ctx: Context) -> Mailroom:
    """The mailroom of this process."""
    return mailroom(ctx.engine("database"), ctx.engine("bells"))


def size(request: Mapping[str, Any]) -> int:
    """Bytes of a message's body and attributes, as they count against the limit."""
    total = len(request.get("MessageBody", "").encode())
    for name, value in (request.get("MessageAttributes") or {}).items():
        total += len(name.encode()) + len(str(value.get("DataType", "")).encode())
        total += len(value.get("BinaryValue") or b"") + len((value.get("StringValue") or "").encode())
    return total


def check(queue: Queue, request: Mapping[str, Any]) -> None:
    """Refuse what a queue does not take. Raises AwsError as AWS words it."""
    body = request.get("MessageBody")
    if not body:
        raise MissingParameter("MessageBody")
    if size(request) > queue.largest:
        raise InvalidParameterValue(
            f"One or more parameters are invalid. Reason: Message must be shorter than {queue.largest} bytes."
        )
    _check_text(body)
    _check_delay(queue, request.get("DelaySeconds"))
    check_attributes(request.get("MessageAttributes") or {})
    for name in request.get("MessageSystemAttributes") or {}:
        if name != _TRACE:
            raise InvalidParameterValue(f"Message system attribute name '{name}' is invalid.")
    _check_group(queue, request)


def _check_text(text: str) -> None:
    if _INVALID.search(text):
        raise InvalidMessageContents(
            "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | "
            "#xE000 to #xFFFD | #x10000 to #x10FFFF"
        )


def _check_delay(queue: Queue, delay: int | None) -> None:
    if delay is None:
        return
    if queue.fifo and delay:
        raise InvalidParameterValue(
            f"Value {delay} for parameter DelaySeconds is invalid. Reason: The request include parameter that is not "
            "valid "
            "for this queue type."
        )
    if not 0 <= delay <= 900:
        raise InvalidParameterValue(
            f"Value {delay} for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900."
        )


def check_attributes(attributes: Mapping[str, Any]) -> None:
    """Refuse message attributes that break the rules. Raises InvalidParameterValue."""
    if len(attributes) > _MOST_ATTRIBUTES:
        raise InvalidParameterValue(
            f"Number of message attributes [{len(attributes)}] exceeds the allowed maximum [{_MOST_ATTRIBUTES}]."
        )
    for name, value in attributes.items():
        if not _ATTRIBUTE_NAME.fullmatch(name) or name.startswith(".") or name.endswith(".") or ".." in name:
            raise InvalidParameterValue(
                "The message attribute name can contain up to 256 alphanumeric characters, underscores, hyphens and "
                "single "
                "periods, and neither start nor end with a period."
            )
        if _RESERVED.match(name):
            raise InvalidParameterValue(
                f"Message (user) attribute name '{name}' must not start with the reserved prefix 'AWS.' or 'Amazon.'."
            )
        _check_value(name, value)


def _check_value(name: str, value: Mapping[str, Any]) -> None:
    type = value.get("DataType") or ""
    if not type:
        raise InvalidParameterValue(f"The message attribute '{name}' must contain non-empty message attribute type.")
    if value.get("StringListValues") or value.get("BinaryListValues"):
        raise AwsError(
            "Message attribute list values in SendMessage operation are not supported.", code="UnsupportedOperation"
        )
    if not _TYPE.fullmatch(type):
        raise InvalidParameterValue(
            f"The type of message (user) attribute '{name}' is invalid. You must use only the following supported type "
            "prefixes: Binary, Number, String."
        )
    kind = type.partition(".")[0]
    given = value.get("BinaryValue" if kind == "Binary" else "StringValue")
    if not given:
        raise InvalidParameterValue(
            f"Message (user) attribute '{name}' must contain a non-empty value of type '{kind}'."
        )
    if kind == "Number" and not _NUMBER.fullmatch(given):
        raise InvalidParameterValue(f"Can't cast the value of message (user) attribute '{name}' to a number.")
    if kind != "Binary" and (bad := _INVALID.search(given)):
        raise InvalidParameterValue(
            f"Invalid binary character '#x{ord(bad[0]):x}' was found in message attribute '{name}', the set of allowed "
            "characters is #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF"
        )


def check_order(queue: Queue, request: Mapping[str, Any]) -> None:
    """Refuse a message of a batch that lacks what a FIFO queue goes by. Raises InvalidParameterValue."""
    if not request.get("MessageGroupId"):
        raise InvalidParameterValue("The request must contain the parameter MessageGroupId.")
    _check_group(queue, request)


def _check_group(queue: Queue, request: Mapping[str, Any]) -> None:
    group, deduplication = request.get("MessageGroupId"), request.get("MessageDeduplicationId")
    if queue.fifo and not group:
        raise MissingParameter("MessageGroupId")
    if group is not None:
        _check_id("MessageGroupId", group)
    if deduplication is None:
        if queue.fifo and not queue.is_set("ContentBasedDeduplication"):
            raise InvalidParameterValue(
                "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided "
                "explicitly"
            )
        return
    if not queue.fifo:
        raise InvalidParameterValue(
            f"Value {deduplication[:128]} for parameter MessageDeduplicationId is invalid. Reason: The request "
            "includes a "
            "parameter that is not valid for this queue type."
        )
    _check_id("MessageDeduplicationId", deduplication)


def _check_id(name: str, value: str) -> None:
    if not _ID.fullmatch(value):
        raise InvalidParameterValue(
            f"Value {value[:1024]} for parameter {name} is invalid. Reason: {name} can only include alphanumeric and "
            "punctuation characters. 1 to 128 in length."
        )


async def send(ctx: Context, queue: Queue, request: Mapping[str, Any]) -> dict[str, Any]:
    """Put a checked message into its queue. Answers what SendMessage tells of it."""
    body, attributes = request["MessageBody"], request.get("MessageAttributes") or {}
    system = request.get("MessageSystemAttributes") or {}
    trace = system.get(_TRACE, {}).get("StringValue") or ctx.trace[:_LONGEST_TRACE] or None
    message = await outgoing(ctx, queue, request, Content(body, attributes, trace))
    result = {"MD5OfMessageBody": digests.of_body(body)}
    if attributes:
        result["MD5OfMessageAttributes"] = digests.of_attributes(attributes)
    if system:
        result["MD5OfMessageSystemAttributes"] = digests.of_attributes(system)
    if queue.fifo:
        accepted = await room_of(ctx).send_in_order(message)
        return {**result, "MessageId": accepted.message_id, "SequenceNumber": accepted.sequence}
    await room_of(ctx).send(message)
    return {**result, "MessageId": message.message_id}


async def outgoing(ctx: Context, queue: Queue, request: Mapping[str, Any], content: Content) -> Outgoing:
    """A message of its own for a queue; of the request only group, deduplication and delay are looked at."""
    id, moment = any_uuid(), now()
    key = await keys.for_sending(ctx, queue)
    sealer = ctx.engine("sealing") if queue.is_set("SqsManagedSseEnabled") else None
    delay = request.get("DelaySeconds")
    deduplication = request.get("MessageDeduplicationId")
    if queue.fifo and deduplication is None:
        deduplication = hashlib.sha256(content.body.encode()).hexdigest()
    return Outgoing(
        queue_id=queue.id,
        message_id=id,
        content=contents.pack(content, id, sealer=sealer, key=key[1] if key else None),
        key_id=key[0] if key else None,
        sender_id=ctx.principal.user_id or ctx.principal.account_id,
        sent_at=moment,
        visible_at=moment + (queue.delay if delay is None or queue.fifo else delay * 1000),
        expires_at=moment + queue.retention,
        group_id=request.get("MessageGroupId"),
        deduplication_id=deduplication,
        deduplication=_scoped(queue, request.get("MessageGroupId"), deduplication) if queue.fifo else None,
    )


def _scoped(queue: Queue, group: str | None, deduplication: str | None) -> str:
    """What a message is known again by: in high throughput mode only within its group."""
    if queue.own.get("DeduplicationScope") == "messageGroup":
        return f"{group}\n{deduplication}"
    return f"\n{deduplication}"

"""What may be published, and the forms in which it reaches endpoints.

Source: "Message structure" and "Parsing message formats" in the SNS developer guide.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from controlplane.services.sns.errors import InvalidParameter, ParameterValueInvalid, ValidationError

LARGEST = 256 * 1024
_SUBJECT = re.compile(r"[^\x00-\x1f\x7f]{1,100}")
_NAME = re.compile(r"[A-Za-z0-9_.-]")
_TYPES = ("String", "Number", "Binary")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]{1,128}", re.ASCII)
HOLE = "\0"
"""Stands in an envelope where a copy has its subscription's ARN."""
UNSIGNED = "\1"
"""Stands in an envelope where the signature will be. In JSON no text of anybody holds such a character unescaped."""


@dataclass(frozen=True, slots=True)
class Message:
    """Something that was published. `bodies` are by protocol, with `default`. Times are in UTC."""

    id: UUID
    bodies: Mapping[str, str]
    subject: str | None
    attributes: Mapping[str, Any]
    group_id: str | None = None
    deduplication_id: str | None = None
    trace: str | None = None
    event: bool = False
    """It tells of a device. What becomes of it is told by no further event, or events would beget events."""
    at: str = field(default_factory=lambda: timestamp())

    def body(self, protocol: str) -> str:
        return self.bodies.get(protocol, self.bodies["default"])


def timestamp() -> str:
    """Now, as notifications tell it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def size(request: Mapping[str, Any]) -> int:
    """Bytes of a message with its attributes, as they count against the limit."""
    total = len(request["Message"].encode()) + len((request.get("Subject") or "").encode())
    for name, value in (request.get("MessageAttributes") or {}).items():
        total += len(name.encode()) + len((value.get("DataType") or "").encode())
        total += len((value.get("StringValue") or "").encode()) + len(value.get("BinaryValue") or b"")
    return total


def read(request: Mapping[str, Any], id: UUID, trace: str | None, *, path: str = "messageAttributes") -> Message:
    """The message of a request. Raises InvalidParameter and its like."""
    text = request["Message"]
    if not text:
        raise InvalidParameter("Empty message")
    if HOLE in text:
        raise InvalidParameter("Message Reason: Invalid character #x0")
    if size(request) > LARGEST:
        raise InvalidParameter("Message too long")
    subject = request.get("Subject")
    if subject is not None and not _SUBJECT.fullmatch(subject):
        raise InvalidParameter("Subject")
    attributes = request.get("MessageAttributes") or {}
    check_attributes(attributes, path)
    structure = request.get("MessageStructure")
    bodies = _structured(text) if structure == "json" else {"default": text}
    if structure not in (None, "json"):
        raise InvalidParameter("MessageStructure")
    ids = request.get("MessageGroupId"), request.get("MessageDeduplicationId")
    return Message(id, bodies, subject, attributes, *ids, trace)


def _structured(text: str) -> dict[str, str]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidParameter("Message Structure - JSON message body failed to parse") from error
    if not isinstance(found, dict):
        raise InvalidParameter("Message Structure - JSON message body failed to parse")
    bodies = {name: value for name, value in found.items() if isinstance(value, str)}
    if any(HOLE in body for body in bodies.values()):
        raise InvalidParameter("Message Reason: Invalid character #x0")
    if "default" not in bodies:
        raise InvalidParameter("Message Structure - No default entry in JSON message body")
    return bodies


def check_attributes(attributes: Mapping[str, Any], path: str) -> None:
    """Refuse message attributes that break the rules. Raises ParameterValueInvalid, ValidationError."""
    for name, value in attributes.items():
        _check_name(name)
        type = value.get("DataType")
        if type is None:
            raise ValidationError(
                f"1 validation error detected: Value null at '{path}.{name}.member.dataType' failed to satisfy "
                "constraint: Member must not be null"
            )
        _check_value(name, type, value)


def _check_name(name: str) -> None:
    if len(name) > 256:
        raise ParameterValueInvalid("Length of message attribute name must be less than 256 bytes.")
    for character in name:
        if not _NAME.fullmatch(character):
            raise ParameterValueInvalid(
                f"Invalid non-alphanumeric character '#x{ord(character):X}' was found in the message attribute name. "
                "Can only include alphanumeric characters, hyphens, underscores, or dots."
            )
    if name.startswith("."):
        raise ParameterValueInvalid("Invalid message attribute name starting with character '.' was found.")
    if name.endswith("."):
        raise ParameterValueInvalid("Invalid message attribute name ending with character '.' was found.")
    if ".." in name:
        raise ParameterValueInvalid("Message attribute name can not have successive '.' character.")


def _check_value(name: str, type: str, value: Mapping[str, Any]) -> None:
    kind, dot, label = type.partition(".")
    if kind not in _TYPES or (dot and not label):
        raise ParameterValueInvalid(
            f"The message attribute '{name}' has an invalid message attribute type, the set of supported type prefixes "
            "is Binary, Number, and String."
        )
    wanted, other = ("BinaryValue", "StringValue") if kind == "Binary" else ("StringValue", "BinaryValue")
    if value.get(other) is not None and value.get(wanted) is None:
        field = "Binary" if kind == "Binary" else "String"
        raise ParameterValueInvalid(f"The message attribute '{name}' with type '{type}' must use field '{field}'.")
    if not value.get(wanted):
        raise ParameterValueInvalid(
            f"The message attribute '{name}' must contain non-empty message attribute value for message attribute type "
            f"'{type}'."
        )
    if kind == "Number" and not _NUMBER.fullmatch(value["StringValue"]):
        raise ParameterValueInvalid(f"Could not cast message attribute '{name}' value to number.")
    if HOLE in (value.get("StringValue") or ""):
        raise ParameterValueInvalid(f"Invalid character '#x0' was found in message attribute '{name}'.")


def check_order(message: Message, *, fifo: bool, by_content: bool) -> None:
    """Refuse what lacks, or has, the ids that FIFO topics go by. Raises InvalidParameter."""
    if not fifo:
        if message.deduplication_id is not None:
            raise InvalidParameter(
                "MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not "
                "valid for this topic type"
            )
    elif not message.group_id:
        raise InvalidParameter("The MessageGroupId parameter is required for FIFO topics")
    elif not message.deduplication_id and not by_content:
        raise InvalidParameter(
            "The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided "
            "explicitly"
        )
    for name, value in (("MessageGroupId", message.group_id), ("MessageDeduplicationId", message.deduplication_id)):
        if value is not None and not _ID.fullmatch(value):
            raise InvalidParameter(f"{name} Reason: The request includes {name} parameter that has an invalid value")


def signed_text(fields: Mapping[str, Any]) -> str:
    """What the signature of an envelope is made of."""
    names = (
        ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
        if fields["Type"] == "Notification"
        else ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
    )
    return "".join(f"{name}\n{fields[name]}\n" for name in names if name in fields)


def notification(
    message: Message, topic_arn: str, protocol: str, endpoint: str, sequence: str | None
) -> dict[str, Any]:
    """The envelope of a message, not yet signed; HOLE stands for the subscription's ARN."""
    fields: dict[str, Any] = {"Type": "Notification", "MessageId": str(message.id)}
    if sequence is not None:
        fields["SequenceNumber"] = sequence
    fields["TopicArn"] = topic_arn
    if message.subject is not None:
        fields["Subject"] = message.subject
    fields["Message"] = message.body(protocol)
    fields["Timestamp"] = message.at
    fields["UnsubscribeURL"] = f"{endpoint}/?Action=Unsubscribe&SubscriptionArn={HOLE}"
    if message.attributes:
        fields["MessageAttributes"] = {name: _told(value) for name, value in message.attributes.items()}
    return fields


def _told(value: Mapping[str, Any]) -> dict[str, str]:
    binary = value.get("BinaryValue")
    text = base64.b64encode(binary).decode() if binary is not None else value["StringValue"]
    return {"Type": value["DataType"], "Value": text}


_FIELDS = (
    *("Type", "MessageId", "SequenceNumber", "Token", "TopicArn", "Subject", "Message", "SubscribeURL", "Timestamp"),
    *("SignatureVersion", "Signature", "SigningCertURL", "UnsubscribeURL", "MessageAttributes"),
)


def envelope(fields: Mapping[str, Any]) -> str:
    """The envelope as text, in the order and with the blanks that AWS's have."""
    lines = [
        f'  "{name}" : {_OTHERS[name](fields[name]) if name in _OTHERS else orjson.dumps(fields[name]).decode()}'
        for name in _FIELDS
        if name in fields
    ]
    return "{\n" + ",\n".join(lines) + "\n}"


def _with_hole(url: str) -> str:
    before, hole, after = url.partition(HOLE)
    return _json(before)[:-1] + hole + _json(after)[1:]


def _told_attributes(attributes: Mapping[str, Mapping[str, str]]) -> str:
    inner = ",\n".join(f"    {_json(name)} : {_short(item)}" for name, item in attributes.items())
    return "{\n" + inner + "\n  }"


def _json(text: str) -> str:
    return orjson.dumps(text).decode()


def _short(item: Mapping[str, str]) -> str:
    return "{" + ",".join(f'"{name}":{_json(text)}' for name, text in item.items()) + "}"


_OTHERS: dict[str, Callable[[Any], str]] = {
    "Signature": lambda text: f'"{text}"',
    "UnsubscribeURL": _with_hole,
    "MessageAttributes": _told_attributes,
}
"""What is no plain JSON, or stands in for something else."""

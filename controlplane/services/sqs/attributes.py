"""The attributes of a queue: defaults, bounds, and what may be set on which kind of queue.

Source: CreateQueue and SetQueueAttributes in the SQS API reference.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from controlplane.core.arn import Arn
from controlplane.services.sqs.errors import InvalidAttributeName, InvalidAttributeValue

LARGEST_MESSAGE = 1024 * 1024
FIFO = {
    "FifoQueue": "true",
    "ContentBasedDeduplication": "false",
    "DeduplicationScope": "queue",
    "FifoThroughputLimit": "perQueue",
}
DEFAULTS = {
    "VisibilityTimeout": "30",
    "MaximumMessageSize": str(LARGEST_MESSAGE),
    "MessageRetentionPeriod": "345600",
    "DelaySeconds": "0",
    "ReceiveMessageWaitTimeSeconds": "0",
    "SqsManagedSseEnabled": "true",
}
KEY_REUSE = "300"
_READ_ONLY = (
    "QueueArn",
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
)
COUNTS = _READ_ONLY[1:4]
READABLE = frozenset(
    {*DEFAULTS, *FIFO, *_READ_ONLY, "Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId"}
    | {"KmsDataKeyReusePeriodSeconds", "All"}
)
_BOUNDS = {
    "VisibilityTimeout": (0, 43200),
    "MaximumMessageSize": (1024, LARGEST_MESSAGE),
    "MessageRetentionPeriod": (60, 1209600),
    "DelaySeconds": (0, 900),
    "ReceiveMessageWaitTimeSeconds": (0, 20),
    "KmsDataKeyReusePeriodSeconds": (60, 86400),
}
_CHOICES = {
    "FifoQueue": ("true", "false"),
    "ContentBasedDeduplication": ("true", "false"),
    "SqsManagedSseEnabled": ("true", "false"),
    "DeduplicationScope": ("messageGroup", "queue"),
    "FifoThroughputLimit": ("perQueue", "perMessageGroupId"),
}
_ONLY_FIFO = ("DeduplicationScope", "FifoThroughputLimit")
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)


def check(given: Mapping[str, str], *, fifo: bool, creating: bool) -> dict[str, str]:
    """The attributes in the form in which they are kept; an empty string takes one off.

    Raises InvalidAttributeName, InvalidAttributeValue.
    """
    kept = {}
    for name, value in given.items():
        if name in _ONLY_FIFO and not fifo:
            raise InvalidAttributeName(f"You can specify the {name} only when FifoQueue is set to true.")
        if name not in READABLE or name == "All" or (name in FIFO and not fifo):
            raise InvalidAttributeName(f"Unknown Attribute {name}.")
        if name in _READ_ONLY:
            raise InvalidAttributeName(f"Unknown Attribute {name}.")
        kept[name] = _check(name, value)
    if kept.get("FifoQueue") == "false":
        raise _invalid("FifoQueue", "" if creating else "Modifying queue type is not supported.")
    if kept.get("KmsMasterKeyId") and kept.get("SqsManagedSseEnabled") == "true":
        raise InvalidAttributeValue(
            "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS "
            "SSE.",
            code="InvalidAttributeName",
        )
    return kept


def check_throughput(attributes: Mapping[str, str]) -> None:
    """High throughput mode takes both of its attributes. Raises InvalidAttributeValue."""
    by_group = attributes.get("FifoThroughputLimit") == "perMessageGroupId"
    if by_group and attributes.get("DeduplicationScope", "queue") != "messageGroup":
        raise InvalidAttributeValue(
            "The perMessageGroupId value is allowed only when the value for DeduplicationScope is messageGroup."
        )


def _check(name: str, value: str) -> str:
    if name in _BOUNDS:
        low, high = _BOUNDS[name]
        if not _NUMBER.fullmatch(value) or not low <= int(value) <= high:
            raise _invalid(name)
        return str(int(value))
    if name in _CHOICES:
        chosen = next((choice for choice in _CHOICES[name] if choice.lower() == value.lower()), None)
        if chosen is None:
            raise _invalid(name)
        return chosen
    reader = _DOCUMENTS.get(name)
    return reader(value) if reader is not None and value else value


def _invalid(name: str, reason: str = "") -> InvalidAttributeValue:
    return InvalidAttributeValue(f"Invalid value for the parameter {name}." + (f" Reason: {reason}" if reason else ""))


def _object(name: str, value: str) -> dict[str, Any]:
    try:
        found = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise _invalid(name) from error
    if not isinstance(found, dict):
        raise _invalid(name)
    return found


def _redrive(value: str) -> str:
    found = _object("RedrivePolicy", value)
    target, most = found.get("deadLetterTargetArn"), found.get("maxReceiveCount")
    if target is None or most is None:
        raise InvalidAttributeValue(
            f"Value {value} for parameter RedrivePolicy is invalid. Reason: Redrive policy does not contain mandatory "
            f"attribute: {'deadLetterTargetArn' if target is None else 'maxReceiveCount'}.",
            code="InvalidParameterValueException",
        )
    if set(found) - {"deadLetterTargetArn", "maxReceiveCount"}:
        raise InvalidAttributeValue(
            f"Value {value} for parameter RedrivePolicy is invalid. Reason: Only following attributes are supported: "
            "[deadLetterTargetArn, maxReceiveCount].",
            code="InvalidParameterValueException",
        )
    if not _NUMBER.fullmatch(str(most)) or not 1 <= int(most) <= 1000:
        raise InvalidAttributeValue(
            f"Value {value} for parameter RedrivePolicy is invalid. Reason: Invalid value for maxReceiveCount: {most}, "
            "valid values are from 1 to 1000 both inclusive.",
            code="InvalidParameterValueException",
        )
    try:
        Arn.parse(str(target))
    except ValueError as error:
        raise InvalidAttributeValue(
            f"Value {value} for parameter RedrivePolicy is invalid. Reason: Invalid value for deadLetterTargetArn.",
            code="InvalidParameterValueException",
        ) from error
    return orjson.dumps({"deadLetterTargetArn": target, "maxReceiveCount": most}).decode()


def _allow(value: str) -> str:
    found = _object("RedriveAllowPolicy", value)
    permission, sources = found.get("redrivePermission"), found.get("sourceQueueArns")
    by_queue = permission == "byQueue"
    fine = permission in ("allowAll", "denyAll", "byQueue") and by_queue == bool(sources)
    if not fine or (by_queue and (not isinstance(sources, list) or not 1 <= len(sources) <= 10)):
        raise InvalidAttributeValue(
            f"Value {value} for parameter RedriveAllowPolicy is invalid. Reason: Amazon SQS can't create the redrive "
            "allow "
            "policy. Specify a redrivePermission of allowAll, denyAll or, with sourceQueueArns, byQueue.",
            code="InvalidParameterValueException",
        )
    return value


def _policy(value: str) -> str:
    _object("Policy", value)
    return value


_DOCUMENTS: dict[str, Callable[[str], str]] = {
    "RedrivePolicy": _redrive,
    "RedriveAllowPolicy": _allow,
    "Policy": _policy,
}

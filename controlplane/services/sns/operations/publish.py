"""Publishing, one message or up to ten."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.core.operation import ANY, Resource, operation
from controlplane.services.sns import messages, platforms, sms
from controlplane.services.sns.errors import (
    BatchEntryIdsNotDistinct,
    BatchRequestTooLong,
    EmptyBatchRequest,
    InvalidBatchEntryId,
    InvalidParameter,
    TooManyEntriesInBatchRequest,
)
from controlplane.services.sns.messages import LARGEST, Message
from controlplane.services.sns.publishing import Accepted, Publication, publish_all, publisher_of
from controlplane.services.sns.topics import Topic, on_topic, resource_of, the_topic

if TYPE_CHECKING:
    from types_boto3_sns.type_defs import PublishBatchInputTypeDef, PublishInputTypeDef

_MOST = 10
_ID = re.compile(r"[\w-]{1,80}", re.ASCII)


async def _target(ctx: Context, request: Any) -> str | list[Resource]:
    arn = request.get("TopicArn") or request.get("TargetArn")
    if not arn:
        return ANY
    if platforms.is_endpoint(arn):
        return [await platforms.endpoint_resource(ctx, arn)]
    return [await resource_of(ctx, arn)]


@operation("Publish", on=_target)
async def publish(ctx: Context, request: PublishInputTypeDef) -> dict[str, Any]:
    """Send a message to a topic's subscribers, to a device or to a phone. Raises InvalidParameter, NotFound."""
    targets = [name for name in ("TopicArn", "TargetArn", "PhoneNumber") if request.get(name)]
    if len(targets) > 1:
        raise InvalidParameter("Only one of TopicArn, TargetArn and PhoneNumber may be given")
    if request.get("TopicArn") == "":
        raise InvalidParameter("TopicArn Reason: An ARN must have at least 6 elements, not 1")
    if not targets:
        raise InvalidParameter("TopicArn or TargetArn Reason: no value for required parameter")
    if "PhoneNumber" in targets:
        sms.check_number(request["PhoneNumber"])
        message = messages.read(request, uuid4(), None)
        await sms.send(ctx, request["PhoneNumber"], message)
        return {"MessageId": str(message.id)}
    member = targets[0]
    arn = str(request[member])  # type: ignore[literal-required]
    if platforms.is_endpoint(arn):
        endpoint = platforms.the_endpoint(ctx)
        message = messages.read(request, uuid4(), None)
        await platforms.send(ctx, endpoint, message)
        return {"MessageId": str(message.id)}
    topic = the_topic(ctx, member)
    message = _read(ctx, topic, request)
    return _told(await publisher_of(ctx).publish(Publication(ctx, topic, message)))


def _read(ctx: Context, topic: Topic, request: Any, path: str = "messageAttributes") -> Message:
    message = messages.read(request, uuid4(), ctx.trace or None, path=path)
    messages.check_order(message, fifo=topic.fifo, by_content=topic.deduplicates_by_content)
    return message


def _told(accepted: Accepted) -> dict[str, Any]:
    told = {"MessageId": str(accepted.message_id)}
    return told if accepted.sequence is None else {**told, "SequenceNumber": accepted.sequence}


@operation("PublishBatch", on=on_topic(), action="sns:Publish")
async def publish_batch(ctx: Context, request: PublishBatchInputTypeDef) -> dict[str, Any]:
    """Up to ten messages. Raises what a single one would, and errors of batches."""
    entries = request["PublishBatchRequestEntries"]
    _check_entries(entries)
    topic = the_topic(ctx)
    if sum(messages.size(entry) for entry in entries) > LARGEST:
        raise BatchRequestTooLong
    read = [
        _read(ctx, topic, entry, f"publishBatchRequestEntries.{place}.member.messageAttributes")
        for place, entry in enumerate(entries, 1)
    ]
    outcomes = await publish_all(ctx, [Publication(ctx, topic, message) for message in read])
    successful, failed = [], []
    for entry, outcome in zip(entries, outcomes, strict=True):
        if isinstance(outcome, Accepted):
            successful.append({"Id": entry["Id"], **_told(outcome)})
        elif isinstance(outcome, AwsError) and outcome.status < 500:
            failed.append({"Id": entry["Id"], "Code": outcome.code, "Message": outcome.message, "SenderFault": True})
        else:
            raise outcome
    return {"Successful": successful, "Failed": failed}


def _check_entries(entries: Any) -> None:
    if not entries:
        raise EmptyBatchRequest
    if len(entries) > _MOST:
        raise TooManyEntriesInBatchRequest
    if Counter(entry["Id"] for entry in entries).most_common(1)[0][1] > 1:
        raise BatchEntryIdsNotDistinct
    for entry in entries:
        if len(entry["Id"]) > 80:
            raise InvalidBatchEntryId(f"The Id of a batch entry in the batch request is too long: {entry['Id'][:200]}")
        if not _ID.fullmatch(entry["Id"]):
            raise InvalidBatchEntryId(
                f"The Id of a batch entry in the batch request contains an impermissible character: {entry['Id']}"
            )

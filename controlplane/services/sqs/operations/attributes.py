"""What a queue is set to: attributes, permissions, tags."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson

from controlplane.core.context import Context
from controlplane.core.operation import operation
from controlplane.services.sqs import policies, queries
from controlplane.services.sqs.attributes import COUNTS, READABLE, check, check_throughput
from controlplane.services.sqs.errors import InvalidAttributeName, InvalidParameterValue, QueueDoesNotExist
from controlplane.services.sqs.mailroom import now
from controlplane.services.sqs.queues import Queue, of_row, on_queue, the_queue
from controlplane.services.sqs.redriving import check_target

if TYPE_CHECKING:
    from types_boto3_sqs.type_defs import (
        AddPermissionRequestTypeDef,
        GetQueueAttributesRequestTypeDef,
        ListQueueTagsRequestTypeDef,
        RemovePermissionRequestTypeDef,
        SetQueueAttributesRequestTypeDef,
        TagQueueRequestTypeDef,
        UntagQueueRequestTypeDef,
    )

_SHARED = frozenset(
    {
        "*",
        "SendMessage",
        "ReceiveMessage",
        "DeleteMessage",
        "ChangeMessageVisibility",
        "GetQueueAttributes",
        "GetQueueUrl",
    }
    | {"ListDeadLetterSourceQueues", "PurgeQueue"}
)
_LABEL = re.compile(r"[\w-]{1,80}", re.ASCII)
_MOST_TAGS = 50


@operation("GetQueueAttributes", on=on_queue)
async def get_queue_attributes(ctx: Context, request: GetQueueAttributesRequestTypeDef) -> dict[str, Any]:
    """Those attributes that are named, or All. Counts are of this moment."""
    queue, names = the_queue(ctx), set(request.get("AttributeNames") or ())
    for name in names:
        if name not in READABLE:
            raise InvalidAttributeName(f"Unknown Attribute {name}.")
    if not names:
        return {}
    found = queue.attributes
    if "All" in names or names.intersection(COUNTS):
        found |= await _counts(ctx, queue)
    shown = {name: value for name, value in found.items() if "All" in names or name in names}
    return {"Attributes": await policies.shown(ctx, shown)} if shown else {}


async def _counts(ctx: Context, queue: Queue) -> dict[str, str]:
    row = await queries.counts(ctx.db, queue.id, now())
    return {
        "ApproximateNumberOfMessages": str(row["visible"]),
        "ApproximateNumberOfMessagesNotVisible": str(row["in_flight"]),
        "ApproximateNumberOfMessagesDelayed": str(row["delayed"]),
    }


@operation("SetQueueAttributes", on=on_queue)
async def set_queue_attributes(ctx: Context, request: SetQueueAttributesRequestTypeDef) -> None:
    """Set attributes; an empty value takes one off. Raises InvalidAttributeName, InvalidAttributeValue."""
    queue = await _locked(ctx)
    given = check({str(key): value for key, value in request["Attributes"].items()}, fifo=queue.fifo, creating=False)
    await check_target(ctx, given, queue.account_id, fifo=queue.fifo)
    kept = queue.own | await policies.bound(ctx, given)
    check_throughput(kept)
    if given.get("KmsMasterKeyId"):
        kept.pop("SqsManagedSseEnabled", None)
    elif given.get("SqsManagedSseEnabled") == "true":
        kept.pop("KmsMasterKeyId", None)
    await queries.set_attributes(ctx.db, queue.id, {name: value for name, value in kept.items() if value != ""})


async def _locked(ctx: Context) -> Queue:
    row = await queries.lock(ctx.db, the_queue(ctx).id)
    if row is None:
        raise QueueDoesNotExist
    return of_row(row)


@operation("AddPermission", on=on_queue)
async def add_permission(ctx: Context, request: AddPermissionRequestTypeDef) -> None:
    """Add a statement to the queue's policy that lets accounts do some actions."""
    queue, label = await _locked(ctx), request["Label"]
    _check_label(label)
    accounts, actions = request.get("AWSAccountIds") or (), request.get("Actions") or ()
    if not actions:
        raise InvalidParameterValue(
            "The request must contain the parameter Actions.", code="MissingRequiredParameterException"
        )
    if not accounts:
        raise InvalidParameterValue(
            "Value [] for parameter PrincipalId is invalid. Reason: Unable to verify.",
        )
    for action in actions:
        if action not in _SHARED:
            allowed = ", ".join(sorted(_SHARED - {"*"}))
            raise InvalidParameterValue(
                f"Value SQS:{action} for parameter ActionName is invalid. Reason: Only the queue owner is allowed to "
                "invoke this "
                f"action, or it is none of: {allowed}."
            )
    policy = _policy(queue)
    if any(statement.get("Sid") == label for statement in policy["Statement"]):
        raise InvalidParameterValue(f"Value {label} for parameter Label is invalid. Reason: Already exists.")
    principals = [f"arn:aws:iam::{account}:root" for account in accounts]
    policy["Statement"].append(
        {
            "Sid": label,
            "Effect": "Allow",
            "Principal": {"AWS": principals[0] if len(principals) == 1 else principals},
            "Action": f"SQS:{actions[0]}" if len(actions) == 1 else [f"SQS:{action}" for action in actions],
            "Resource": queue.arn,
        }
    )
    await _keep_policy(ctx, queue, policy)


@operation("RemovePermission", on=on_queue)
async def remove_permission(ctx: Context, request: RemovePermissionRequestTypeDef) -> None:
    """Take the statement of that label out of the queue's policy."""
    queue, label = await _locked(ctx), request["Label"]
    policy = _policy(queue)
    left = [statement for statement in policy["Statement"] if statement.get("Sid") != label]
    if len(left) == len(policy["Statement"]):
        raise InvalidParameterValue(f"Value {label[:80]} for parameter Label is invalid. Reason: can't find label.")
    await _keep_policy(ctx, queue, {**policy, "Statement": left})


def _check_label(label: str) -> None:
    if not _LABEL.fullmatch(label):
        raise InvalidParameterValue(
            f"Value {label[:80]} for parameter Label is invalid. Reason: Can only include alphanumeric characters, "
            "hyphens, or "
            "underscores. 1 to 80 in length."
        )


def _policy(queue: Queue) -> dict[str, Any]:
    text = queue.own.get("Policy")
    if not text:
        return {"Version": "2008-10-17", "Id": f"{queue.arn}/SQSDefaultPolicy", "Statement": []}
    policy: dict[str, Any] = orjson.loads(text)
    statements = policy.get("Statement") or []
    return {**policy, "Statement": [statements] if isinstance(statements, dict) else list(statements)}


async def _keep_policy(ctx: Context, queue: Queue, policy: dict[str, Any]) -> None:
    own = dict(queue.own)
    if policy["Statement"]:
        own["Policy"] = orjson.dumps(policy).decode()
    else:
        own.pop("Policy", None)
    await queries.set_attributes(ctx.db, queue.id, own)


@operation("ListQueueTags", on=on_queue)
async def list_queue_tags(ctx: Context, request: ListQueueTagsRequestTypeDef) -> dict[str, Any]:
    """All tags of a queue."""
    tags = the_queue(ctx).tags
    return {"Tags": tags} if tags else {}


@operation("TagQueue", on=on_queue)
async def tag_queue(ctx: Context, request: TagQueueRequestTypeDef) -> None:
    """Add tags, or change their values."""
    queue, given = await _locked(ctx), request["Tags"]
    if not given:
        raise InvalidParameterValue(
            "The request must contain the parameter Tags.", code="MissingRequiredParameterException"
        )
    tags = {**queue.tags, **given}
    if len(tags) > _MOST_TAGS:
        raise InvalidParameterValue(f"Too many tags added for queue {queue.name}.")
    await queries.set_tags(ctx.db, queue.id, tags)


@operation("UntagQueue", on=on_queue)
async def untag_queue(ctx: Context, request: UntagQueueRequestTypeDef) -> None:
    """Take tags off."""
    queue, keys = await _locked(ctx), request["TagKeys"]
    if not keys:
        raise InvalidParameterValue("Tag keys must be between 1 and 128 characters in length.")
    await queries.set_tags(ctx.db, queue.id, {key: value for key, value in queue.tags.items() if key not in keys})

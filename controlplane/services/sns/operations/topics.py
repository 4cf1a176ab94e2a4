"""Topics: made, told, set, listed, deleted; their permissions, tags and data protection policies."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson

from controlplane.core.arn import arn
from controlplane.core.context import Context
from controlplane.core.operation import ANY, Resource, operation
from controlplane.core.paging import decode_token, encode_token
from controlplane.core.tags import to_dict, to_list
from controlplane.services.sns import delivery_policies, policies, queries
from controlplane.services.sns.attributes import check_topic
from controlplane.services.sns.errors import InvalidParameter, NotFound, ResourceNotFound, TagLimitExceeded
from controlplane.services.sns.topics import Topic, find, of_row, on_topic, parts_of, the_topic

if TYPE_CHECKING:
    from types_boto3_sns.type_defs import (
        AddPermissionInputTypeDef,
        CreateTopicInputTypeDef,
        DeleteTopicInputTypeDef,
        GetDataProtectionPolicyInputTypeDef,
        GetTopicAttributesInputTypeDef,
        ListTagsForResourceRequestTypeDef,
        ListTopicsInputTypeDef,
        PutDataProtectionPolicyInputTypeDef,
        RemovePermissionInputTypeDef,
        SetTopicAttributesInputTypeDef,
        TagResourceRequestTypeDef,
        UntagResourceRequestTypeDef,
    )

_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}", re.ASCII)
_FIFO_NAME = re.compile(r"(?=.{1,256}\Z)[A-Za-z0-9_-]+\.fifo", re.ASCII)
_PAGE = 100
_MOST_TAGS = 50
_SHAREABLE = frozenset(
    {"GetTopicAttributes", "SetTopicAttributes", "AddPermission", "RemovePermission", "DeleteTopic", "Subscribe"}
    | {"ListSubscriptionsByTopic", "Publish", "Receive"}
)


def _new(ctx: Context, request: Any) -> Resource:
    return Resource(arn("sns", ctx.region, ctx.account_id, request["Name"]), to_dict(request.get("Tags")))


@operation("CreateTopic", on=_new)
async def create_topic(ctx: Context, request: CreateTopicInputTypeDef) -> dict[str, Any]:
    """Make a topic; one that is there already and like it is answered as it is. Raises InvalidParameter."""
    name, given = request["Name"], request.get("Attributes") or {}
    fifo = given.get("FifoTopic", "false").lower() == "true"
    if not (_FIFO_NAME if fifo else _NAME).fullmatch(name):
        raise InvalidParameter("Topic Name")
    attributes = {
        key: check_topic(key, value, fifo=fifo, creating=True) for key, value in given.items() if key != "FifoTopic"
    }
    if attributes.get("Policy"):
        attributes["Policy"] = await policies.bound(ctx, attributes["Policy"])
    tags = _tags(request.get("Tags"))
    text = arn("sns", ctx.region, ctx.account_id, name)
    topic = await find(ctx, text)
    if topic is None:
        kept = {key: value for key, value in attributes.items() if value}
        protection = request.get("DataProtectionPolicy")
        if await queries.insert_topic(ctx, name, fifo=fifo, attributes=kept, tags=tags, data_protection=protection):
            return {"TopicArn": text}
        topic = await find(ctx, text)
    if topic is not None:
        _require_same(topic, attributes, tags if request.get("Tags") else None)
    return {"TopicArn": text}


def _require_same(topic: Topic, attributes: dict[str, str], tags: dict[str, str] | None) -> None:
    for name, value in attributes.items():
        if topic.own.get(name, "") != value:
            raise InvalidParameter("Attributes Reason: Topic already exists with different attributes")
    if tags is not None and not tags.items() <= topic.tags.items():
        raise InvalidParameter("Tags Reason: Topic already exists with different tags")


def _tags(given: Any) -> dict[str, str]:
    tags = to_dict(given)
    if len(tags) < len(given or ()):
        raise InvalidParameter("Duplicated keys are not allowed.")
    if len(tags) > _MOST_TAGS:
        raise TagLimitExceeded
    return tags


@operation("GetTopicAttributes", on=on_topic())
async def get_topic_attributes(ctx: Context, request: GetTopicAttributesInputTypeDef) -> dict[str, Any]:
    """All attributes of a topic. Raises NotFound."""
    topic = the_topic(ctx)
    counts = await queries.counts(ctx.db, topic.id)
    found = {
        "DisplayName": "",
        **topic.own,
        "EffectiveDeliveryPolicy": delivery_policies.effective(topic.own),
        "Owner": topic.account_id,
        "Policy": await policies.shown(ctx, topic.own.get("Policy") or orjson.dumps(topic.policy).decode()),
        "SubscriptionsConfirmed": str(counts["confirmed"]),
        "SubscriptionsDeleted": str(topic.deleted),
        "SubscriptionsPending": str(counts["pending"]),
        "TopicArn": topic.arn,
    }
    if topic.fifo:
        found = {"ContentBasedDeduplication": "false", **found, "FifoTopic": "true"}
    return {"Attributes": found}


@operation("SetTopicAttributes", on=on_topic())
async def set_topic_attributes(ctx: Context, request: SetTopicAttributesInputTypeDef) -> None:
    """Set an attribute; an empty value takes it off. Raises InvalidParameter."""
    topic = await _locked(ctx)
    name = request["AttributeName"]
    value = check_topic(name, request.get("AttributeValue") or "", fifo=topic.fifo)
    if name == "Policy" and value:
        value = await policies.bound(ctx, value)
    kept = {**topic.own, name: value}
    await queries.set_attributes(ctx.db, topic.id, {key: value for key, value in kept.items() if value})


async def _locked(ctx: Context, member: str = "TopicArn") -> Topic:
    row = await queries.lock_topic(ctx.db, the_topic(ctx, member).id)
    if row is None:
        raise NotFound("Topic")
    return of_row(row)


@operation("DeleteTopic", on=on_topic())
async def delete_topic(ctx: Context, request: DeleteTopicInputTypeDef) -> None:
    """Delete a topic and its subscriptions; one that is gone already is no error. Raises InvalidParameter."""
    parts = parts_of("TopicArn", request["TopicArn"])
    if parts[2] != "sns" or parts[3] != ctx.region or len(parts) != 6:
        raise InvalidParameter("TopicArn")
    id = await queries.delete_topic(ctx.db, parts[4], parts[3], parts[5])
    if id is not None:
        await ctx.wake("sns.remains", str(id))


@operation("ListTopics", on=ANY)
async def list_topics(ctx: Context, request: ListTopicsInputTypeDef) -> dict[str, Any]:
    """The caller's topics, a hundred a page."""
    names = await queries.topics(ctx, _after(request.get("NextToken")), _PAGE + 1)
    shown = names[:_PAGE]
    result: dict[str, Any] = {"Topics": [{"TopicArn": arn("sns", ctx.region, ctx.account_id, name)} for name in shown]}
    if len(names) > _PAGE:
        result["NextToken"] = encode_token(shown[-1])
    return result


def _after(token: str | None) -> str | None:
    if not token:
        return None
    try:
        return str(decode_token(token))
    except ValueError as error:
        raise InvalidParameter("NextToken Reason: Invalid token") from error


@operation("AddPermission", on=on_topic())
async def add_permission(ctx: Context, request: AddPermissionInputTypeDef) -> None:
    """Add a statement to the topic's policy that lets accounts do some actions."""
    topic, label = await _locked(ctx), request["Label"]
    actions = list(request["ActionName"])
    policy = {**topic.policy, "Statement": list(topic.policy.get("Statement", ()))}
    if any(statement.get("Sid") == label for statement in policy["Statement"]):
        raise InvalidParameter("Statement already exists")
    if not set(actions) <= _SHAREABLE:
        raise InvalidParameter("Policy statement action out of service scope!")
    principals = [f"arn:aws:iam::{account}:root" for account in request["AWSAccountId"]]
    policy["Statement"].append(
        {
            "Sid": label,
            "Effect": "Allow",
            "Principal": {"AWS": principals[0] if len(principals) == 1 else principals},
            "Action": f"SNS:{actions[0]}" if len(actions) == 1 else [f"SNS:{action}" for action in actions],
            "Resource": topic.arn,
        }
    )
    await _keep_policy(ctx, topic, policy)


@operation("RemovePermission", on=on_topic())
async def remove_permission(ctx: Context, request: RemovePermissionInputTypeDef) -> None:
    """Take the statement of that label out of the topic's policy, if it is there."""
    topic = await _locked(ctx)
    left = [s for s in topic.policy.get("Statement", ()) if s.get("Sid") != request["Label"]]
    await _keep_policy(ctx, topic, {**topic.policy, "Statement": left})


async def _keep_policy(ctx: Context, topic: Topic, policy: dict[str, Any]) -> None:
    await queries.set_attributes(ctx.db, topic.id, {**topic.own, "Policy": orjson.dumps(policy).decode()})


@operation("ListTagsForResource", on=on_topic("ResourceArn"))
async def list_tags_for_resource(ctx: Context, request: ListTagsForResourceRequestTypeDef) -> dict[str, Any]:
    """All tags of a topic."""
    return {"Tags": to_list(_tagged(ctx).tags)}


@operation("TagResource", on=on_topic("ResourceArn"))
async def tag_resource(ctx: Context, request: TagResourceRequestTypeDef) -> None:
    """Add tags, or change their values. Raises TagLimitExceeded."""
    given = _tags(request["Tags"])
    _tagged(ctx)
    topic = await _locked(ctx, "ResourceArn")
    tags = {**topic.tags, **given}
    if len(tags) > _MOST_TAGS:
        raise TagLimitExceeded
    await queries.set_tags(ctx.db, topic.id, tags)


@operation("UntagResource", on=on_topic("ResourceArn"))
async def untag_resource(ctx: Context, request: UntagResourceRequestTypeDef) -> None:
    """Take tags off."""
    _tagged(ctx)
    topic = await _locked(ctx, "ResourceArn")
    left = {key: value for key, value in topic.tags.items() if key not in request["TagKeys"]}
    await queries.set_tags(ctx.db, topic.id, left)


def _tagged(ctx: Context) -> Topic:
    topic: Topic | None = ctx.resources[0].row
    if topic is None:
        parts_of("ResourceArn", ctx.request["ResourceArn"])
        raise ResourceNotFound("Resource does not exist")
    return topic


@operation("PutDataProtectionPolicy", on=on_topic("ResourceArn"))
async def put_data_protection_policy(ctx: Context, request: PutDataProtectionPolicyInputTypeDef) -> None:
    """Keep a policy; it is not carried out."""
    topic = the_topic(ctx, "ResourceArn")
    text = request["DataProtectionPolicy"]
    if text:
        try:
            document = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise InvalidParameter("DataProtectionPolicy Reason: must be JSON") from error
        if not isinstance(document, dict) or "Statement" not in document:
            raise InvalidParameter("DataProtectionPolicy Reason: must have statements")
    await queries.set_data_protection(ctx.db, topic.id, text or None)


@operation("GetDataProtectionPolicy", on=on_topic("ResourceArn"))
async def get_data_protection_policy(ctx: Context, request: GetDataProtectionPolicyInputTypeDef) -> dict[str, Any]:
    """The policy that was kept."""
    topic = the_topic(ctx, "ResourceArn")
    return {"DataProtectionPolicy": topic.data_protection or ""}

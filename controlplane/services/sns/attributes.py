"""What a topic and a subscription may be set to.

Source: SetTopicAttributes and SetSubscriptionAttributes in the SNS API reference.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from controlplane.core.arn import Arn
from controlplane.services.sns import delivery_policies, filters
from controlplane.services.sns.errors import InvalidParameter

FEEDBACK = tuple(
    f"{protocol}{what}"
    for protocol in ("HTTP", "Firehose", "Lambda", "Application", "SQS")
    for what in ("SuccessFeedbackRoleArn", "SuccessFeedbackSampleRate", "FailureFeedbackRoleArn")
)
_OF_TOPICS = frozenset(
    {"DisplayName", "Policy", "DeliveryPolicy", "KmsMasterKeyId", "SignatureVersion", "TracingConfig", *FEEDBACK}
)
_OF_FIFO = frozenset({"ContentBasedDeduplication", "FifoThroughputScope", "ArchivePolicy"})
_CHOICES = {
    "SignatureVersion": ("1", "2"),
    "TracingConfig": ("PassThrough", "Active"),
    "ContentBasedDeduplication": ("true", "false"),
    "FifoTopic": ("true", "false"),
    "FifoThroughputScope": ("Topic", "MessageGroup"),
}
_OF_SUBSCRIPTIONS = frozenset(
    {"DeliveryPolicy", "FilterPolicy", "FilterPolicyScope", "RawMessageDelivery", "RedrivePolicy"}
    | {"SubscriptionRoleArn", "ReplayPolicy"}
)
ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+", re.ASCII)
_LONGEST_NAME = 100
_NO_RAW = ("email", "email-json", "sms", "application", "lambda")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def check_topic(name: str, value: str, *, fifo: bool, creating: bool = False) -> str:
    """An attribute of a topic as it is kept; an empty one is taken off. Raises InvalidParameter."""
    known = name in _OF_TOPICS or (fifo and name in _OF_FIFO) or (creating and name == "FifoTopic")
    if not known:
        raise InvalidParameter("AttributeName" if not creating else f"Attributes Reason: Unknown attribute {name}")
    choices = _CHOICES.get(name)
    if choices is not None and value.lower() not in [choice.lower() for choice in choices]:
        raise InvalidParameter(f"Attributes Reason: {name}: Invalid value [{value}]")
    if choices is not None:
        return next(choice for choice in choices if choice.lower() == value.lower())
    if name == "DisplayName" and (len(value) > _LONGEST_NAME or _CONTROL.search(value)):
        raise InvalidParameter("DisplayName Reason: must be at most 100 characters long")
    if name == "Policy" and value:
        return _policy(value)
    if name == "DeliveryPolicy" and value:
        return delivery_policies.check_topic(value)
    if name == "ArchivePolicy" and value:
        _object(name, value)
    if name in FEEDBACK:
        check_feedback(name, value)
    return value


def check_feedback(name: str, value: str) -> None:
    """Refuse what is no role, or no share of a hundred, for delivery status. Raises InvalidParameter."""
    if not value:
        return
    if name.endswith("SampleRate"):
        if not (value.isascii() and value.isdigit() and int(value) <= 100):
            raise InvalidParameter(f"Attributes Reason: {name}: Invalid value [{value}]. Must be between 0 and 100.")
    elif not ROLE.fullmatch(value):
        raise InvalidParameter(f"Attributes Reason: {name}: Invalid value [{value}]. Must be the ARN of an IAM role.")


def _policy(value: str) -> str:
    document = _object("Policy", value)
    statements = document.get("Statement")
    for statement in statements if isinstance(statements, list) else [statements]:
        if not isinstance(statement, dict) or statement.get("Effect") not in ("Allow", "Deny"):
            raise InvalidParameter("Policy statement must contain an Effect")
        actions = statement.get("Action", [])
        for action in actions if isinstance(actions, list) else [actions]:
            if str(action) != "*" and not str(action).lower().startswith("sns:"):
                raise InvalidParameter("Policy statement action out of service scope!")
    return value


def _object(name: str, value: str) -> dict[str, Any]:
    try:
        found = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise InvalidParameter(f"{name}: failed to parse JSON") from error
    if not isinstance(found, dict):
        raise InvalidParameter(f"{name}: must be a JSON object")
    return found


def check_subscription(
    given: Mapping[str, str], kept: Mapping[str, str], *, protocol: str, endpoint: str, creating: bool
) -> dict[str, str]:
    """All attributes of a subscription once some are set; empty ones are taken off. Raises InvalidParameter."""
    prefix = "Attributes Reason: " if creating else ""
    after = dict(kept)
    for name, value in given.items():
        if name not in _OF_SUBSCRIPTIONS:
            raise InvalidParameter(f"{prefix}AttributeName" if not creating else f"Attributes Reason: {name}")
        after[name] = _check_one(name, value, prefix, protocol, endpoint)
    _check_filter(after, prefix, given)
    return {name: value for name, value in after.items() if value != ""}


def _check_one(name: str, value: str, prefix: str, protocol: str, endpoint: str) -> str:
    if name == "RawMessageDelivery":
        if value.lower() not in ("true", "false"):
            raise InvalidParameter(f"{prefix}{name}: Invalid value [{value}]. Must be true or false.")
        if value.lower() == "true" and protocol in _NO_RAW:
            raise InvalidParameter(f"{prefix}Delivery protocol [{protocol}] does not support raw message delivery.")
        return value.lower()
    if name == "FilterPolicyScope" and value not in (filters.ATTRIBUTES, filters.BODY):
        raise InvalidParameter(
            f"{prefix}FilterPolicyScope: Invalid value [{value}]. Please use either MessageBody or MessageAttributes"
        )
    if name == "RedrivePolicy" and value:
        _check_redrive(value, prefix, fifo=protocol == "sqs" and endpoint.endswith(".fifo"))
    if name == "DeliveryPolicy" and value:
        delivery_policies.check_subscription(value, prefix)
    return value


def _check_redrive(value: str, prefix: str, *, fifo: bool) -> None:
    try:
        policy = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise InvalidParameter(f"{prefix}RedrivePolicy: {filters.parse_problem(value)}") from error
    target = policy.get("deadLetterTargetArn", "") if isinstance(policy, dict) else ""
    try:
        arn = Arn.parse(str(target))
    except ValueError as error:
        raise InvalidParameter(f"{prefix}RedrivePolicy: deadLetterTargetArn is an invalid arn") from error
    if arn.service != "sqs":
        raise InvalidParameter(f"{prefix}RedrivePolicy: deadLetterTargetArn is an invalid arn")
    if fifo and not arn.resource.endswith(".fifo"):
        raise InvalidParameter(
            f"{prefix}RedrivePolicy: must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic."
        )


def _check_filter(after: dict[str, str], prefix: str, given: Mapping[str, str]) -> None:
    policy = after.get("FilterPolicy")
    if not policy or not {"FilterPolicy", "FilterPolicyScope"} & set(given):
        return
    scope = after.setdefault("FilterPolicyScope", filters.ATTRIBUTES)
    try:
        filters.check(policy, scope)
    except filters.InvalidFilter as error:
        raise InvalidParameter(f"{prefix}FilterPolicy: {error}") from error
    if scope == filters.ATTRIBUTES and filters.is_nested(policy):
        raise InvalidParameter(f"{prefix}Filter policy scope MessageAttributes does not support nested filter policy")

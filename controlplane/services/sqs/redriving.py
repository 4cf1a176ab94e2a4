"""Whether a queue may have another one for its dead letters."""

from __future__ import annotations

import json
from collections.abc import Mapping

import orjson

from controlplane.core.context import Context
from controlplane.services.sqs.errors import InvalidAttributeValue
from controlplane.services.sqs.queues import of_arn


async def check_target(ctx: Context, attributes: Mapping[str, str], owner: str, *, fifo: bool) -> None:
    """Refuse a redrive policy whose target is not there, of another account or of the other kind. Raises
    InvalidAttributeValue."""
    text = attributes.get("RedrivePolicy")
    if not text:
        return
    policy = orjson.loads(text)
    target = str(policy["deadLetterTargetArn"])
    if target.endswith(".fifo") is not fifo:
        raise _refused(policy, "Dead-letter queue must be same type of queue as the source..")  # AWS's own dots
    queue = await of_arn(ctx, target)
    if queue is None or queue.account_id != owner:
        raise _refused(policy, "Dead letter target does not exist.")


def _refused(policy: object, reason: str) -> InvalidAttributeValue:
    value = json.dumps(policy)
    return InvalidAttributeValue(
        f"Value {value} for parameter RedrivePolicy is invalid. Reason: {reason}", code="InvalidParameterValueException"
    )

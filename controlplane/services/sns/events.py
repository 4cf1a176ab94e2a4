"""What topics hear of the devices of an application: `EventEndpointCreated` and its like name a topic."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import orjson

from controlplane.core.context import Context
from controlplane.services.sns.messages import Message, timestamp
from controlplane.services.sns.publishing import Publication, publisher_of
from controlplane.services.sns.topics import find

if TYPE_CHECKING:
    from controlplane.services.sns.platforms import Endpoint

CREATED, UPDATED, DELETED, FAILED = "EndpointCreated", "EndpointUpdated", "EndpointDeleted", "DeliveryFailure"


async def tell(ctx: Context, endpoint: Endpoint, event: str, via: str, **facts: str) -> None:
    """Publish an event, as part of the context's transaction, if its topic is there. `via`: the cloud's address."""
    topic = await find(ctx, endpoint.settings.get(f"Event{event}") or "")
    if topic is None or topic.fifo or topic.account_id != ctx.account_id:
        return
    told = {"EventType": event, "Resource": endpoint.application_arn, "EndpointArn": endpoint.arn, "Service": "SNS"}
    text = orjson.dumps({**told, "Time": timestamp(), **facts}).decode()
    message = Message(uuid4(), {"default": text}, event, {}, event=True)
    await publisher_of(ctx).publish_within(Publication(ctx, topic, message), via)

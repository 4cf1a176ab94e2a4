"""Applications of mobile platforms, and their devices. What devices are told goes into the outbox.

Source: "Mobile push notifications" and "Using application attributes for message delivery status" in the SNS developer
guide.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from controlplane.core.arn import arn
from controlplane.core.context import Context
from controlplane.core.operation import Resource
from controlplane.services.sns import events, outbox, reports
from controlplane.services.sns.errors import (
    EndpointDisabled,
    InvalidParameter,
    NotFound,
    PlatformApplicationDisabled,
)
from controlplane.services.sns.messages import Message
from controlplane.services.sns.outbox import Letter
from controlplane.services.sns.topics import parts_of

PLATFORMS = ("ADM", "APNS", "APNS_SANDBOX", "FCM", "GCM", "BAIDU", "WNS", "MPNS", "MACOS", "MACOS_SANDBOX")
NAME = re.compile(r"[A-Za-z0-9_.-]*", re.ASCII)
_APPLICATION = """
SELECT * FROM sns_platform_applications WHERE account_id = $1 AND region = $2 AND platform = $3 AND name = $4
"""
_ENDPOINT = """
SELECT e.*, a.platform, a.name AS application, a.attributes AS settings FROM sns_platform_endpoints e
JOIN sns_platform_applications a ON a.id = e.application_id
WHERE e.id = $1 AND e.account_id = $2 AND e.region = $3
"""
_DISABLE = """
UPDATE sns_platform_endpoints SET attributes = attributes || '{"Enabled": "false"}' WHERE id = $1
"""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A device as its row says."""

    id: UUID
    arn: str
    token: str
    own: Mapping[str, str]
    platform: str
    application: str
    settings: Mapping[str, str]
    """Attributes of the application."""

    @property
    def attributes(self) -> dict[str, str]:
        return {"Enabled": "true", **self.own, "Token": self.token}

    @property
    def application_arn(self) -> str:
        return self.arn.rpartition(":")[0] + f":app/{self.platform}/{self.application}"


def application_arn(ctx: Context, platform: str, name: str) -> str:
    return arn("sns", ctx.region, ctx.account_id, f"app/{platform}/{name}")


def endpoint_of_row(row: Any) -> Endpoint:
    """The device of a row, joined with its application's."""
    resource = f"endpoint/{row['platform']}/{row['application']}/{row['id']}"
    text = arn("sns", row["region"], row["account_id"], resource)
    names = row["platform"], row["application"]
    return Endpoint(row["id"], text, row["token"], row["attributes"], *names, row["settings"])


def is_endpoint(text: str) -> bool:
    """Whether an ARN is a device's."""
    return text.split(":")[-1].startswith("endpoint/")


async def application(ctx: Context, text: str) -> Any:
    """The row of an application by its ARN. Raises NotFound, InvalidParameter."""
    parts = parts_of("PlatformApplicationArn", text)
    names = parts[5].split("/")
    if len(names) != 3 or names[0] != "app":
        raise InvalidParameter("PlatformApplicationArn Reason: Wrong number of slashes in relative portion of the ARN.")
    row = None
    if parts[3] == ctx.region:
        row = await ctx.db.fetchrow(_APPLICATION, parts[4], parts[3], names[1], names[2])
    if row is None:
        raise NotFound("PlatformApplication")
    return row


def on_application(ctx: Context, request: Any) -> list[Resource]:
    """The application that is named."""
    text = request["PlatformApplicationArn"]
    return [Resource(text if _is_arn(text) else arn("sns", ctx.region, ctx.account_id, "app/*"))]


def _is_arn(text: str) -> bool:
    parts = text.split(":")
    return len(parts) == 6 and parts[0] == "arn" and parts[2] == "sns" and bool(parts[4])


async def on_endpoint(ctx: Context, request: Any) -> list[Resource]:
    """The device that is named."""
    return [await endpoint_resource(ctx, request["EndpointArn"])]


async def endpoint_resource(ctx: Context, text: str) -> Resource:
    """What the policy engine is asked about for a device's ARN."""
    if not _is_arn(text):
        return Resource(arn("sns", ctx.region, ctx.account_id, "endpoint/*"))
    return Resource(text, row=await find_endpoint(ctx, text))


async def find_endpoint(ctx: Context, text: str) -> Endpoint | None:
    """The device of an ARN in the request's region."""
    parts = text.split(":")
    try:
        id = UUID(parts[5].rpartition("/")[2])
    except ValueError:
        return None
    row = await ctx.db.cached_row(_ENDPOINT, id, parts[4], parts[3]) if parts[3] == ctx.region else None
    found = endpoint_of_row(row) if row is not None else None
    return found if found is not None and found.arn == text else None


def the_endpoint(ctx: Context) -> Endpoint:
    """The device that permission was asked for. Raises NotFound, InvalidParameter."""
    found: Endpoint | None = ctx.resources[0].row
    if found is None:
        if "EndpointArn" not in ctx.request:
            raise InvalidParameter("TargetArn Reason: No endpoint found for the target arn specified")
        parts = parts_of("EndpointArn", ctx.request["EndpointArn"])
        if parts[5].count("/") != 3:
            raise InvalidParameter("EndpointArn Reason: Wrong number of slashes in relative portion of the ARN.")
        raise NotFound("Endpoint")
    return found


async def send(ctx: Context, endpoint: Endpoint, message: Message) -> None:
    """Send a message to a device of the context's account. Raises EndpointDisabled, PlatformApplicationDisabled."""
    await put(ctx, endpoint, str(message.id), message.id, message.body(endpoint.platform), message.at, ctx.endpoint)


async def put(
    ctx: Context, endpoint: Endpoint, id: str, key: UUID, text: str, at: str, via: str, *, is_event: bool = False
) -> None:
    """Put a message into the outbox under `key`. `is_event`: it tells of a device itself.

    Raises EndpointDisabled, PlatformApplicationDisabled.
    """
    if endpoint.settings.get("Enabled", "true").lower() != "true":
        raise PlatformApplicationDisabled
    if endpoint.attributes["Enabled"].lower() != "true":
        raise EndpointDisabled
    told = {"EndpointArn": endpoint.arn, "Token": endpoint.token, "Message": text}
    fields = {
        "id": id,
        "platform": endpoint.platform,
        "application": endpoint.application,
        "token": endpoint.token,
        "message": text,
    }
    group = f"sns/{ctx.region}/{ctx.account_id}/app/{endpoint.platform}/{endpoint.application}"
    wanted = reports.wanted(endpoint.settings, "", group)
    notification = reports.notification(id, text, at)
    await outbox.put(ctx, Letter("push", key, told, fields, wanted, notification, endpoint.arn, via, is_event=is_event))


async def is_gone(ctx: Context, endpoint_arn: str, id: str, via: str, *, by_event: bool) -> None:
    """Disable a device that the gateway says is no more, and tell the application's owner, unless it was an event that
    did not arrive."""
    endpoint = await find_endpoint(ctx, endpoint_arn)
    if endpoint is None:
        return
    await ctx.db.execute(_DISABLE, endpoint.id)
    if by_event:
        return
    why = "Platform token associated with the endpoint is not valid"
    facts = {"FailureType": "InvalidPlatformToken", "FailureMessage": why, "MessageId": id}
    await events.tell(ctx, endpoint, events.FAILED, via, **facts)
    await events.tell(ctx, endpoint, events.UPDATED, via)

"""Configuration sets and their event destinations, in the shapes of version 2 of the API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from controlplane.core.arn import Arn, arn
from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.core.operation import Resource
from controlplane.services.ses.errors import (
    ConfigurationSetAlreadyExists,
    ConfigurationSetDoesNotExist,
    EventDestinationAlreadyExists,
    EventDestinationDoesNotExist,
    InvalidParameterValue,
    InvalidSNSDestination,
)

TYPES = {
    "send": "SEND",
    "reject": "REJECT",
    "bounce": "BOUNCE",
    "complaint": "COMPLAINT",
    "delivery": "DELIVERY",
    "open": "OPEN",
    "click": "CLICK",
    "renderingFailure": "RENDERING_FAILURE",
}
"""Kinds of events, as version 1 calls them and as version 2 does."""
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_MOST_DESTINATIONS = 10
_KINDS = ("SnsDestination", "KinesisFirehoseDestination", "CloudWatchDestination", "EventBridgeDestination")
_WELCOME = "Successfully validated SNS topic for Amazon SES event publishing."
_INSERT = """
INSERT INTO ses_configuration_sets (account_id, region, name, options, tags) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING RETURNING true
"""
_FIND = "SELECT * FROM ses_configuration_sets WHERE account_id = $1 AND region = $2 AND name = $3"
_DELETE = "DELETE FROM ses_configuration_sets WHERE account_id = $1 AND region = $2 AND name = $3 RETURNING true"
_PAGE = """
SELECT name FROM ses_configuration_sets WHERE account_id = $1 AND region = $2 AND ($3::text IS NULL OR name > $3)
ORDER BY name LIMIT $4
"""
_SET = """
UPDATE ses_configuration_sets SET options = $4, destinations = $5, tags = $6
WHERE account_id = $1 AND region = $2 AND name = $3
"""


def set_arn(ctx: Context, name: str) -> str:
    return arn("ses", ctx.region, ctx.account_id, f"configuration-set/{name}")


def on_set(ctx: Context, request: Any) -> Resource:
    """The set that a request names."""
    given = request.get("ConfigurationSetName") or (request.get("ConfigurationSet") or {}).get("Name") or "*"
    return Resource(set_arn(ctx, given))


async def create(ctx: Context, name: str, options: Mapping[str, Any], tags: Mapping[str, str]) -> None:
    """Raises InvalidParameterValue, ConfigurationSetAlreadyExists."""
    if not _NAME.fullmatch(name):
        raise InvalidParameterValue(
            f"Invalid configuration set name <{name[:100]}>: only alphanumeric ASCII characters, '_', and '-' are "
            "allowed."
        )
    if not await ctx.db.fetchval(_INSERT, ctx.account_id, ctx.region, name, dict(options), dict(tags)):
        raise ConfigurationSetAlreadyExists(f"Configuration set <{name}> already exists.")


async def find(ctx: Context, name: str) -> Any:
    """The set, which this transaction may change. Raises ConfigurationSetDoesNotExist."""
    row = await ctx.db.fetchrow(f"{_FIND} FOR UPDATE", ctx.account_id, ctx.region, name)
    if row is None:
        raise ConfigurationSetDoesNotExist(name)
    return row


async def read(ctx: Context, name: str) -> Any:
    """The set. Raises ConfigurationSetDoesNotExist."""
    row = await ctx.db.cached_row(_FIND, ctx.account_id, ctx.region, name)
    if row is None:
        raise ConfigurationSetDoesNotExist(name)
    return row


async def delete(ctx: Context, name: str) -> None:
    """Raises ConfigurationSetDoesNotExist."""
    if not await ctx.db.fetchval(_DELETE, ctx.account_id, ctx.region, name):
        raise ConfigurationSetDoesNotExist(name)


async def page(ctx: Context, after: str | None, most: int) -> list[str]:
    """Names."""
    return [row["name"] for row in await ctx.db.fetch(_PAGE, ctx.account_id, ctx.region, after, most)]


async def change(ctx: Context, name: str, **options: Any) -> None:
    """Change options. Raises ConfigurationSetDoesNotExist."""
    row = await find(ctx, name)
    await _write(ctx, row, {**row["options"], **options}, row["destinations"], row["tags"])


async def set_tags(ctx: Context, name: str, tags: dict[str, str]) -> None:
    row = await find(ctx, name)
    await _write(ctx, row, row["options"], row["destinations"], tags)


async def _write(ctx: Context, row: Any, options: Any, destinations: Any, tags: Any) -> None:
    await ctx.db.execute(_SET, ctx.account_id, ctx.region, row["name"], options, destinations, tags)


async def put_destination(ctx: Context, set_name: str, name: str, destination: Mapping[str, Any], *, new: bool) -> None:
    """Raises ConfigurationSetDoesNotExist, EventDestinationAlreadyExists, EventDestinationDoesNotExist,
    InvalidParameterValue, InvalidSNSDestination."""
    row = await find(ctx, set_name)
    if not _NAME.fullmatch(name):
        raise InvalidParameterValue(f"Invalid event destination name <{name[:100]}>.")
    if new and name in row["destinations"]:
        raise EventDestinationAlreadyExists(f"Event destination <{name}> already exists.")
    if not new and name not in row["destinations"]:
        raise EventDestinationDoesNotExist(f"No EventDestination found for {set_name}")
    if new and len(row["destinations"]) >= _MOST_DESTINATIONS:
        raise InvalidParameterValue(f"A configuration set has at most {_MOST_DESTINATIONS} event destinations.")
    there = {**({} if new else row["destinations"][name]), **destination}
    if not there.get("MatchingEventTypes"):
        raise InvalidParameterValue("At least one matching event type must be specified.")
    kinds = [kind for kind in _KINDS if there.get(kind)]
    if len(kinds) != 1:
        raise InvalidParameterValue("Exactly one destination must be specified.")
    if kinds == ["SnsDestination"]:
        await _check_topic(ctx, row["name"], there["SnsDestination"]["TopicArn"])
    told = {"Enabled": bool(there.get("Enabled", False)), **{k: v for k, v in there.items() if k != "Enabled"}}
    await _write(ctx, row, row["options"], {**row["destinations"], name: told}, row["tags"])


async def drop_destination(ctx: Context, set_name: str, name: str) -> None:
    """Raises ConfigurationSetDoesNotExist, EventDestinationDoesNotExist."""
    row = await find(ctx, set_name)
    if name not in row["destinations"]:
        raise EventDestinationDoesNotExist(f"No EventDestination found for {set_name}")
    rest = {key: value for key, value in row["destinations"].items() if key != name}
    await _write(ctx, row, row["options"], rest, row["tags"])


async def _check_topic(ctx: Context, set_name: str, topic: str) -> None:
    """Write to the topic once, as SES itself. Raises InvalidSNSDestination."""
    try:
        region = Arn.parse(topic).region
    except ValueError as error:
        raise InvalidSNSDestination(topic) from error
    if region != ctx.region:
        raise InvalidSNSDestination(topic)
    try:
        await as_ses(ctx, set_arn(ctx, set_name)).call("sns", "Publish", {"TopicArn": topic, "Message": _WELCOME})
    except AwsError as error:
        if error.status >= 500:
            raise
        raise InvalidSNSDestination(topic) from error


def as_ses(ctx: Context, source_arn: str) -> Context:
    """The means to call other services as SES, for the sake of one of its resources. Topics that nobody has given a
    policy let their own account's SES in by `aws:SourceOwner`."""
    made = ctx.as_service("ses.amazonaws.com", source_arn)
    made.facts["aws:SourceOwner"] = made.account_id
    return made

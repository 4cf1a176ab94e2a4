"""Trails as operations use them: found by name or ARN, shown as the API shows them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from controlplane.core.arn import Arn, arn
from controlplane.core.context import Context
from controlplane.core.operation import Resource
from controlplane.services.cloudtrail import queries
from controlplane.services.cloudtrail.errors import (
    CloudTrailARNInvalidException,
    InvalidHomeRegionException,
    InvalidTrailNameException,
    TrailNotFoundException,
)

DELIVERY = "cloudtrail.trail"
"""The kind of work that delivers a trail's files."""

_NAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9]|[._-](?![._-]))*[a-zA-Z0-9]")
_SHORTEST, _LONGEST = 3, 128


def check_name(name: str) -> str:
    """Raises InvalidTrailNameException."""
    if not _SHORTEST <= len(name) <= _LONGEST:
        size = "less than 3" if len(name) < _SHORTEST else "greater than 128"
        raise InvalidTrailNameException(f"Trail name or ARN can not be {size} characters: {name}")
    if not _NAME.fullmatch(name) or re.fullmatch(r"[\d.]+", name):
        raise InvalidTrailNameException(f"Trail name can contain letters, digits, '.', '_' and '-' only: {name}")
    return name


def arn_of(account_id: str, region: str, name: str) -> str:
    return arn("cloudtrail", region, account_id, f"trail/{name}")


def place(ctx: Context, name: str) -> tuple[str, str, str]:
    """Account, home region and name that a name or ARN stands for. Raises CloudTrailARNInvalidException."""
    if not name.startswith("arn:"):
        return ctx.account_id, ctx.region, name
    try:
        parsed = Arn.parse(name)
    except ValueError as error:
        raise CloudTrailARNInvalidException(f"The ARN is not valid: {name}") from error
    kind, _, own = parsed.resource.partition("/")
    if parsed.service != "cloudtrail" or kind != "trail" or not own or not parsed.account or not parsed.region:
        raise CloudTrailARNInvalidException(f"The ARN is not valid: {name}")
    return parsed.account, parsed.region, own


def on_trail(member: str = "Name") -> Any:
    """The trail that a request names, for the policy engine."""

    def resources(ctx: Context, request: Any) -> Resource:
        name = request.get(member) or ""
        try:
            return Resource(arn_of(*place(ctx, name)))
        except CloudTrailARNInvalidException:
            return Resource(arn_of(ctx.account_id, ctx.region, name))

    return resources


async def find(ctx: Context, name: str, *, change: bool = False) -> Any:
    """A trail's row; to `change` it, held and only in its home region. A trail for all regions is found from each.

    Raises TrailNotFoundException, InvalidHomeRegionException, CloudTrailARNInvalidException.
    """
    account, region, own = place(ctx, name)
    row = None
    if account == ctx.account_id:
        row = await queries.find(ctx.db, account, region, own, lock=change)
        if row is None and not name.startswith("arn:"):
            row = next((item for item in await queries.visible(ctx) if item["name"] == own), None)
    if row is None:
        raise TrailNotFoundException(f"Unknown trail: {arn_of(account, region, own)} for the user: {ctx.account_id}")
    if change and row["region"] != ctx.region:
        raise InvalidHomeRegionException(
            f"Trail {arn_of(account, row['region'], own)} can only be changed in its home region: {row['region']}"
        )
    return row


def settings(row: Any) -> dict[str, Any]:
    """What CreateTrail and UpdateTrail answer."""
    kept: Mapping[str, Any] = row["settings"]
    found = {
        "Name": row["name"],
        "TrailARN": arn_of(row["account_id"], row["region"], row["name"]),
        "IncludeGlobalServiceEvents": kept.get("IncludeGlobalServiceEvents", True),
        "IsMultiRegionTrail": kept.get("IsMultiRegionTrail", False),
        "LogFileValidationEnabled": kept.get("EnableLogFileValidation", False),
        "IsOrganizationTrail": False,
    }
    found |= {name: kept[name] for name in ("S3BucketName", "S3KeyPrefix", "KmsKeyId") if kept.get(name)}
    found |= {name: kept[name] for name in ("CloudWatchLogsLogGroupArn", "CloudWatchLogsRoleArn") if kept.get(name)}
    if topic := kept.get("SnsTopicName"):
        found["SnsTopicName"] = topic.rpartition(":")[2]
        found["SnsTopicARN"] = (
            topic if topic.startswith("arn:") else arn("sns", row["region"], row["account_id"], topic)
        )
    return found


def shown(row: Any) -> dict[str, Any]:
    """What GetTrail and DescribeTrails answer."""
    own = {"HomeRegion": row["region"], "HasCustomEventSelectors": row["selectors"] is not None}
    return {**settings(row), **own, "HasInsightSelectors": False}

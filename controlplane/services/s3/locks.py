"""Object lock: retention and legal hold, and who may remove what."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.core.operation import Resource
from controlplane.services.s3 import buckets
from controlplane.services.s3.buckets import Bucket
from controlplane.services.s3.errors import AccessDenied, InvalidArgument, InvalidRequest, MalformedXML

GOVERNANCE, COMPLIANCE = "GOVERNANCE", "COMPLIANCE"
_PACIFIC = ZoneInfo("America/Los_Angeles")
"""AWS tells this one date in its own time."""
_BYPASS = "s3:BypassGovernanceRetention"


def is_enabled(bucket: Bucket) -> bool:
    """Whether versions in a bucket can be locked."""
    return "object_lock" in bucket.settings


def for_writing(bucket: Bucket, request: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a new version's lock: what the request says, else the bucket's default. Raises InvalidRequest."""
    mode, until = request.get("ObjectLockMode"), request.get("ObjectLockRetainUntilDate")
    hold = request.get("ObjectLockLegalHoldStatus")
    if (mode or until or hold) and not is_enabled(bucket):
        raise InvalidRequest("Bucket is missing Object Lock Configuration")
    if bool(mode) != bool(until):
        raise InvalidArgument(
            "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied",
            ArgumentName="x-amz-object-lock-retain-until-date" if mode else "x-amz-object-lock-mode",
        )
    if mode and mode not in (GOVERNANCE, COMPLIANCE):
        raise InvalidArgument("Unknown wormMode directive.", ArgumentName="x-amz-object-lock-mode", ArgumentValue=mode)
    if hold and hold not in ("ON", "OFF"):
        raise InvalidArgument("Legal Hold must be either of 'ON' or 'OFF'", ArgumentName="x-amz-object-lock-legal-hold")
    if until is not None and until <= datetime.now(UTC):
        raise InvalidArgument(
            "The retain until date must be in the future!", ArgumentName="x-amz-object-lock-retain-until-date"
        )
    if not mode:
        mode, until = _default(bucket)
    return {"lock_mode": mode, "lock_until": until, "legal_hold": hold == "ON"}


def _default(bucket: Bucket) -> tuple[str | None, datetime | None]:
    rule = (bucket.settings.get("object_lock") or {}).get("DefaultRetention")
    if not rule:
        return None, None
    days = rule.get("Days") or 365 * rule.get("Years", 0)
    return rule["Mode"], datetime.now(UTC) + timedelta(days=days)


async def check_removal(ctx: Context, row: Any, request: Mapping[str, Any], resource: Resource) -> None:
    """Whether a version may be removed now. Raises AccessDenied."""
    if row["legal_hold"]:
        raise AccessDenied("Access Denied because object protected by object lock.")
    if row["lock_until"] is None or row["lock_until"] <= datetime.now(UTC):
        return
    if row["lock_mode"] == COMPLIANCE or not await _bypasses(ctx, request, resource):
        raise AccessDenied("Access Denied because object protected by object lock.")


async def check_change(
    ctx: Context, row: Any, retention: Mapping[str, Any], request: Mapping[str, Any], resource: Resource
) -> None:
    """Whether a version's retention may become another. Raises AccessDenied, MalformedXML, InvalidArgument."""
    mode, until = retention.get("Mode"), retention.get("RetainUntilDate")
    if bool(mode) != bool(until) or (mode and mode not in (GOVERNANCE, COMPLIANCE)):
        raise MalformedXML
    if until is not None and until <= datetime.now(UTC):
        raise InvalidArgument(
            "The retain until date must be in the future!",
            ArgumentName="RetainUntilDate",
            ArgumentValue=_told(until),
        )
    if row["lock_until"] is None or row["lock_until"] <= datetime.now(UTC):
        return
    if mode == row["lock_mode"] and until is not None and until >= row["lock_until"]:
        return
    if row["lock_mode"] == COMPLIANCE or not await _bypasses(ctx, request, resource):
        raise AccessDenied("Access Denied because object protected by object lock.")


def _told(moment: datetime) -> str:
    with suppress(OverflowError):  # in Pacific time the year 1 begins before it
        moment = moment.astimezone(_PACIFIC)
    return f"{moment:%a %b %d %H:%M:%S %Z %Y}"


async def _bypasses(ctx: Context, request: Mapping[str, Any], resource: Resource) -> bool:
    if not request.get("BypassGovernanceRetention"):
        return False
    bucket = resource.row[0] if isinstance(resource.row, tuple) else resource.row
    for asked in buckets.through(ctx, bucket, resource):
        try:
            await ctx.authorize(_BYPASS, asked)
        except AwsError as error:
            raise AccessDenied(error.message) from error
    return True

"""RestoreObject: a copy of an archived object, for some days."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from controlplane.core import storage_clock as clock
from controlplane.core.context import Context
from controlplane.core.operation import Request, operation
from controlplane.services.s3 import events
from controlplane.services.s3.archive import queries
from controlplane.services.s3.archive.restores import ARCHIVES, RESTORE, key_of
from controlplane.services.s3.errors import InvalidArgument, InvalidObjectState, MalformedXML, S3Error
from controlplane.services.s3.objects import on_stored, the_object

_HOUR = 3600.0
_SECONDS = {
    "GLACIER": {"Expedited": 180.0, "Standard": 4 * _HOUR, "Bulk": 8 * _HOUR},
    "DEEP_ARCHIVE": {"Standard": 12 * _HOUR, "Bulk": 48 * _HOUR},
}
_TIERS = ("Expedited", "Standard", "Bulk")
"""The fastest first."""
_MOST_DAYS = 2**31 - 1


class RestoreAlreadyInProgress(S3Error):
    code, status = "RestoreAlreadyInProgress", 409
    text = "Object restore is already in progress"


@operation("RestoreObject", on=on_stored("s3:RestoreObject"))
async def restore_object(ctx: Context, request: Request) -> dict[str, Any]:
    """Ask for a copy, or keep the one that is there for longer. Raises InvalidObjectState, RestoreAlreadyInProgress."""
    bucket, row = await the_object(ctx)
    asked = request.get("RestoreRequest") or {}
    if row["storage_class"] not in ARCHIVES:
        raise InvalidObjectState(
            "Restore is not allowed for the object's current storage class", StorageClass=row["storage_class"] or ""
        )
    if asked.get("Type") is not None or asked.get("SelectParameters") or asked.get("OutputLocation"):
        raise MalformedXML
    days = asked.get("Days")
    if days is None:
        raise MalformedXML
    if not 1 <= days <= _MOST_DAYS:
        raise InvalidArgument("restoration days should be at least 1", ArgumentName="Days", ArgumentValue=days)
    tier = asked.get("Tier") or (asked.get("GlacierJobParameters") or {}).get("Tier") or "Standard"
    if tier not in _TIERS:
        raise MalformedXML
    seconds = _SECONDS[row["storage_class"]].get(tier)
    if seconds is None:
        raise InvalidArgument(
            "Retrieval option is not supported by this storage class", ArgumentName="Tier", ArgumentValue=tier
        )
    day, now = ctx.cloud.storage_day, datetime.now(UTC)
    wait = clock.scaled(seconds, day)
    name = queries.name_of(row)
    if await queries.begin(ctx.db, name, bucket.account_id, tier, days, now + wait):
        await ctx.wake(RESTORE, key_of(name), wait.total_seconds())
        await events.note(ctx, bucket, "ObjectRestore:Post", row["key"], row)
        ctx.answer_status = 202
        return {}
    held = await queries.restore(ctx.db, name)
    if held["expires_at"] is None:
        if _TIERS.index(tier) >= _TIERS.index(held["tier"]):
            raise RestoreAlreadyInProgress
        due = min(held["due_at"], now + wait)
        await queries.hurry(ctx.db, name, tier, due)
        await ctx.wake(RESTORE, key_of(name), max((due - now).total_seconds(), 0))
        ctx.answer_status = 202
        return {}
    until = clock.after_days(now, days, day)
    await queries.prolong(ctx.db, name, days, until)
    await ctx.wake(RESTORE, key_of(name), (until - now).total_seconds())
    return {}

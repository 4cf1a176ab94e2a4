"""Delivers trails' files: every minute, and sooner after a start or a failure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.services.cloudtrail import delivery, queries
from controlplane.services.cloudtrail.trails import DELIVERY
from controlplane.work.reconciler import GONE, Again, Outcome, Run, reconciler

EVERY_SECONDS = 60.0
SOON_SECONDS = 15.0
"""After a start or a failure, when somebody may be waiting to see whether it works."""


@reconciler(DELIVERY, every=EVERY_SECONDS)
async def deliver(run: Run, key: str) -> Outcome:
    """Write what came since the last time. Where that fails, the trail's status says why and nothing is lost."""
    account, region, name = key.split("/")
    async with run.step() as db:
        row = await queries.find(db, account, region, name, lock=True)
        if row is None or not row["logging"]:
            return GONE
        ctx = delivery.acting(run, db, row)
        position, found = await delivery.events(ctx, row)
    files, failure = await _write(run, row, found)
    async with run.step() as db:
        row = await queries.find(db, account, region, name, lock=True)
        if row is None:
            return GONE
        status, chain = dict(row["status"]), dict(row["digest"])
        chain["files"] = [*chain.get("files", ()), *files]
        if failure is not None:
            position = row["position"]
        _note(status, "LatestDelivery", failure, tried=bool(found), done=bool(files))
        await queries.delivered(db, row, position, status, chain)
    await _digest(run, key)
    if files and row["settings"].get("SnsTopicName"):
        await _notify(run, key, [file["s3Object"] for file in files])
    just_started = datetime.now(UTC) - row["started_at"] < timedelta(seconds=SOON_SECONDS)
    return Again(SOON_SECONDS) if failure is not None or just_started else None


async def _write(run: Run, row: Any, found: dict[str, list[dict[str, Any]]]) -> tuple[list[dict[str, Any]], str | None]:
    """Files of all regions, in one transaction: all or none."""
    try:
        async with run.step() as db:
            ctx = delivery.acting(run, db, row)
            return [await delivery.put_logs(ctx, row, region, records) for region, records in found.items()], None
    except AwsError as error:
        return [], error.code


async def _digest(run: Run, key: str) -> None:
    account, region, name = key.split("/")
    now = datetime.now(UTC)
    async with run.step() as db:
        row = await queries.find(db, account, region, name, lock=True)
        if row is None or not row["settings"].get("EnableLogFileValidation"):
            return
        began = datetime.fromtimestamp(row["digest"].get("end") or row["started_at"].timestamp(), UTC)
        if now - began < delivery.DIGEST_EVERY:
            return
        status, chain, failure = dict(row["status"]), row["digest"], None
    try:
        async with run.step() as db:
            chain = await delivery.put_digest(delivery.acting(run, db, row), row, began, now)
    except AwsError as error:
        failure = error.code
    async with run.step() as db:
        _note(status, "LatestDigestDelivery", failure, tried=True, done=failure is None)
        await queries.delivered(db, row, row["position"], status, chain)


async def _notify(run: Run, key: str, keys: list[str]) -> None:
    account, region, name = key.split("/")
    async with run.step() as db:
        row = await queries.find(db, account, region, name)
    failure = None
    try:
        async with run.step() as db:
            ctx: Context = delivery.acting(run, db, row)
            await delivery.notify(ctx, row, keys)
    except AwsError as error:
        failure = error.code
    async with run.step() as db:
        status = dict(row["status"])
        _note(status, "LatestNotification", failure, tried=True, done=failure is None)
        await queries.delivered(db, row, row["position"], status, row["digest"])


def _note(status: dict[str, Any], what: str, failure: str | None, *, tried: bool, done: bool) -> None:
    """Keep how a delivery went, as GetTrailStatus tells it."""
    now = datetime.now(UTC)
    stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    if failure is not None:
        status[f"{what}Error"] = failure
    elif done:
        status.pop(f"{what}Error", None)
        status[f"{what}Time"] = int(now.timestamp())
    if tried and what in ("LatestDelivery", "LatestNotification"):
        status[f"{what}AttemptTime"] = stamp
        status[f"{what}AttemptSucceeded"] = stamp if failure is None else status.get(f"{what}AttemptSucceeded", "")

"""Brings new objects of the archive there, and copies of them back for a time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from controlplane.core import storage_clock as clock
from controlplane.core.context import Context, Unit
from controlplane.core.errors import EngineMissing
from controlplane.engines.blobs import packing
from controlplane.services.s3 import buckets, encryption, events
from controlplane.services.s3.archive import moving, queries
from controlplane.services.s3.archive.restores import ARCHIVES, MOVE, RESTORE, name_of
from controlplane.services.s3.buckets import Bucket
from controlplane.services.s3.queries.objects import ALL
from controlplane.services.s3.receiving import in_thread
from controlplane.work.reconciler import GONE, Again, Outcome, Run, reconciler

_FIND = f"""
SELECT {ALL} FROM s3_objects WHERE bucket_id = $1 AND key = $2 AND place = $3
UNION ALL SELECT {ALL} FROM s3_versions WHERE bucket_id = $1 AND key = $2 AND place = $3
"""
_BUCKET = "SELECT * FROM s3_buckets WHERE id = $1"
_AT_LEAST = 0.05


@reconciler(MOVE)
async def archive(run: Run, key: str) -> Outcome:
    """Bring what was written straight into the archive to its tier."""
    name = name_of(key)
    async with run.step() as db:
        row = await db.fetchrow(_FIND, *name)
    if row is not None and row["storage_class"] in ARCHIVES and not row["facts"].get("packed"):
        await moving.move(run, name[0], name[1], row["version"], name[2], row["storage_class"])
    return GONE


@reconciler(RESTORE)
async def restore(run: Run, key: str) -> Outcome:
    """Make the copy of an archived version when it is due, and remove it when its days are over."""
    name = name_of(key)
    async with run.step() as db:
        asked = await queries.restore(db, name)
        row = await db.fetchrow(_FIND, *name)
        found = await db.fetchrow(_BUCKET, name[0])
    if asked is None:
        return GONE
    now = datetime.now(UTC)
    if row is None or found is None or row["storage_class"] not in ARCHIVES:
        await _end(run, name)
        return GONE
    bucket = buckets.of_row(found)
    if asked["expires_at"] is None:
        if asked["due_at"] > now:
            return Again((asked["due_at"] - now).total_seconds() + _AT_LEAST)
        return await _make(run, bucket, row, asked)
    if asked["expires_at"] > now:
        return Again((asked["expires_at"] - now).total_seconds() + _AT_LEAST)
    await _end(run, name)
    await _note(run, bucket, row, "ObjectRestore:Delete")
    return GONE


async def _make(run: Run, bucket: Bucket, row: Any, asked: Any) -> Outcome:
    blob = salt = None
    blobs = run.engine("blobs")
    if packed := row["facts"].get("packed"):
        async with run.step() as db:
            master = encryption.own_key(_acting(run, db, bucket))
        try:
            blob, salt = await in_thread(_unpack, blobs, row["blob"], packed, master)
        except EngineMissing:  # moved meanwhile
            return Again(1)
    assert run.runtime is not None
    day, now = run.runtime.cloud.storage_day, datetime.now(UTC)
    until = clock.after_days(now, asked["days"], day)
    async with run.step() as db:
        done = await queries.finish(db, queries.name_of(row), blob, salt, until)
    if not done and blob is not None:
        await blobs.delete(blob)
    if done:
        told = {
            "lifecycleRestorationExpiryTime": events.moment(until),
            "lifecycleRestoreStorageClass": row["storage_class"],
        }
        await _note(run, bucket, row, "ObjectRestore:Completed", glacierEventData={"restoreEventData": told})
    return Again((until - now).total_seconds() + _AT_LEAST)


def _unpack(blobs: Any, blob: str, packed: Any, master: bytes) -> tuple[str, str]:
    return packing.copy(blobs, packing.unpacked(blobs, blob, packed, master), master)


def _acting(run: Run, db: Unit, bucket: Bucket) -> Context:
    return run.acting(db, events.SERVICE, bucket.arn, bucket.region, bucket.account_id)


async def _end(run: Run, name: queries.Name) -> None:
    async with run.step() as db:
        held = await queries.end(db, name)
    for row in held:
        if row["blob"] is not None:
            await run.engine("blobs").delete(row["blob"])


async def _note(run: Run, bucket: Bucket, row: Any, event: str, **more: Mapping[str, Any]) -> None:
    async with run.step() as db:
        await events.note(_acting(run, db, bucket), bucket, event, row["key"], row, **more)

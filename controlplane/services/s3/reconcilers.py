"""What happens without anybody asking: remains are freed, orphans collected, blobs verified."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from typing import Any

from controlplane.core import storage_clock as clock
from controlplane.core.context import Unit
from controlplane.core.errors import AwsError, EngineMissing
from controlplane.engines.blobs.contract import MARK
from controlplane.engines.blobs.holders import holds, known
from controlplane.services.s3 import events
from controlplane.services.s3.receiving import in_thread
from controlplane.work.reconciler import GONE, Again, Outcome, Run, reconciler

log = logging.getLogger("celaje.s3")

_PORTION = 1000
_GRACE_SECONDS = 24 * 3600.0
"""So old must a blob without a row be: the longest upload of a body may still be going on."""
_ORPHANS_SECONDS = 3600.0
_SCRUB_SECONDS = 60.0
_USAGE_SECONDS = 3600.0
_SCRUB_BYTES_A_RUN = 256 * 1024 * 1024
_MOST_TOLD = 1000

_OBJECTS = """
DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table} WHERE bucket_id = $1 LIMIT $2))
RETURNING blob, upload_id
"""
_UPLOADS = """
DELETE FROM s3_uploads WHERE id = ANY (ARRAY(SELECT id FROM s3_uploads WHERE bucket_id = $1 LIMIT $2))
RETURNING NULL AS blob, id AS upload_id
"""
_REMAINS = (_OBJECTS.format(table="s3_objects"), _OBJECTS.format(table="s3_versions"), _UPLOADS)
_PARTS = "DELETE FROM s3_parts WHERE upload_id = ANY($1::text[]) RETURNING blob"
_IS_THERE = "SELECT EXISTS (SELECT FROM s3_buckets WHERE id = $1)"
holds("s3_objects", "s3_versions", "s3_parts", "s3_restores")
_OLD_COMPLETIONS = "DELETE FROM s3_uploads WHERE completed IS NOT NULL AND created_at < now() - interval '14 days'"
_EVENT = "DELETE FROM s3_events WHERE id = $1 RETURNING *"
_COUNT = """
INSERT INTO s3_usage (bucket_id, storage_class, account_id, bytes, objects)
SELECT bucket_id, coalesce(storage_class, 'STANDARD'), min(account_id), sum(size), count(*) FROM (
  SELECT bucket_id, storage_class, account_id, size FROM s3_objects
  UNION ALL SELECT bucket_id, storage_class, account_id, size FROM s3_versions WHERE NOT marker
) stored GROUP BY 1, 2
ON CONFLICT (bucket_id, storage_class) DO UPDATE SET bytes = excluded.bytes, objects = excluded.objects,
  since = now()
WHERE (s3_usage.bytes, s3_usage.objects) IS DISTINCT FROM (excluded.bytes, excluded.objects)
"""
_UNCOUNT = """
DELETE FROM s3_usage u WHERE NOT EXISTS (
  SELECT FROM s3_objects o WHERE o.bucket_id = u.bucket_id AND coalesce(o.storage_class, 'STANDARD') = u.storage_class
) AND NOT EXISTS (
  SELECT FROM s3_versions v WHERE v.bucket_id = u.bucket_id AND coalesce(v.storage_class, 'STANDARD') = u.storage_class
  AND NOT v.marker
)
"""
_SCRUB = "INSERT INTO s3_scrubs (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET id = 1 RETURNING *"
_SCRUBBED = """
UPDATE s3_scrubs SET position = $1, verified = $2, corrupt = $3,
  round_began_at = CASE WHEN $1 = '' THEN now() ELSE round_began_at END WHERE id = 1
"""


@reconciler("s3.remains")
async def remains(run: Run, key: str) -> Outcome:
    """Free what a deleted bucket held: what came while it was deleted, and uploads that nobody completed."""
    async with run.step() as db:
        if await db.fetchval(_IS_THERE, int(key)):
            return GONE
    await empty(run, int(key))
    return GONE


async def empty(run: Run, bucket_id: int) -> None:
    """Remove all that is in a bucket."""
    for sql in _REMAINS:
        while True:
            async with run.step() as db:
                rows = await db.fetch(sql, bucket_id, _PORTION)
                blobs = await _with_parts(db, rows)
            await asyncio.gather(*(run.engine("blobs").delete(blob) for blob in blobs))
            if len(rows) < _PORTION:
                break


async def _with_parts(db: Unit, rows: list[Any]) -> list[str]:
    uploads = [row["upload_id"] for row in rows if row["upload_id"]]
    parts = await db.fetch(_PARTS, uploads) if uploads else []
    return [row["blob"] for row in (*rows, *parts) if row["blob"]]


@reconciler("s3.orphans", every=_ORPHANS_SECONDS, standing=True)
async def collect_orphans(run: Run, key: str) -> Outcome:
    """Delete blobs that no row knows and that are too old to belong to a request that still runs."""
    await collect(run, time.time() - _GRACE_SECONDS)
    async with run.step() as db:
        await db.execute(_OLD_COMPLETIONS)
    return None


async def collect(run: Run, before: float) -> int:
    """Collect what was left before a moment; answers how many files."""
    blobs = run.engine("blobs")
    collected: int = await in_thread(blobs.sweep, before)
    found: Iterator[list[str]] = blobs.written(before)
    while (ids := await in_thread(next, found, None)) is not None:
        async with run.step() as db:
            held = {row["blob"] for row in await db.fetch(known(), ids)}
        for id in ids:
            if id not in held:
                await blobs.delete(id)
                collected += 1
    return collected


@reconciler("s3.event")
async def tell(run: Run, key: str) -> Outcome:
    """Tell a target of an event. One that refuses it is not asked again, as at AWS."""
    async with run.step() as db:
        row = await db.fetchrow(_EVENT, int(key))
        if row is None:
            return GONE
        arn = f"arn:aws:s3:::{row['bucket']}"
        acting = run.acting(db, events.SERVICE, arn, row["region"], row["account_id"])
        try:
            await events.deliver(acting, row["service"], row["target"], row["document"], "Amazon S3 Notification")
        except AwsError as error:
            log.info("%s does not take an event of %s: %s", row["target"], row["bucket"], error.code)
    return GONE


@reconciler("s3.usage", every=_USAGE_SECONDS, standing=True)
async def count(run: Run, key: str) -> Outcome:
    """Count what lies in each bucket by storage class, for the ledger."""
    assert run.runtime is not None
    async with run.step() as db:
        await db.execute(_COUNT)
        await db.execute(_UNCOUNT)
    return Again(_USAGE_SECONDS * run.runtime.cloud.storage_day / clock.REAL_DAY + 1)


def _order(id: str) -> tuple[str, str]:
    """Tier by tier, as `written` goes; a cluster's come last."""
    tier, _, name = id.removeprefix(MARK).rpartition(":")
    return (f"~{tier}" if id.startswith(MARK) else tier), name


@reconciler("s3.scrub", every=_SCRUB_SECONDS, standing=True)
async def scrub(run: Run, key: str) -> Outcome:
    """Verify a portion of all blobs; what is corrupt is kept in `s3_scrubs`, for the owner."""
    blobs = run.engine("blobs")
    async with run.step() as db:
        state = await db.fetchrow(_SCRUB)
    position, corrupt, verified = state["position"], list(state["corrupt"]), state["verified"]
    budget, found = _SCRUB_BYTES_A_RUN, blobs.written(time.time())
    while budget > 0 and (ids := await in_thread(next, found, None)) is not None:
        for id in sorted(ids):
            if _order(id) <= _order(position) or budget <= 0:
                continue
            try:
                budget -= max(await blobs.size(id), 1)
                good = await in_thread(blobs.verify, id)
            except EngineMissing:
                continue
            position, verified = id, verified + 1
            if not good and id not in corrupt and len(corrupt) < _MOST_TOLD:
                corrupt.append(id)
    if budget > 0:
        position = ""
    async with run.step() as db:
        await db.execute(_SCRUBBED, position, verified, corrupt)
    return Again(_SCRUB_SECONDS)

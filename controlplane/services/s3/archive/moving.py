"""Brings a version's bytes to where its storage class has them."""

from __future__ import annotations

import asyncio
from typing import Any

from controlplane.core.context import Context
from controlplane.core.errors import EngineMissing
from controlplane.engines.blobs import packing
from controlplane.services.s3 import encryption, events, objects, reading, storing
from controlplane.services.s3.archive import queries
from controlplane.services.s3.archive.restores import ARCHIVES
from controlplane.services.s3.queries import objects as stored
from controlplane.services.s3.receiving import in_thread
from controlplane.work.reconciler import Run

_BUCKET = "SELECT name, region, account_id FROM s3_buckets WHERE id = $1"


async def move(run: Run, bucket_id: int, key: bytes, version: str | None, place: int, target: str) -> bool:
    """Make a version one of a storage class, with its bytes there; False where it has changed meanwhile.

    What lies under the cloud's own key is compressed on its way into the archive; other keys are not at hand here, so
    that what lies under them stays as it is. Whoever dies on the way leaves orphans, which are collected.
    """
    async with run.step() as db:
        row = await stored.version(db, bucket_id, key, version, place)
        owner = await db.fetchrow(_BUCKET, bucket_id)
    if row is None or row["place"] != place or row["marker"] or owner is None:
        return False
    async with run.step() as db:
        arn = f"arn:aws:s3:::{owner['name']}"
        acting = run.acting(db, events.SERVICE, arn, owner["region"], owner["account_id"])
        try:
            moved = await _moved(acting, row, target)
        except EngineMissing:
            return False
    async with run.step() as db:
        await storing.lock(db, bucket_id, key)
        storage_class = target if target != objects.STANDARD else None
        done = await queries.settle(db, row, storage_class, moved.blob, moved.content, moved.facts)
        if done and row["upload_id"] and moved.parts:
            await queries.put_parts(db, row["upload_id"], moved.parts)
    blobs = run.engine("blobs")
    if not done:
        await asyncio.gather(*(blobs.delete(blob) for blob in moved.new))
    elif row["blob"] is not None and row["blob"] != moved.blob:
        await blobs.delete(row["blob"])
    # Parts are read one after the other: the old ones stay for those who are at it, and go as orphans.
    return done


class _Moved:
    """Where a version's bytes lie now. `new` are the blobs that were made."""

    def __init__(self, row: Any) -> None:
        self.blob: str | None = row["blob"]
        self.content: bytes | None = row["content"]
        self.facts: dict[str, Any] = row["facts"]
        self.parts: dict[int, str | None] = {}
        self.new: list[str] = []


async def _moved(ctx: Context, row: Any, target: str) -> _Moved:
    moved, blobs = _Moved(row), ctx.engine("blobs")
    parts = await stored.parts(ctx.db, row["upload_id"]) if row["parts"] else []
    packed = target in ARCHIVES and row["facts"]["sse"]["kind"] == encryption.S3 and row["size"] > 0
    if row["facts"].get("packed"):
        if not blobs.lies_on(row["blob"], target):
            moved.blob = await in_thread(blobs.duplicate, row["blob"], target)
            moved.new.append(moved.blob or "")
    elif packed:
        master = encryption.own_key(ctx)
        body = await reading.bytes_of(ctx, row, master, 0, row["size"])
        moved.blob, facts = await packing.pack(blobs, body, master, target)
        moved.new.append(moved.blob)
        moved.content, moved.facts = None, {**row["facts"], "packed": facts}
        moved.parts = {part["number"]: None for part in parts}
    elif row["blob"] is not None and not blobs.lies_on(row["blob"], target):
        moved.blob = await in_thread(blobs.duplicate, row["blob"], target)
        moved.new.append(moved.blob or "")
    else:
        for part in parts:
            if part["blob"] is not None and not blobs.lies_on(part["blob"], target):
                copy = await in_thread(blobs.duplicate, part["blob"], target)
                moved.parts[part["number"]] = copy
                moved.new.append(copy)
    return moved

"""Versions become visible here, and vanish: every write of `s3_objects` and `s3_versions`.

In a bucket without versioning a put is one statement, which many puts share, and atomic by itself. Where versions
are kept the writes of one key wait for each other, on a lock that ends with the transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from weakref import WeakKeyDictionary

from controlplane.core.context import Context, Unit
from controlplane.services.s3 import compatibility, conditions, events, versions
from controlplane.services.s3.buckets import Bucket
from controlplane.services.s3.errors import (
    ConditionalRequestConflict,
    NoSuchBucket,
    NoSuchKey,
    PreconditionFailed,
)
from controlplane.services.s3.queries import objects as queries
from controlplane.services.s3.queries.objects import ALL, COLUMNS
from controlplane.services.s3.replication import rules as replication
from controlplane.state.batching import Batcher
from controlplane.state.database import Database

ENABLED, SUSPENDED = "Enabled", "Suspended"

Columns = dict[str, Any]

_TYPES = {
    "bucket_id": "bigint", "key": "bytea", "version": "text", "marker": "bool", "account_id": "text", "owner": "text",
    "size": "bigint", "etag": "text", "modified_at": "timestamptz", "storage_class": "text", "facts": "jsonb",
    "tags": "jsonb", "acl": "jsonb", "lock_mode": "text", "lock_until": "timestamptz", "legal_hold": "bool",
    "upload_id": "text", "parts": "int", "blob": "text", "content": "bytea", "place": "bigint",
}  # fmt: skip
_CHANGED = ", ".join(f"{name} = excluded.{name}" for name in COLUMNS if name not in ("bucket_id", "key"))
# Whoever writes without versions may have begun long ago: what has a version by now is never written over.
_WITHOUT_VERSIONS = "EXISTS (SELECT FROM s3_buckets b WHERE b.id = {bucket} AND b.versioning IS NULL)"
# The rows as one array of the table's own type: an array a column takes twice as long on its way there.
_PUT = f"""
INSERT INTO s3_objects ({ALL}) SELECT {ALL} FROM unnest($1::s3_objects[]) AS given
WHERE {_WITHOUT_VERSIONS.format(bucket="given.bucket_id")} ORDER BY bucket_id, key
ON CONFLICT (bucket_id, key) DO UPDATE SET {_CHANGED} WHERE s3_objects.version IS NULL
RETURNING bucket_id, key, old.blob AS blob, old.upload_id AS upload_id
"""
_VALUES = ", ".join(f"${n}::{_TYPES[name]}" for n, name in enumerate(COLUMNS, 1))
_TAGS = f"${len(COLUMNS) + 1}::text[]"
_NAMED = f"(o.etag = ANY({_TAGS}) OR '*' = ANY({_TAGS}))"
_PUT_UNLESS = f"""
INSERT INTO s3_objects AS o ({ALL}) SELECT {_VALUES} WHERE {_WITHOUT_VERSIONS.format(bucket="$1")}
ON CONFLICT (bucket_id, key) DO UPDATE SET {_CHANGED} WHERE o.version IS NULL AND NOT {_NAMED}
RETURNING old.blob AS blob, old.upload_id AS upload_id
"""
_PUT_OVER = f"""
UPDATE s3_objects AS o SET ({ALL}) = ROW({_VALUES}) WHERE bucket_id = $1 AND key = $2 AND {_NAMED}
AND version IS NULL AND {_WITHOUT_VERSIONS.format(bucket="$1")}
RETURNING old.blob AS blob, old.upload_id AS upload_id
"""
_PUT_CURRENT = f"INSERT INTO s3_objects ({ALL}) VALUES ({_VALUES})"
_PUT_VERSION = f"INSERT INTO s3_versions ({ALL}) VALUES ({_VALUES})"
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('s3 ' || $1::text || ' ' || encode($2, 'hex'), 0))"
_BUCKET_NOW = "SELECT versioning FROM s3_buckets WHERE id = $1"
_RETIRE = f"""
WITH retired AS (DELETE FROM s3_objects WHERE bucket_id = $1 AND key = $2 RETURNING {ALL})
INSERT INTO s3_versions ({ALL}) SELECT {ALL} FROM retired
"""
# Uploads that are under way keep that their key was deleted meanwhile: a condition of theirs must not hold then.
_NOTE_DELETE = """
WITH noted AS (
  UPDATE s3_uploads SET object = object || '{{"deleted": true}}'
  WHERE bucket_id = $1 AND key = {key} AND completed IS NULL
)"""
_DROP_CURRENT = f"""{_NOTE_DELETE.format(key="$2")}
DELETE FROM s3_objects WHERE bucket_id = $1 AND key = $2 AND version IS NULL
AND {_WITHOUT_VERSIONS.format(bucket="$1")} RETURNING blob, upload_id
"""
_DROP_CURRENT_VERSION = """
DELETE FROM s3_objects WHERE bucket_id = $1 AND key = $2 AND place = $3 RETURNING blob, upload_id
"""
_DROP_NULL_CURRENT = """
DELETE FROM s3_objects WHERE bucket_id = $1 AND key = $2 AND version IS NULL RETURNING blob, upload_id
"""
_DROP_NULL = """
DELETE FROM s3_versions WHERE bucket_id = $1 AND key = $2 AND version IS NULL RETURNING blob, upload_id, marker
"""
_DROP_VERSION = """
DELETE FROM s3_versions WHERE bucket_id = $1 AND key = $2 AND place = $3 AND version IS NOT DISTINCT FROM $4
RETURNING blob, upload_id
"""
_PROMOTE = f"""
WITH newest AS (
  SELECT place, marker FROM s3_versions WHERE bucket_id = $1 AND key = $2 ORDER BY place LIMIT 1
), promoted AS (
  DELETE FROM s3_versions v USING newest
  WHERE v.bucket_id = $1 AND v.key = $2 AND v.place = newest.place AND NOT newest.marker
  RETURNING {", ".join(f"v.{name}" for name in COLUMNS)}
)
INSERT INTO s3_objects ({ALL}) SELECT {ALL} FROM promoted
"""
_DROP_PARTS = "DELETE FROM s3_parts WHERE upload_id = $1 RETURNING blob"
_DROP_MANY = f"""{_NOTE_DELETE.format(key="ANY($2::bytea[])")}
DELETE FROM s3_objects o USING unnest($2::bytea[]) AS named (key) WHERE o.bucket_id = $1 AND o.key = named.key
AND o.version IS NULL AND {_WITHOUT_VERSIONS.format(bucket="$1")} RETURNING o.blob, o.upload_id
"""


class _Puts:
    """The puts of this process into buckets without versioning. They lock keys in one order, so that those of another
    process cannot wait for them in a circle."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # Postgres joins what commits at one moment: four batches wait less for each other than two, and write as much.
        self.batcher: Batcher[Columns, list[Any]] = Batcher(self._put, most=100, abreast=4)

    async def _put(self, items: Sequence[Columns]) -> list[list[Any] | Exception]:
        """Of several puts of one key the last counts; those before it were overwritten at once. Nothing is answered for
        those whose bucket has gone, or keeps versions by now."""
        last = {(item["bucket_id"], item["key"]): item for item in items}
        rows = await self._database.alone(_PUT, list(last.values()))
        replaced = {(row["bucket_id"], row["key"]): row for row in rows}
        outcomes: list[list[Any] | Exception] = []
        for item in items:
            name = item["bucket_id"], item["key"]
            if name not in replaced:
                outcomes.append([])
            else:
                outcomes.append([replaced[name] if last[name] is item else item])
        return outcomes


_PUTS: WeakKeyDictionary[Database, _Puts] = WeakKeyDictionary()


async def _put_with_others(ctx: Context, columns: Columns) -> list[Any]:
    database: Database = ctx.engine("database")
    puts = _PUTS.get(database)
    if puts is None:
        puts = _PUTS[database] = _Puts(database)
    return await puts.batcher.submit(columns)


async def put(
    ctx: Context,
    bucket: Bucket,
    columns: Columns,
    request: Mapping[str, Any],
    *,
    shared: bool = True,
    upload: Any = None,
) -> str | None:
    """Make a version the current one of its key, if the request's conditions hold; answers its id where there is one.
    Without `shared` it is a part of the request's own transaction. No condition holds where the key was written or
    deleted since the `upload` began that the version comes of.

    Raises PreconditionFailed, NoSuchKey, NoSuchBucket, ConditionalRequestConflict.
    """
    match, none_match = conditions.of_write(request, free=compatibility.ceph(ctx.cloud))
    if upload is not None and (match or none_match):
        await _refuse_conflict(ctx.db, bucket, upload, match)
    if bucket.versioning is not None:
        return await _put_version(ctx, bucket, columns, match, none_match)
    columns |= {"version": None, "place": versions.new_place()}
    if match is None and none_match is None:
        if shared and not events.wanted(bucket):
            replaced = await _put_with_others(ctx, columns)
        else:
            replaced = await ctx.db.fetch(_PUT, [columns])
        if not replaced:
            return await _put_version(ctx, bucket, columns, None, None)
        discard(ctx, replaced)
        return None
    arguments = [columns[name] for name in COLUMNS]
    if none_match is not None:
        replaced = await ctx.db.alone(_PUT_UNLESS, *arguments, conditions.named(none_match))
    else:
        replaced = await ctx.db.alone(_PUT_OVER, *arguments, conditions.named(str(match)))
    if not replaced and await _now(ctx.db, bucket) is not bucket:
        return await _put_version(ctx, bucket, columns, match, none_match)
    if not replaced:
        raise await _not_matched(ctx.db, columns, "If-Match" if none_match is None else "If-None-Match")
    discard(ctx, replaced)
    return None


async def _refuse_conflict(db: Unit, bucket: Bucket, upload: Any, match: str | None) -> None:
    """What came while an upload was under way outdoes its conditions. That they hold is looked at behind this."""
    key, began = upload["key"], versions.place_at(upload["created_at"])
    row = await queries.current(db, bucket.id, key)
    if match is not None:
        conflict = row is not None and row["place"] < began and conditions.matches(match, row["etag"])
    elif row is None and bucket.versioning is not None:
        marker = await queries.newest_noncurrent(db, bucket.id, key)
        conflict = marker is not None and marker["place"] < began
    else:
        conflict = row is None and "deleted" in upload["object"]
    if conflict:
        condition = "If-Match" if match is not None else "If-None-Match"
        raise ConditionalRequestConflict(Condition=condition, Key=key.decode())


async def _not_matched(db: Unit, columns: Columns, condition: str) -> Exception:
    row = await queries.current(db, columns["bucket_id"], columns["key"])
    if row is None and condition == "If-Match":
        return NoSuchKey(Key=columns["key"].decode())
    return PreconditionFailed(Condition=condition)


async def lock(db: Unit, bucket_id: int, key: bytes) -> None:
    """From here to the commit nobody else changes the key's versions."""
    await db.fetchval(_LOCK, str(bucket_id), key)


async def _now(db: Unit, bucket: Bucket) -> Bucket:
    """The bucket with the versioning that it has by now. Raises NoSuchBucket."""
    row = await db.fetchrow(_BUCKET_NOW, bucket.id)
    if row is None:
        raise NoSuchBucket(BucketName=bucket.name)
    return bucket if row["versioning"] == bucket.versioning else replace(bucket, versioning=row["versioning"])


async def _put_version(
    ctx: Context, bucket: Bucket, columns: Columns, match: str | None, none_match: str | None
) -> str | None:
    db, key = ctx.db, columns["key"]
    await lock(db, bucket.id, key)
    bucket = await _now(db, bucket)
    if match is not None or none_match is not None:
        row = await queries.current(db, bucket.id, key)
        if none_match is not None and row is not None and conditions.matches(none_match, row["etag"]):
            raise PreconditionFailed(Condition="If-None-Match")
        if match is not None and row is None:
            raise NoSuchKey(Key=key.decode())
        if match is not None and not conditions.matches(match, row["etag"]):
            raise PreconditionFailed(Condition="If-Match")
    await _make_room(ctx, bucket, key)
    columns["place"] = versions.new_place()
    columns["version"] = versions.new(columns["place"]) if bucket.versioning == ENABLED else None
    await replication.note(ctx, bucket, columns)
    await db.execute(_PUT_CURRENT, *(columns[name] for name in COLUMNS))
    return versions.shown(columns["version"])


async def _make_room(ctx: Context, bucket: Bucket, key: bytes) -> None:
    """Where the new version will be current: the one before is kept, unless both are the null version."""
    db = ctx.db
    if bucket.versioning == SUSPENDED:
        discard(ctx, await db.fetch(_DROP_NULL_CURRENT, bucket.id, key))
        discard(ctx, await db.fetch(_DROP_NULL, bucket.id, key))
    await db.execute(_RETIRE, bucket.id, key)


async def delete_current(ctx: Context, bucket: Bucket, key: bytes) -> str | None:
    """What a DELETE of a key without a version does; answers the delete marker's id where it made one."""
    if bucket.versioning is None:
        dropped = await ctx.db.alone(_DROP_CURRENT, bucket.id, key)
        discard(ctx, dropped)
        if dropped or await _now(ctx.db, bucket) is bucket:
            return None
    await lock(ctx.db, bucket.id, key)
    bucket = await _now(ctx.db, bucket)
    await _make_room(ctx, bucket, key)
    place = versions.new_place()
    marker: Columns = dict.fromkeys(COLUMNS)
    marker |= {
        "bucket_id": bucket.id, "key": key, "marker": True, "account_id": bucket.account_id, "size": 0, "etag": "",
        "version": versions.new(place) if bucket.versioning == ENABLED else None, "place": place, "facts": {},
        "modified_at": now(), "legal_hold": False,
    }  # fmt: skip
    if ctx.principal.account_id != bucket.account_id:
        marker["owner"] = ctx.principal.account_id or None
    await replication.note(ctx, bucket, marker)
    await ctx.db.execute(_PUT_VERSION, *(marker[name] for name in COLUMNS))
    return versions.shown(marker["version"])


async def put_replica(ctx: Context, bucket: Bucket, columns: Columns) -> None:
    """Put a version of another bucket where its place is among the versions here; nothing happens if it is there."""
    db, key, place = ctx.db, columns["key"], columns["place"]
    await lock(db, bucket.id, key)
    await _now(db, bucket)
    if await queries.version(db, bucket.id, key, columns["version"], place) is not None:
        return
    current = await queries.current(db, bucket.id, key)
    newest = current or await queries.newest_noncurrent(db, bucket.id, key)
    is_newest = newest is None or place < newest["place"]
    if is_newest:
        await db.execute(_RETIRE, bucket.id, key)
    put = _PUT_CURRENT if is_newest and not columns["marker"] else _PUT_VERSION
    await db.execute(put, *(columns[name] for name in COLUMNS))


async def delete_many(ctx: Context, bucket: Bucket, keys: Sequence[bytes]) -> None:
    """Delete keys of a bucket that had no versioning a moment ago."""
    discard(ctx, await ctx.db.alone(_DROP_MANY, bucket.id, sorted(set(keys))))
    if (bucket_now := await _now(ctx.db, bucket)) is not bucket:
        for key in sorted(set(keys)):
            await delete_current(ctx, bucket_now, key)


async def delete_version(ctx: Context, bucket: Bucket, row: Any) -> None:
    """Remove one version or delete marker; what stood behind a current one becomes current. The key is locked."""
    db, key = ctx.db, row["key"]
    dropped = await db.fetch(_DROP_VERSION, bucket.id, key, row["place"], row["version"])
    if not dropped:
        current = await queries.current(db, bucket.id, key)
        if current is None or current["place"] != row["place"]:
            return
        dropped = await db.fetch(_DROP_CURRENT_VERSION, bucket.id, key, row["place"])
    discard(ctx, dropped)
    if await queries.current(db, bucket.id, key) is None:
        await db.execute(_PROMOTE, bucket.id, key)


def discard(ctx: Context, rows: Sequence[Any]) -> None:
    """Free what rows held that are no more, after the commit; what a crash leaves is collected as orphans."""
    blobs = [row["blob"] for row in rows if row["blob"]]
    uploads = [row["upload_id"] for row in rows if row["upload_id"]]
    if not blobs and not uploads:
        return
    database, store = ctx.engine("database"), ctx.engine("blobs")

    async def free() -> None:
        found = list(blobs)
        for upload_id in uploads:
            async with database.unit() as db:
                found += [row["blob"] for row in await db.alone(_DROP_PARTS, upload_id) if row["blob"]]
        await asyncio.gather(*(store.delete(blob) for blob in found))

    ctx.db.after_commit(free)


def now() -> datetime:
    """The time of a version: S3 tells seconds, and compares in them."""
    return datetime.now(UTC)

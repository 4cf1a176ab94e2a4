"""SQL that finds what is due. `$1` to `$6` are bucket, range of keys, tags, and bounds of the size."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from controlplane.core.context import Unit
from controlplane.services.s3.lifecycle.rules import Rule
from controlplane.services.s3.listing import bump

PORTION = 500

_FITS = """
bucket_id = $1 AND key >= $2 AND ($3::bytea IS NULL OR key < $3)
AND ($4::jsonb = '{}' OR coalesce(tags, '{}') @> $4) AND ($5::bigint IS NULL OR size > $5)
AND ($6::bigint IS NULL OR size < $6)
"""
_CURRENT = f"""
SELECT key, version, place, size FROM s3_objects WHERE {_FITS} AND modified_at <= $7 ORDER BY key LIMIT {PORTION}
"""
_CURRENT_TO_MOVE = f"""
SELECT key, version, place, size FROM s3_objects WHERE {_FITS} AND modified_at <= $7
AND coalesce(storage_class, 'STANDARD') = ANY($8) AND size >= $9 ORDER BY key LIMIT {PORTION}
"""
_MARKERS = f"""
SELECT key, version, place, size FROM s3_versions v WHERE {_FITS} AND marker AND modified_at <= $7
AND NOT EXISTS (SELECT FROM s3_objects o WHERE o.bucket_id = $1 AND o.key = v.key)
AND NOT EXISTS (SELECT FROM s3_versions w WHERE w.bucket_id = $1 AND w.key = v.key AND w.place <> v.place)
ORDER BY key LIMIT {PORTION}
"""
_KEYS = f"""
SELECT DISTINCT key FROM s3_versions WHERE bucket_id = $1 AND key >= $2 AND ($3::bytea IS NULL OR key < $3)
ORDER BY key LIMIT {PORTION}
"""
# A version is noncurrent since the one before it in the stack was written.
_STACK = """
WITH stack AS (
  SELECT * FROM (
    SELECT key, version, place, marker, size, tags, modified_at, storage_class, lock_until, legal_hold
    FROM s3_versions WHERE bucket_id = $1 AND key = ANY($2)
    UNION ALL
    SELECT key, version, place, marker, size, tags, modified_at, storage_class, lock_until, legal_hold
    FROM s3_objects WHERE bucket_id = $1 AND key = ANY($2)
  ) both_tables
), ranked AS (
  SELECT *, lag(modified_at) OVER newest AS since, row_number() OVER newest - 2 AS newer FROM stack
  WINDOW newest AS (PARTITION BY key ORDER BY place)
)
SELECT key, version, place, size FROM ranked
WHERE newer >= $3 AND since <= $4 AND ($5::jsonb = '{}' OR coalesce(tags, '{}') @> $5)
AND ($6::bigint IS NULL OR size > $6) AND ($7::bigint IS NULL OR size < $7)
"""
_NONCURRENT = f"{_STACK} AND NOT legal_hold AND (lock_until IS NULL OR lock_until <= now()) ORDER BY key, place"
_NONCURRENT_TO_MOVE = f"""
{_STACK} AND NOT marker AND coalesce(storage_class, 'STANDARD') = ANY($8) AND size >= $9 ORDER BY key, place
"""
_UPLOADS = f"""
SELECT id FROM s3_uploads WHERE bucket_id = $1 AND key >= $2 AND ($3::bytea IS NULL OR key < $3) AND completed IS NULL
AND created_at <= $4 ORDER BY created_at LIMIT {PORTION}
"""
_DROP = """
DELETE FROM s3_objects o USING unnest($2::bytea[], $3::bigint[]) AS due (key, place)
WHERE o.bucket_id = $1 AND o.key = due.key AND o.place = due.place
AND EXISTS (SELECT FROM s3_buckets WHERE id = $1 AND versioning IS NULL)
RETURNING o.key, o.version, o.place, o.size, o.etag, o.blob, o.upload_id
"""


def _range(bucket_id: int, rule: Rule, after: bytes | None) -> tuple[Any, ...]:
    start = rule.prefix if after is None else after + b"\x00"
    return bucket_id, start, bump(rule.prefix)


def _fitting(bucket_id: int, rule: Rule, after: bytes | None) -> tuple[Any, ...]:
    return *_range(bucket_id, rule, after), dict(rule.tags), rule.larger, rule.smaller


async def current(db: Unit, bucket_id: int, rule: Rule, after: bytes | None, before: datetime) -> list[Any]:
    """Current versions written up to a moment, behind a key."""
    return await db.fetch(_CURRENT, *_fitting(bucket_id, rule, after), before)


async def current_to_move(
    db: Unit, bucket_id: int, rule: Rule, after: bytes | None, before: datetime, classes: list[str], least: int
) -> list[Any]:
    """Those of them in some storage classes, of a least size."""
    return await db.fetch(_CURRENT_TO_MOVE, *_fitting(bucket_id, rule, after), before, classes, least)


async def lone_markers(db: Unit, bucket_id: int, rule: Rule, after: bytes | None, before: datetime) -> list[Any]:
    """Delete markers that nothing stands behind."""
    return await db.fetch(_MARKERS, *_fitting(bucket_id, rule, after), before)


async def keys(db: Unit, bucket_id: int, rule: Rule, after: bytes | None) -> list[bytes]:
    """Keys of a rule with more than a current version."""
    return [row["key"] for row in await db.fetch(_KEYS, *_range(bucket_id, rule, after))]


async def noncurrent(
    db: Unit, bucket_id: int, keys: list[bytes], rule: Rule, newer: int, before: datetime
) -> list[Any]:
    """Versions not current since a moment, with at least so many newer ones that are not current either."""
    sizes = rule.larger, rule.smaller
    return await db.fetch(_NONCURRENT, bucket_id, keys, newer, before, dict(rule.tags), *sizes)


async def noncurrent_to_move(
    db: Unit,
    bucket_id: int,
    keys: list[bytes],
    rule: Rule,
    newer: int,
    before: datetime,
    classes: list[str],
    least: int,
) -> list[Any]:
    """Those of them in some storage classes, of a least size."""
    sizes = rule.larger, rule.smaller
    return await db.fetch(_NONCURRENT_TO_MOVE, bucket_id, keys, newer, before, dict(rule.tags), *sizes, classes, least)


async def uploads(db: Unit, bucket_id: int, rule: Rule, before: datetime) -> list[str]:
    """Uploads begun up to a moment and not complete."""
    return [row["id"] for row in await db.fetch(_UPLOADS, *_range(bucket_id, rule, None), before)]


async def drop(db: Unit, bucket_id: int, rows: list[Any]) -> list[Any]:
    """Delete objects of a bucket without versioning, unless they were written anew."""
    return await db.fetch(_DROP, bucket_id, [row["key"] for row in rows], [row["place"] for row in rows])

"""SQL that lists keys: by a walk over the primary keys that never reads what a common prefix hides.

With a delimiter each step of a recursive query finds the next key by one probe of the index, from behind the key or
common prefix before. `bump` is the least text behind everything that begins with a prefix: its last byte, one higher.
"""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Unit

_SHOWN = "key, version, marker, owner, size, etag, modified_at, storage_class, facts, place"
_PLAIN = f"""
SELECT NULL::bytea AS common, {_SHOWN} FROM s3_objects
WHERE bucket_id = $1 AND key >= $2 AND ($3::bytea IS NULL OR key < $3) ORDER BY key LIMIT $4
"""
_COMMON = """
CASE WHEN position($5::bytea IN substring({key} FROM $6)) > 0
  THEN substring({key} FROM 1 FOR $6 - 2 + position($5::bytea IN substring({key} FROM $6)) + length($5::bytea)) END
"""
_BUMP = "set_byte({common}, length({common}) - 1, get_byte({common}, length({common}) - 1) + 1)"
_STEP = f"""
SELECT key, {_COMMON.format(key="key")} AS common FROM s3_objects
WHERE bucket_id = $1 AND key >= {{start}} AND ($3::bytea IS NULL OR key < $3) ORDER BY key LIMIT 1
"""
_NEXT = f"CASE WHEN walk.common IS NULL THEN walk.key || '\\x00'::bytea ELSE {_BUMP.format(common='walk.common')} END"
_DELIMITED = f"""
WITH RECURSIVE walk AS (
  (SELECT key, common, 1 AS n FROM ({_STEP.format(start="$2")}) first)
  UNION ALL
  SELECT step.key, step.common, walk.n + 1 FROM walk, LATERAL ({_STEP.format(start=_NEXT)}) step WHERE walk.n < $4
)
SELECT walk.common, {", ".join(f"o.{name.strip()}" for name in _SHOWN.split(","))}
FROM walk LEFT JOIN s3_objects o ON walk.common IS NULL AND o.bucket_id = $1 AND o.key = walk.key
ORDER BY coalesce(walk.common, walk.key) LIMIT $4
"""


async def keys(
    db: Unit, bucket_id: int, start: bytes, end: bytes | None, limit: int, prefix: bytes, delimiter: bytes | None
) -> list[Any]:
    """At most `limit` keys from `start` on, and common prefixes (`common` is set, all else is not)."""
    if not delimiter:
        return await db.fetch(_PLAIN, bucket_id, start, end, limit)
    return await db.fetch(_DELIMITED, bucket_id, start, end, limit, delimiter, len(prefix) + 1)


_VERSIONS = f"""
SELECT * FROM (
  (SELECT true AS latest, {_SHOWN}, -9223372036854775808 AS rank FROM s3_objects
   WHERE bucket_id = $1 AND key >= $2 AND (key > $2 OR NOT $5::bool) AND ($3::bytea IS NULL OR key < $3)
   ORDER BY key LIMIT $4)
  UNION ALL
  (SELECT false AS latest, {_SHOWN}, place AS rank FROM s3_versions
   WHERE bucket_id = $1 AND key >= $2 AND (key > $2 OR place > $6) AND ($3::bytea IS NULL OR key < $3)
   ORDER BY key, place LIMIT $4)
) both_tables ORDER BY key, rank LIMIT $4
"""


async def versions(
    db: Unit, bucket_id: int, start: bytes, end: bytes | None, limit: int, *, past_current: bool, past_place: int
) -> list[Any]:
    """At most `limit` versions from the key `start` on; of that key only what comes behind the current version
    (`past_current`) and behind a place. `latest` tells what is current in `s3_objects`."""
    return await db.fetch(_VERSIONS, bucket_id, start, end, limit, past_current, past_place)

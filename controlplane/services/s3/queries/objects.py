"""SQL that reads objects and their versions."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Unit

COLUMNS = (
    "bucket_id", "key", "version", "marker", "account_id", "owner", "size", "etag", "modified_at", "storage_class",
    "facts", "tags", "acl", "lock_mode", "lock_until", "legal_hold", "upload_id", "parts", "blob", "content", "place",
)  # fmt: skip
"""Of both tables, in one order."""
ALL = ", ".join(COLUMNS)
_CURRENT = f"SELECT {ALL} FROM s3_objects WHERE bucket_id = $1 AND key = $2"
_VERSION = f"""
SELECT {ALL} FROM s3_objects WHERE bucket_id = $1 AND key = $2 AND version = $3
UNION ALL SELECT {ALL} FROM s3_versions WHERE bucket_id = $1 AND key = $2 AND place = $4 AND version = $3
"""
_NULL = f"""
SELECT {ALL} FROM s3_objects WHERE bucket_id = $1 AND key = $2 AND version IS NULL
UNION ALL SELECT {ALL} FROM s3_versions WHERE bucket_id = $1 AND key = $2 AND version IS NULL
"""
_NEWEST = f"SELECT {ALL} FROM s3_versions WHERE bucket_id = $1 AND key = $2 ORDER BY place LIMIT 1"
_PARTS = "SELECT * FROM s3_parts WHERE upload_id = $1 AND start IS NOT NULL ORDER BY number"
_PARTS_FROM = """
SELECT * FROM s3_parts WHERE upload_id = $1 AND start + size > $2 AND start < $3 ORDER BY number
"""
_PART = "SELECT * FROM s3_parts WHERE upload_id = $1 AND start IS NOT NULL ORDER BY number OFFSET $2 LIMIT 1"


async def current(db: Unit, bucket_id: int, key: bytes) -> Any:
    """The current version of a key that is no delete marker."""
    return await db.fetchrow(_CURRENT, bucket_id, key)


async def current_to_show(db: Unit, bucket_id: int, key: bytes) -> Any:
    """The same through the cache of reads, which knows it as long as nobody writes any object."""
    return await db.cached_row(_CURRENT, bucket_id, key, bulky=True)


async def version(db: Unit, bucket_id: int, key: bytes, id: str | None, place: int) -> Any:
    """A version by its id (None for the null version), also a delete marker."""
    if id is None:
        return await db.fetchrow(_NULL, bucket_id, key)
    return await db.fetchrow(_VERSION, bucket_id, key, id, place)


async def newest_noncurrent(db: Unit, bucket_id: int, key: bytes) -> Any:
    """What stands first behind the current version; without one, it is a delete marker."""
    return await db.fetchrow(_NEWEST, bucket_id, key)


async def parts(db: Unit, upload_id: str) -> list[Any]:
    """The parts that an object is made of."""
    return await db.fetch(_PARTS, upload_id)


async def parts_between(db: Unit, upload_id: str, start: int, end: int) -> list[Any]:
    """Those parts that a range touches."""
    return await db.fetch(_PARTS_FROM, upload_id, start, end)


async def part(db: Unit, upload_id: str, number: int) -> Any:
    """The so-manieth part of an object, from 1."""
    return await db.fetchrow(_PART, upload_id, number - 1)

"""SQL on multipart uploads and their parts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from controlplane.core.context import Unit

_FIND = "SELECT * FROM s3_uploads WHERE id = $1"
_LOCK = "SELECT * FROM s3_uploads WHERE id = $1 FOR UPDATE"
# One that was completed meanwhile stays: its parts are an object's.
_DELETE = "DELETE FROM s3_uploads WHERE id = $1 AND completed IS NULL RETURNING id"
_COMPLETE = "UPDATE s3_uploads SET completed = $2 WHERE id = $1"
# The lock keeps the upload from being completed or aborted meanwhile: no part changes under an object.
_PUT_PART = """
WITH open AS (SELECT id FROM s3_uploads WHERE id = $1 AND completed IS NULL FOR SHARE)
INSERT INTO s3_parts (upload_id, number, account_id, size, etag, facts, blob, content)
SELECT id, $2, $3, $4, $5, $6, $7, $8 FROM open
ON CONFLICT (upload_id, number) DO UPDATE SET size = excluded.size, etag = excluded.etag, facts = excluded.facts,
  blob = excluded.blob, content = excluded.content, modified_at = now()
RETURNING old.blob AS blob
"""
_PARTS = """
SELECT upload_id, number, size, etag, modified_at, facts, blob FROM s3_parts WHERE upload_id = $1 AND number > $2
ORDER BY number LIMIT $3
"""
_DROP_OTHERS = "DELETE FROM s3_parts WHERE upload_id = $1 AND NOT number = ANY($2::int[]) RETURNING blob"
_DROP_ALL = "DELETE FROM s3_parts WHERE upload_id = $1 RETURNING blob"
_PLACE = """
UPDATE s3_parts p SET start = given.start FROM unnest($2::int[], $3::bigint[]) AS given (number, start)
WHERE p.upload_id = $1 AND p.number = given.number
"""
_LIST = """
SELECT id, key, initiator, object, created_at FROM s3_uploads
WHERE bucket_id = $1 AND completed IS NULL AND key >= $2 AND (key, created_at, id) > ($2, $3, $4) AND key >= $5
  AND ($6::bytea IS NULL OR key < $6)
ORDER BY key, created_at, id LIMIT $7
"""

Place = tuple[datetime, str]
"""When an upload of a key began, and its id."""


async def find(db: Unit, id: str) -> Any:
    """An upload that is not complete."""
    row = await find_any(db, id)
    return None if row is None or row["completed"] is not None else row


async def find_any(db: Unit, id: str) -> Any:
    """An upload, complete or not."""
    return await db.fetchrow(_FIND, id)


async def lock(db: Unit, id: str) -> Any:
    """An upload, complete or not, that nobody else changes up to the commit."""
    return await db.fetchrow(_LOCK, id)


async def put_part(
    db: Unit,
    upload_id: str,
    number: int,
    account_id: str,
    size: int,
    etag: str,
    facts: Any,
    blob: str | None,
    content: bytes | None,
) -> list[Any]:
    """Keep a part; answers what it replaced (one row), nothing when the upload has ended."""
    return await db.alone(_PUT_PART, upload_id, number, account_id, size, etag, facts, blob, content)


async def parts(db: Unit, upload_id: str, after: int = 0, size: int = 10_000) -> list[Any]:
    """Parts by number, without their bytes."""
    return await db.fetch(_PARTS, upload_id, after, size)


async def settle(db: Unit, upload_id: str, numbers: list[int], starts: list[int]) -> list[Any]:
    """Let parts begin where they begin in the object; answers those that it is not made of, which are dropped."""
    await db.execute(_PLACE, upload_id, numbers, starts)
    return await db.fetch(_DROP_OTHERS, upload_id, numbers)


async def complete(db: Unit, id: str, answer: Any) -> None:
    """Note how an upload was completed: whoever asks once more is told the same."""
    await db.execute(_COMPLETE, id, answer)


async def drop(db: Unit, id: str) -> list[Any] | None:
    """Remove an upload with its parts; None when there was none, or it was completed."""
    if await db.fetchval(_DELETE, id) is None:
        return None
    return await db.fetch(_DROP_ALL, id)


async def page(
    db: Unit, bucket_id: int, after: bytes, behind: Place, start: bytes, end: bytes | None, size: int
) -> list[Any]:
    """Uploads that are not complete, by key and when they began, behind one of the key `after`."""
    return await db.fetch(_LIST, bucket_id, after, *behind, start, end, size)

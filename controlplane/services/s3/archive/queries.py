"""SQL on where versions lie, and on their restored copies."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from controlplane.core.context import Unit

_SETTLE = """
UPDATE {table} SET storage_class = $5, blob = $6, content = $7, facts = $8
WHERE bucket_id = $1 AND key = $2 AND place = $3 AND version IS NOT DISTINCT FROM $4
AND storage_class IS NOT DISTINCT FROM $9 AND blob IS NOT DISTINCT FROM $10
RETURNING true
"""
_PARTS = """
UPDATE s3_parts p SET blob = given.blob, content = NULL FROM unnest($2::int[], $3::text[]) AS given (number, blob)
WHERE p.upload_id = $1 AND p.number = given.number
"""
_RESTORE = "SELECT * FROM s3_restores WHERE bucket_id = $1 AND key = $2 AND place = $3"
_BEGIN = """
INSERT INTO s3_restores (bucket_id, key, place, account_id, tier, days, due_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (bucket_id, key, place) DO NOTHING RETURNING true
"""
_HURRY = "UPDATE s3_restores SET tier = $4, due_at = $5 WHERE bucket_id = $1 AND key = $2 AND place = $3"
_PROLONG = "UPDATE s3_restores SET days = $4, expires_at = $5 WHERE bucket_id = $1 AND key = $2 AND place = $3"
_FINISH = """
UPDATE s3_restores SET blob = $4, salt = $5, expires_at = $6 WHERE bucket_id = $1 AND key = $2 AND place = $3
AND expires_at IS NULL RETURNING true
"""
_END = "DELETE FROM s3_restores WHERE bucket_id = $1 AND key = $2 AND place = $3 RETURNING blob, NULL AS upload_id"

Name = tuple[int, bytes, int]
"""Bucket, key and place of a version."""


def name_of(row: Any) -> Name:
    """What tells a version from all others."""
    return row["bucket_id"], row["key"], row["place"]


async def settle(db: Unit, row: Any, storage_class: str | None, blob: str | None, content: Any, facts: Any) -> bool:
    """Say where a version lies now, unless that has changed since `row` was read."""
    values = *name_of(row), row["version"], storage_class, blob, content, facts, row["storage_class"], row["blob"]
    for table in ("s3_objects", "s3_versions"):
        if await db.fetchval(_SETTLE.format(table=table), *values):
            return True
    return False


async def put_parts(db: Unit, upload_id: str, blobs: dict[int, str | None]) -> None:
    """Say where the parts of a version lie; nowhere where it is one blob now."""
    await db.execute(_PARTS, upload_id, list(blobs), list(blobs.values()))


async def restore(db: Unit, name: Name) -> Any:
    """The copy of an archived version that is asked for or there; `expires_at` is set when it is there."""
    return await db.fetchrow(_RESTORE, *name)


async def begin(db: Unit, name: Name, account_id: str, tier: str, days: int, due: datetime) -> bool:
    """Ask for a copy; False where one was asked for before."""
    return bool(await db.fetchval(_BEGIN, *name, account_id, tier, days, due))


async def hurry(db: Unit, name: Name, tier: str, due: datetime) -> None:
    """Let it come by a faster tier."""
    await db.execute(_HURRY, *name, tier, due)


async def prolong(db: Unit, name: Name, days: int, until: datetime) -> None:
    """Keep a copy until another moment."""
    await db.execute(_PROLONG, *name, days, until)


async def finish(db: Unit, name: Name, blob: str | None, salt: str | None, until: datetime) -> bool:
    """The copy is there; False where it was before."""
    return bool(await db.fetchval(_FINISH, *name, blob, salt, until))


async def end(db: Unit, name: Name) -> list[Any]:
    """Forget a copy; answers what it held."""
    return await db.fetch(_END, *name)

"""SQL that changes what a version says, in whichever of the two tables it stands."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from controlplane.core.context import Unit

_CHANGE = """
UPDATE {table} SET {column} = {value}
WHERE bucket_id = $1 AND key = $2 AND place = $3 AND version IS NOT DISTINCT FROM $4 RETURNING true
"""


async def _change(db: Unit, row: Any, column: str, value: str, *args: Any) -> None:
    named = row["bucket_id"], row["key"], row["place"], row["version"]
    for table in ("s3_objects", "s3_versions"):
        if await db.alone(_CHANGE.format(table=table, column=column, value=value), *named, *args):
            return


async def put_acl(db: Unit, row: Any, grants: Any) -> None:
    """Replace a version's access control list."""
    await _change(db, row, "acl", "$5::jsonb", grants)


async def put_tags(db: Unit, row: Any, tags: Any) -> None:
    """Replace a version's tags."""
    await _change(db, row, "tags", "$5::jsonb", tags)


async def put_retention(db: Unit, row: Any, mode: str | None, until: datetime | None) -> None:
    """Replace a version's retention."""
    await _change(db, row, "(lock_mode, lock_until)", "($5::text, $6::timestamptz)", mode, until)


async def put_legal_hold(db: Unit, row: Any, *, held: bool) -> None:
    """Set or lift a version's legal hold."""
    await _change(db, row, "(legal_hold, facts)", """($5::bool, facts || '{"hold": true}')""", held)

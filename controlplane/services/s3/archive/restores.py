"""Archived objects cannot be read before a copy of them is restored, which lasts for some days."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context
from controlplane.services.s3 import objects
from controlplane.services.s3.archive import queries
from controlplane.services.s3.errors import InvalidObjectState

ARCHIVES = frozenset({"GLACIER", "DEEP_ARCHIVE"})
RESTORE, MOVE = "s3.restore", "s3.archive"


def key_of(name: queries.Name) -> str:
    """A version's name, as reconcilers are given it."""
    return f"{name[0]}.{name[2]}.{name[1].hex()}"


def name_of(key: str) -> queries.Name:
    """The name again."""
    bucket_id, place, hexadecimal = key.split(".")
    return int(bucket_id), bytes.fromhex(hexadecimal), int(place)


async def settle(ctx: Context, row: Any) -> None:
    """Have a new version brought to the archive if it belongs there."""
    if row["storage_class"] in ARCHIVES:
        await ctx.wake(MOVE, key_of(queries.name_of(row)))


async def shown(ctx: Context, row: Any) -> str | None:
    """The value of `x-amz-restore`."""
    if row["storage_class"] not in ARCHIVES:
        return None
    found = await queries.restore(ctx.db, queries.name_of(row))
    if found is None:
        return None
    if found["expires_at"] is None:
        return 'ongoing-request="true"'
    return f'ongoing-request="false", expiry-date="{objects.http_date(found["expires_at"])}"'


async def readable(ctx: Context, row: Any, message: str | None = None) -> Any:
    """The row to read a version's bytes from: its own, or that of the restored copy. Raises InvalidObjectState."""
    if row["storage_class"] not in ARCHIVES:
        return row
    found = await queries.restore(ctx.db, queries.name_of(row))
    if found is None or found["expires_at"] is None:
        raise InvalidObjectState(message, StorageClass=row["storage_class"])
    if found["blob"] is None:
        return row
    facts = {**row["facts"], "salt": found["salt"]}
    return {**dict(row), "facts": facts, "blob": found["blob"], "content": None, "upload_id": None, "parts": None}

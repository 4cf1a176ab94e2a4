"""Moves blobs from one engine to another while the store serves.

A blob is copied and verified, then every row that holds it is told its new id; who reads the old one goes on reading
it, for the old blobs stay until they are collected as orphans. Broken off, it goes on where rows still hold old ids.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from controlplane.core.errors import EngineMissing
from controlplane.engines.blobs.contract import MARK, Blobs
from controlplane.engines.blobs.holders import TABLES
from controlplane.state.database import Database

_CHUNK = 1024 * 1024
_PORTION = 4
_NEXT = "SELECT DISTINCT blob FROM {table} WHERE blob > $1 AND starts_with(blob, $2) = $3 ORDER BY blob LIMIT $4"
_TELL = "UPDATE {table} SET blob = $2 WHERE blob = $1"


async def migrate(
    database: Database, source: Blobs, target: Blobs, *, to_cluster: bool, told: Callable[[int], None]
) -> int:
    """Move all that lies in `source`; answers how many blobs. `told` hears the number from time to time."""
    moved, last = 0, -1
    while moved != last:  # rows go from table to table meanwhile: until a whole pass finds nothing
        last = moved
        for table in TABLES:
            async for ids in _portions(database, table, to_cluster=to_cluster):
                moved += sum(await asyncio.gather(*(_move(database, source, target, table, id) for id in ids)))
                told(moved)
    return moved


async def _portions(database: Database, table: str, *, to_cluster: bool) -> AsyncIterator[list[str]]:
    after = ""
    while True:
        async with database.unit() as db:
            rows = await db.fetch(_NEXT.format(table=table), after, MARK, not to_cluster, _PORTION)
        if not rows:
            return
        after = rows[-1]["blob"]
        yield [row["blob"] for row in rows]


async def _move(database: Database, source: Blobs, target: Blobs, table: str, id: str) -> bool:
    try:
        new = await asyncio.to_thread(_copy, source, target, id)
    except EngineMissing:  # deleted meanwhile
        return False
    async with database.unit() as db:
        done = await db.execute(_TELL.format(table=table), id, new)
    if done.rpartition(" ")[2] == "0":
        await target.delete(new)
        return False
    return True


def _copy(source: Blobs, target: Blobs, id: str) -> str:
    """The same bytes over there, in the same tier. Raises EngineMissing, ValueError where they are not those."""
    tier = id.removeprefix(MARK).rpartition(":")[0]
    reader, place = source.open(id), 0
    writer = target.create(tier)
    try:
        while data := reader.read(place, _CHUNK):
            writer.write(data)
            place += len(data)
        new = writer.commit()
    finally:
        writer.abort()
        reader.close()
    if new[-8:] != id[-8:]:
        raise ValueError(f"the bytes of {id} are not those that were written")
    return new

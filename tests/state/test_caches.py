"""The cache that changes announce themselves to."""

from __future__ import annotations

import asyncio

from controlplane.state.caches import NotifiedCache
from controlplane.state.database import Database
from controlplane.state.listen import Listener


async def heard(*listeners: Listener) -> None:
    while not all(listener.connected for listener in listeners):
        await asyncio.sleep(0.01)


async def test_a_change_is_seen_at_once_here_and_soon_elsewhere(database: Database, database_url: str) -> None:
    caches = [NotifiedCache[int]("test_channel") for _ in range(2)]
    listeners = [Listener(database_url) for _ in caches]
    truth, loads = {"a": 1}, []

    async def load() -> tuple[str, int]:
        loads.append(truth["a"])
        return "owner", truth["a"]

    for cache, listener in zip(caches, listeners, strict=True):
        cache.attach(listener)
        listener.start()
    await heard(*listeners)
    async with database.unit() as db:
        assert [await cache.get(db, "a", load) for cache in caches * 2] == [1, 1, 1, 1]
    assert loads == [1, 1]

    async with database.unit() as db:
        await caches[0].announce(db, "owner")
        truth["a"] = 2
        assert await caches[0].get(db, "a", load) == 2, "the writer sees what it wrote"
        truth["a"] = 1
        async with database.unit() as other:
            assert await caches[0].get(other, "a", load) == 1, "what was not committed was not kept"
        truth["a"] = 2
    async with database.unit() as db:
        assert await caches[0].get(db, "a", load) == 2
        async with asyncio.timeout(1):
            while await caches[1].get(db, "a", load) != 2:
                await asyncio.sleep(0.01)
    for listener in listeners:
        await listener.stop()
    async with database.unit() as db:
        before = len(loads)
        assert [await caches[0].get(db, "a", load) for _ in range(2)] == [2, 2]
    assert len(loads) == before + 2, "nothing is kept while nobody hears"

"""The reader over batches that overlap: nothing is lost where pages end early, and a page costs little."""

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncIterator
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from controlplane.services.logs import batches, positions, reading
from controlplane.services.logs.positions import Place
from controlplane.services.logs.reading import LONGEST, Event, Range
from controlplane.state.database import Database
from controlplane.state.sealing import Sealer

SEALER = Sealer(bytes(32))
_GROUP = """
INSERT INTO logs_groups (account_id, region, name, class, protected) VALUES ('1', 'r', 'g', '', false) RETURNING id
"""
_STREAM = "INSERT INTO logs_streams (group_id, name) VALUES ($1, $2) RETURNING id"


class Store:
    """A group with the streams `a`, `b` and `other`."""

    def __init__(self, db: Any) -> None:
        self.ctx: Any = SimpleNamespace(db=db, engine=lambda kind: SEALER)
        self.streams: dict[str, int] = {}
        self.id = 0

    async def open(self) -> Store:
        self.id = await self.ctx.db.fetchval(_GROUP)
        for name in ("a", "b", "other"):
            self.streams[name] = await self.ctx.db.fetchval(_STREAM, self.id, name)
        return self

    async def put(self, stream: str, times: list[int], messages: list[str]) -> None:
        size = sum(len(message) + 26 for message in messages)
        content = await batches.pack(times, messages, self.id, SEALER)
        row = {"group_id": self.id, "stream_id": self.streams[stream], "ingested_at": 0, "size": size}
        await self.ctx.db.insert("logs_batches", **row, first_at=times[0], last_at=times[-1], content=content)

    async def pages(self, range: Range, most: int, **how: Any) -> list[list[Event]]:
        """All pages, each from what the token of the one before says."""
        place = Place(positions.FIRST if how.get("forward", True) else positions.LAST)
        found = []
        while True:
            page = await reading.page(self.ctx, None, range, place, most, **how)
            found.append(page.events)
            if not page.more:
                return found
            place = positions.parse(positions.text(page.place))


@pytest.fixture
async def store(database: Database) -> AsyncIterator[Store]:
    async with database.unit() as db:
        yield await Store(db).open()


@pytest.mark.parametrize("seconds", [5.0, 0.0])
@pytest.mark.parametrize("forward", [True, False])
async def test_pages_that_end_early_lose_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch, forward: bool, seconds: float
) -> None:
    """Batches that span up to a day, so that nearly all straddle nearly every place; four of them tire the reader."""
    random, wanted = Random(2), []
    for number in range(24):
        times = sorted(random.randrange(LONGEST) for _ in range(random.choice([2, 5, 20])))
        stream = random.choice(["a", "b", "other"])
        await store.put(stream, times, [f"{number}/{place}" for place in range(len(times))])
        wanted += [(at, stream, f"{number}/{place}") for place, at in enumerate(times)]
    wanted.sort(key=lambda event: event[0], reverse=not forward)
    monkeypatch.setattr(reading, "_SCANNED_BYTES", 2000)
    monkeypatch.setattr(reading, "_PORTION_BYTES", 500)
    monkeypatch.setattr(reading, "_SECONDS", seconds)

    async def told(most: int, wanted: Any = None, **scope: Any) -> list[tuple[int, str, str]]:
        range = Range(0, 2 * LONGEST, store.id, **scope)
        pages = await store.pages(range, most, forward=forward, wanted=wanted)
        assert max(len(page) for page in pages) <= most
        return [(event.position[0], event.stream, event.message) for page in pages for event in page]

    assert await told(100) == wanted
    first = await reading.page(
        store.ctx, None, Range(0, 2 * LONGEST, store.id), Place((LONGEST // 2, 0, 0)), 1, forward=forward
    )
    assert (first.events, first.more, len(first.place.kept)) == ([], True, 1)
    of_a = [event for event in wanted if event[1] == "a"]
    assert await told(9, streams=[store.streams["a"]]) == await told(9, prefix="a") == of_a
    rare = [event for event in wanted if event[2].endswith("/3")]
    assert await told(3, lambda message: message.endswith("/3")) == rare


async def test_a_page_of_tiny_events_takes_little_memory(store: Store) -> None:
    for number in range(16):
        await store.put("a", [number], ["x"])
    for number in range(60):
        await store.put("a", [100 + number] * 10_000, ["x"] * 10_000)
    tracemalloc.start()
    try:
        page = await reading.page(store.ctx, None, Range(0, 1000, store.id), Place(positions.FIRST), 10_000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(page.events) == 10_000
    assert page.more
    assert peak < 60_000_000


async def test_batches_of_a_deleted_stream_hide_no_others(store: Store) -> None:
    for number in range(40):
        await store.put("a" if number < 30 else "b", [number], [str(number)])
    await store.ctx.db.execute("DELETE FROM logs_streams WHERE name = 'a'")
    [page] = await store.pages(Range(0, 1000, store.id), 100)
    assert [event.message for event in page] == [str(number) for number in range(30, 40)]

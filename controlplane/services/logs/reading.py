"""Reading events in the order of their times, from batches that may overlap.

Batches are read in the order of their first times (backwards: of their last), a portion at a time, and what was found
is kept sorted and cut to a page. A page is done when no batch that was not read can hold an event that belongs on it.
It also ends, with what is sure by then, when much was looked through: its place says how far reading came, so that the
next page goes on there however the batches lie.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from controlplane.core.context import Context
from controlplane.services.logs import batches, keys
from controlplane.services.logs.positions import LATEST, Place, Position

PAGE_BYTES = 1024 * 1024
MOST = 10_000
"""Events on a page, and in a batch."""
LONGEST = 24 * 3_600_000
"""Milliseconds that a batch spans at most."""
_PORTIONS = (16, 128, 1000)
"""Batches that are looked at together: few at first, since most pages need few."""
_PORTION_BYTES = 2 * 1024 * 1024
_LONG = 65536
"""Bytes from which a thread does the work, so that other requests do not wait for it."""
_SCANNED_BYTES = 32 * 1024 * 1024
_SECONDS = 5.0
"""So much is looked through, and for so long, for one request at most, however little of it is wanted."""
_KEPT = 16
"""Events that a place remembers, where a page ended before it was sure that none comes before them."""
_KEYS = """
SELECT id, first_at, last_at, size FROM logs_batches
WHERE {source} AND last_at >= $2 AND first_at < $3 AND {after} ORDER BY {order} LIMIT {most}
"""
_SELECT = """
WITH keys AS ({keys}), bounded AS (
  SELECT k.*, sum(size) OVER (ORDER BY {order}) - size AS before FROM keys k)
SELECT k.id, k.first_at, k.last_at, k.size, b.*, s.name AS stream,
  $7::text IS NULL OR coalesce(starts_with(s.name, $7), false) AS wanted
FROM bounded k CROSS JOIN LATERAL (
  SELECT group_id, stream_id, ingested_at, key_id, content FROM logs_batches WHERE id = k.id OFFSET 0) b
LEFT JOIN logs_streams s ON s.id = b.stream_id
WHERE k.before < $6::bigint ORDER BY {order}
"""
_STREAMS = "SELECT k.* FROM unnest($1::bigint[]) AS s (id) CROSS JOIN LATERAL ({keys}) k ORDER BY {order} LIMIT {most}"
_ORDERS = {
    True: ("(first_at, id) > ($4, $5)", "first_at, id"),
    False: ("(last_at, id) < ($4, $5)", "last_at DESC, id DESC"),
}
_THESE = """
SELECT b.*, s.name AS stream, true AS wanted FROM logs_batches b JOIN logs_streams s ON s.id = b.stream_id
WHERE b.id = ANY($1) AND b.group_id = $2 AND ($3::bigint[] IS NULL OR b.stream_id = ANY($3))
"""
Wanted = Callable[[str], bool]


class Event(NamedTuple):
    """One event, where it stands and what is told of it."""

    position: Position
    message: str
    stream: str
    ingested_at: int


@dataclass(slots=True)
class Page:
    """Events in the order of reading. `more` says that there are others, or may be, from `place` on."""

    events: list[Event]
    place: Place
    more: bool


@dataclass(frozen=True, slots=True)
class Range:
    """What is read: a group, or streams of it by number (few) or prefix; times from `start`, before `end`."""

    start: int
    end: int
    group: int
    streams: Sequence[int] | None = None
    prefix: str | None = None


@lru_cache(maxsize=16)
def _sql(by_stream: bool, forward: bool, most: int) -> str:
    after, order = _ORDERS[forward]
    source = "stream_id = s.id" if by_stream else "group_id = $1"
    keys = _KEYS.format(source=source, after=after, order=order, most=most)
    if by_stream:
        keys = _STREAMS.format(keys=keys, order=order, most=most)
    return _SELECT.format(keys=keys, order=", ".join(f"k.{column}" for column in order.split(", ")))


async def page(
    ctx: Context,
    group: Any,
    range: Range,
    place: Place,
    most: int,
    *,
    forward: bool = True,
    wanted: Wanted | None = None,
) -> Page:
    """The next events of a group from a place on (backwards: before it), up to `most` and up to a mebibyte."""
    reader = _Reader(ctx, group, range, place, most, forward=forward, wanted=wanted)
    await reader.remember()
    while True:
        await reader.portion()
        edge = reader.edge
        if edge is not None and reader.is_complete(edge):
            return Page(reader.found, Place(edge), more=True)
        if reader.ended:
            last = reader.found[-1].position if reader.found else place.cursor
            return Page(reader.found, Place(edge or last), more=edge is not None)
        if reader.is_tired:
            return reader.early()


class _Reader:
    """Reads batches portion by portion. `reached` is the position up to which all batches were read."""

    def __init__(
        self, ctx: Context, group: Any, range: Range, place: Place, most: int, *, forward: bool, wanted: Wanted | None
    ) -> None:
        self._ctx = ctx
        self._group = group
        self._range = range
        self._place = place
        self._forward = forward
        self._wanted = wanted
        self._sealer = ctx.engine("sealing")
        self._most = min(most, len(place.kept)) if place.kept else most
        self._until = place.kept[-1] if place.kept else None
        self._portions = 0
        self._scanned = 0
        self._tired_at = time.monotonic() + _SECONDS
        self.found: list[Event] = []
        self._cut = False
        self.ended = False
        at, *_ = place.cursor
        self._start = max(range.start, at) if forward else range.start
        self._end = range.end if forward else min(range.end, at + 1)
        first = (max(self._start - LONGEST, -1), 0, 0) if forward else (min(self._end + LONGEST, LATEST), LATEST, 0)
        self.reached: Position = self._further(first, place.reached or first)

    def _further(self, one: Position, other: Position) -> Position:
        return max(one, other) if self._forward else min(one, other)

    def is_complete(self, position: Position) -> bool:
        """Whether all up to a position was read."""
        return self._further(position, self.reached) == self.reached

    @property
    def edge(self) -> Position | None:
        """Where the page ends at the latest: beyond may be events that it does not hold."""
        return self.found[-1].position if self._cut else self._until

    @property
    def is_tired(self) -> bool:
        """Whether enough was looked through for one request."""
        return self._scanned > _SCANNED_BYTES or time.monotonic() > self._tired_at

    def early(self) -> Page:
        """What is sure to be next, where reading ends early, and the place from which the rest is found."""
        cursor = self._further(self._place.cursor, self.reached)
        sure = [event for event in self.found if self._further(event.position, cursor) == cursor]
        rest = tuple(event.position for event in self.found[len(sure) : len(sure) + _KEPT])
        if not rest and self._until is not None:  # what was kept is gone, and what lies beyond was passed over
            rest = (self._until,)
        return Page(sure, Place(cursor, self.reached, rest), more=True)

    async def remember(self) -> None:
        """Find what the place before kept."""
        if not self._place.kept:
            return
        ids = sorted({id for _, id, _ in self._place.kept})
        rows = await self._ctx.db.fetch(_THESE, ids, self._range.group, self._range.streams)
        kept = frozenset(self._place.kept)
        opened = await self._keys(rows)
        for row in rows:
            found = await asyncio.to_thread(self._events, row, opened)
            self.found += [event for event in found if event.position in kept]
        self.found.sort(reverse=not self._forward)

    async def portion(self) -> None:
        """Read the next batches."""
        most = _PORTIONS[min(self._portions, len(_PORTIONS) - 1)]
        self._portions += 1
        range, by_stream = self._range, self._range.streams is not None
        source = list(range.streams) if range.streams is not None else range.group
        at, id, _ = self.reached
        sql = _sql(by_stream, self._forward, most)
        rows = await self._ctx.db.fetch(sql, source, self._start, self._end, at, id, _PORTION_BYTES, range.prefix)
        size = sum(row["size"] for row in rows)
        self.ended = len(rows) < most and size < _PORTION_BYTES
        opened = await self._keys(rows)
        if size < _LONG:
            self._read(rows, opened)
        else:
            await asyncio.to_thread(self._read, rows, opened)
        self._sort()

    async def _keys(self, rows: Iterable[Any]) -> Mapping[int, bytes]:
        """The data keys of batches, by number."""
        ids = {row["key_id"] for row in rows if row["key_id"] is not None and row["stream"] is not None}
        return {id: await keys.for_reading(self._ctx, self._group, id) for id in ids}

    def _read(self, rows: Sequence[Any], opened: Mapping[int, bytes]) -> None:
        for row in rows:
            if row["stream"] is not None and row["wanted"]:
                self.found += self._events(row, opened)
                self._scanned += row["size"]
                if len(self.found) > 2 * MOST:
                    self._sort()
            self.reached = (row["first_at"], row["id"], MOST) if self._forward else (row["last_at"], row["id"], 0)
            if time.monotonic() > self._tired_at and row is not rows[-1]:
                self.ended = False
                return

    def _sort(self) -> None:
        """Put what was found in order, without what a page cannot hold."""
        self.found.sort(reverse=not self._forward)
        size = 0
        for place, event in enumerate(self.found):
            size += len(event.message) if event.message.isascii() else len(event.message.encode())
            if place == self._most or (size > PAGE_BYTES and place):
                del self.found[place:]
                self._cut = True
                return

    def _events(self, row: Any, opened: Mapping[int, bytes]) -> list[Event]:
        """The events of a batch that are asked for."""
        found = []
        times, messages = batches.unpack(row, self._sealer, opened.get(row["key_id"]))
        id, stream, ingested_at = row["id"], row["stream"], row["ingested_at"]
        for place, (at, message) in enumerate(zip(times, messages, strict=True)):
            if not self._start <= at < self._end:
                continue
            position = (at, id, place)
            if self._is_next(position) and (self._wanted is None or self._wanted(message)):
                found.append(Event(position, message, stream, ingested_at))
        return found

    def _is_next(self, position: Position) -> bool:
        """Whether a position is beyond the cursor, and no further than the page may go."""
        cursor, until = self._place.cursor, self._until
        if self._forward:
            return cursor < position and (until is None or position <= until)
        return cursor > position and (until is None or position >= until)

"""Reading events in the order of their times, from batches that may overlap.

Batches are read in the order of their first times (backwards: of their last), a portion at a time, and what was found
is kept sorted and cut to a page. A page is done when no batch that was not read can hold an event that belongs on it,
so that memory is bounded however the batches lie.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from controlplane.core.context import Context
from controlplane.services.logs import batches, keys
from controlplane.services.logs.positions import LATEST, Position

PAGE_BYTES = 1024 * 1024
LONGEST = 24 * 3_600_000
"""Milliseconds that a batch spans at most."""
_FIRST_PORTION, _LARGEST_PORTION = 16, 1000
_PORTION_BYTES = 4 * 1024 * 1024
_SCANNED_BYTES = 32 * 1024 * 1024
"""So much is looked through for one request at most, however little of it is wanted."""
_SELECT = """
SELECT b.id, b.group_id, b.first_at, b.last_at, b.ingested_at, b.size, b.key_id, b.content, s.name AS stream
FROM logs_batches b JOIN logs_streams s ON s.id = b.stream_id
WHERE {source} AND b.last_at >= $2 AND b.first_at < $3
"""
_FORWARD = " AND (b.first_at, b.id) > ($4, $5) ORDER BY b.first_at, b.id LIMIT $6"
_BACKWARD = " AND (b.last_at, b.id) < ($4, $5) ORDER BY b.last_at DESC, b.id DESC LIMIT $6"
_STREAM = "b.stream_id = $1"
_STREAMS = "b.stream_id = ANY($1)"
_GROUP = "b.group_id = $1"


class Event(NamedTuple):
    """One event, where it stands and what is told of it."""

    position: Position
    message: str
    stream: str
    ingested_at: int


Wanted = Callable[[str], bool]


@dataclass(slots=True)
class Page:
    """Events in the order of reading. `more` says that there are others, or may be, beyond `position`."""

    events: list[Event]
    position: Position
    more: bool


@dataclass(frozen=True, slots=True)
class Range:
    """What is read: a group, or streams of it; times from `start` up to, but not at, `end`."""

    start: int
    end: int
    group: int | None = None
    stream: int | None = None
    streams: Sequence[int] = ()

    def source(self) -> tuple[str, Any]:
        """The condition on batches, and its argument."""
        if self.stream is not None:
            return _STREAM, self.stream
        return (_GROUP, self.group) if self.group is not None else (_STREAMS, list(self.streams))


async def page(
    ctx: Context,
    group: Any,
    range: Range,
    cursor: Position,
    most: int,
    *,
    forward: bool = True,
    wanted: Wanted | None = None,
) -> Page:
    """The next events of a group after (or before) a position, up to `most` and up to a mebibyte."""
    reader = _Reader(ctx, group, range, cursor, forward=forward)
    found: list[Event] = []
    cut = False
    while rows := await reader.portion():
        for row in rows:
            found += await reader.events(row, wanted)
        found.sort(reverse=not forward)
        cut = _cut(found, most) or cut
        if cut and reader.is_complete(found[-1].position):
            break
        if reader.scanned > _SCANNED_BYTES and reader.goes_on:
            return _up_to(found, reader)
        if reader.ended:
            break
    return Page(found, found[-1].position if found else cursor, cut)


def _cut(found: list[Event], most: int) -> bool:
    """Cut what a page cannot hold; True if there was such."""
    size = 0
    for place, event in enumerate(found):
        size += len(event.message) if event.message.isascii() else len(event.message.encode())
        if place == most or (size > PAGE_BYTES and place):
            del found[place:]
            return True
    return False


def _up_to(found: list[Event], reader: _Reader) -> Page:
    """What is sure to be next, where reading ended early."""
    sure = [event for event in found if reader.is_complete(event.position)]
    return Page(sure, reader.reached, True)


class _Reader:
    """Reads batches portion by portion. `reached` is the position up to which all batches were read."""

    def __init__(self, ctx: Context, group: Any, range: Range, cursor: Position, *, forward: bool) -> None:
        self._ctx = ctx
        self._group = group
        self._range = range
        self._cursor = cursor
        self._forward = forward
        self._sealer = ctx.engine("sealing")
        self._size = _FIRST_PORTION
        self.scanned = 0
        self.ended = False
        at, *_ = cursor
        self._start = max(range.start, at) if forward else range.start
        self._end = range.end if forward else min(range.end, at + 1)
        self.reached: Position = (max(self._start - LONGEST, -1), 0, 0) if forward else (LATEST, LATEST, 0)

    @property
    def goes_on(self) -> bool:
        """Whether what was read leads beyond where it began."""
        return self.reached > self._cursor if self._forward else self.reached < self._cursor

    def is_complete(self, position: Position) -> bool:
        """Whether all up to a position was read."""
        return position <= self.reached if self._forward else position >= self.reached

    async def portion(self) -> list[Any]:
        """The next batches; none when all were read."""
        if self.ended:
            return []
        condition, argument = self._range.source()
        sql = _SELECT.format(source=condition) + (_FORWARD if self._forward else _BACKWARD)
        at, id, _ = self.reached
        rows = await self._ctx.db.fetch(sql, argument, self._start, self._end, at, id, self._size)
        self.ended = len(rows) < self._size
        if rows:
            last = rows[-1]
            self.scanned += sum(row["size"] for row in rows)
            average = max(1, sum(row["size"] for row in rows) // len(rows))
            self._size = max(_FIRST_PORTION, min(_LARGEST_PORTION, _PORTION_BYTES // average))
            self.reached = (
                (last["first_at"], last["id"], 10**5 - 1) if self._forward else (last["last_at"], last["id"], -1)
            )
        return rows

    async def events(self, row: Any, wanted: Wanted | None) -> list[Event]:
        """The events of a batch that are asked for."""
        key = None if row["key_id"] is None else await keys.for_reading(self._ctx, self._group, row["key_id"])
        times, messages = await batches.unpack(row, self._sealer, key)
        id, stream, ingested_at = row["id"], row["stream"], row["ingested_at"]
        found = []
        for place, (at, message) in enumerate(zip(times, messages, strict=True)):
            if self._start <= at < self._end and (wanted is None or wanted(message)):
                position = (at, id, place)
                if position > self._cursor if self._forward else position < self._cursor:
                    found.append(Event(position, message, stream, ingested_at))
        return found

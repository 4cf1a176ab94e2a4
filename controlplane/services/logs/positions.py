"""Positions of events, as numbers of 56 digits: time, then the order in which they came.

They are events' ids, and what tokens name: one position, or all of a place one behind the other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

Position = tuple[int, int, int]
"""Time in milliseconds, batch, place in the batch."""
LATEST = 2**63 - 1
_DIGITS = 56
FIRST: Position = (0, 0, -1)
LAST: Position = (LATEST, LATEST, 0)
_BATCH, _PLACE = 10**24, 10**5
_MOST = 18
_PLACES = re.compile(rf"(?:[0-9]{{{_DIGITS}}}){{1,{_MOST}}}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where reading goes on: beyond `cursor`. Where a page ended early it also says up to where batches were `reached`,
    and `kept` are the first events in those that are beyond the cursor; the next page ends at the last of them."""

    cursor: Position
    reached: Position | None = None
    kept: tuple[Position, ...] = ()


def number(position: Position) -> str:
    """A position in digits; their order is that of positions."""
    at, batch, place = position
    return f"{at * _BATCH + batch * _PLACE + max(place, 0):0{_DIGITS}d}"


def _parse(digits: str) -> Position:
    at, rest = divmod(int(digits), _BATCH)
    batch, place = divmod(rest, _PLACE)
    return min(at, LATEST), min(batch, LATEST), place


def text(place: Place) -> str:
    """A place in digits."""
    reached = () if place.reached is None else (place.reached,)
    return "".join(number(position) for position in (place.cursor, *reached, *place.kept))


def parse(digits: str) -> Place:
    """The place of digits. Raises ValueError."""
    if not _PLACES.fullmatch(digits):
        raise ValueError("not a place")
    cursor, *rest = (_parse(digits[start : start + _DIGITS]) for start in range(0, len(digits), _DIGITS))
    return Place(cursor, rest[0] if rest else None, tuple(rest[1:]))


def token(way: str, place: Place) -> str:
    """A token that leads on from a place: `f` to later events, `b` to earlier ones."""
    return f"{way}/{text(place)}/s"


def parse_token(token: str) -> tuple[str, Place]:
    """Way and place of a token. Raises ValueError."""
    way, _, rest = token.partition("/")
    if way not in ("f", "b") or not rest.endswith("/s"):
        raise ValueError("not a token")
    return way, parse(rest.removesuffix("/s"))

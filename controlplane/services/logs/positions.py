"""Positions of events, as numbers of 56 digits: time, then the order in which they came.

They are events' ids, and what the tokens of GetLogEvents name (`f/…/s`, `b/…/s`).
"""

from __future__ import annotations

import re

Position = tuple[int, int, int]
"""Time in milliseconds, batch, place in the batch."""
LATEST = 2**63 - 1
DIGITS = 56
FIRST: Position = (0, 0, -1)
LAST: Position = (LATEST, LATEST, 0)
_BATCH, _PLACE = 10**24, 10**5
_TOKEN = re.compile(rf"([fb])/(\d{{{DIGITS}}})/s", re.ASCII)


def number(position: Position) -> str:
    """A position in digits; their order is that of positions."""
    at, batch, place = position
    return f"{at * _BATCH + batch * _PLACE + max(place, 0):0{DIGITS}d}"


def parse(digits: str) -> Position:
    """The position of a number."""
    at, rest = divmod(int(digits), _BATCH)
    batch, place = divmod(rest, _PLACE)
    return min(at, LATEST), min(batch, LATEST), place


def token(way: str, position: Position) -> str:
    """A token that leads on from a position: `f` to later events, `b` to earlier ones."""
    return f"{way}/{number(position)}/s"


def parse_token(text: str) -> tuple[str, Position]:
    """Way and position of a token. Raises ValueError."""
    match = _TOKEN.fullmatch(text)
    if match is None:
        raise ValueError("not a token")
    return match[1], parse(match[2])

"""Pages of keys and versions, in the order of their bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from controlplane.core.context import Context
from controlplane.services.s3.buckets import Bucket
from controlplane.services.s3.errors import InvalidArgument
from controlplane.services.s3.queries import listings as queries

MOST = 1000
_FIRST_LOOK = 16
Place = tuple[bool, int]
"""Among the versions of a key: whether the current one lies before it, and behind which of the others it is."""


@dataclass(slots=True)
class Page:
    """Rows and common prefixes of one answer; `last` is what the next one goes on behind."""

    rows: list[Any] = field(default_factory=list)
    prefixes: list[bytes] = field(default_factory=list)
    truncated: bool = False
    last: bytes = b""
    last_row: Any = None

    def __len__(self) -> int:
        return len(self.rows) + len(self.prefixes)


def bump(text: bytes) -> bytes | None:
    """The least text behind all that begins with this; None where there is none."""
    text = text.rstrip(b"\xff")
    return text[:-1] + bytes([text[-1] + 1]) if text else None


async def keys(
    ctx: Context, bucket: Bucket, prefix: bytes, delimiter: bytes | None, after: bytes, most: int, *, whole: bool
) -> Page:
    """Current objects behind `after`; one that is a common prefix is passed with all that begins with it. With `whole`
    a key behind a common prefix is passed with that."""
    page = Page()
    if most == 0:
        return page
    start = prefix
    if after and after >= prefix:
        start = _behind(after, prefix, delimiter, whole=whole)
    found = await queries.keys(ctx.db, bucket.id, start, bump(prefix), most + 1, prefix, delimiter)
    page.truncated = len(found) > most
    for row in found[:most]:
        if row["common"] is not None:
            page.prefixes.append(row["common"])
            page.last = row["common"]
        else:
            page.rows.append(row)
            page.last = row["key"]
    return page


def _behind(after: bytes, prefix: bytes, delimiter: bytes | None, *, whole: bool) -> bytes:
    """Where a page goes on: behind a key, or behind all keys with a common prefix that was told; with `whole` also
    behind the common prefix of a key."""
    if delimiter and (common := common_of(after, prefix, delimiter)) is not None and (whole or common == after):
        return bump(common) or common + b"\xff"
    return after + b"\0"


def common_of(key: bytes, prefix: bytes, delimiter: bytes) -> bytes | None:
    """The common prefix that hides a key; None where it shows."""
    place = key.find(delimiter, len(prefix)) if delimiter and key.startswith(prefix) else -1
    return key[: place + len(delimiter)] if place >= 0 else None


async def versions(
    ctx: Context, bucket: Bucket, prefix: bytes, delimiter: bytes | None, after: bytes, place: Place | None, most: int
) -> Page:
    """Versions and delete markers behind a key, or behind a place among its versions."""
    page = Page()
    if most == 0:
        return page
    start, past_current, past_place = prefix, False, -(2**63)
    if after and after >= prefix:
        if place is None:
            start = _behind(after, prefix, delimiter, whole=True)
        else:
            start, (past_current, past_place) = after, place
    end = bump(prefix)
    size = most + 1 if not delimiter else min(most + 1, _FIRST_LOOK)
    while True:
        found = await queries.versions(
            ctx.db, bucket.id, start, end, size, past_current=past_current, past_place=past_place
        )
        for row in found:
            common = common_of(row["key"], prefix, delimiter) if delimiter else None
            if len(page) == most:
                page.truncated = True
                return page
            if common is not None:
                page.prefixes.append(common)
                page.last, page.last_row = common, None
                start, past_current, past_place = bump(common) or common + b"\xff", False, -(2**63)
                break
            page.rows.append(row)
            page.last, page.last_row = row["key"], row
            start, past_current, past_place = row["key"], True, -(2**63) if row["latest"] else row["place"]
        else:
            if len(found) < size:
                return page
            size = min(size * 2, most + 1)


def most_of(value: int | None, name: str = "max-keys") -> int:
    """How many a page may hold. Raises InvalidArgument."""
    if value is None:
        return MOST
    if value < 0:
        raise InvalidArgument(
            f"Argument {name} must be an integer between 0 and 2147483647", ArgumentName=name, ArgumentValue=value
        )
    return min(value, MOST)


def shower(encoding: str | None) -> Callable[[bytes | str], str]:
    """How keys are written in an answer: as they are, or percent-encoded. Raises InvalidArgument."""
    if encoding is None:
        return lambda text: text if isinstance(text, str) else text.decode()
    if encoding.lower() != "url":
        raise InvalidArgument(
            "Invalid Encoding Method specified in Request", ArgumentName="encoding-type", ArgumentValue=encoding
        )
    return lambda text: quote(text, safe="/-_.~*")

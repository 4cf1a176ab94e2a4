"""Events: written, read, searched."""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import operation
from controlplane.core.paging import decode_token, encode_token
from controlplane.services.logs import batches, groups, keys, patterns, positions, reading
from controlplane.services.logs.errors import InvalidParameterException, NoSuchStream
from controlplane.services.logs.positions import LATEST, Place
from controlplane.services.logs.reading import MOST, Page, Range

_LARGEST = 1_048_576
_OVERHEAD = 26
"""Bytes that count for each event beside its message."""
_OLDEST, _NEWEST = 14 * 86_400_000, 2 * 3_600_000
_FEW = 100
"""Streams that are read one by one; where a prefix means more, the whole group is looked through."""
_PUT = """
WITH stream AS (
  UPDATE logs_streams SET first_at = least(first_at, $3), last_at = greatest(last_at, $4),
    ingested_at = greatest(ingested_at, $5), size = size + $6
  WHERE group_id = $1 AND name = $2 RETURNING id)
INSERT INTO logs_batches (group_id, stream_id, first_at, last_at, ingested_at, size, key_id, content)
SELECT $1, id, $3, $4, $5, $6, $7, $8 FROM stream RETURNING id
"""
_STREAM = "SELECT id FROM logs_streams WHERE group_id = $1 AND name = $2"
_NAMED = "SELECT id FROM logs_streams WHERE group_id = $1 AND name = ANY($2)"
_PREFIXED = "SELECT id FROM logs_streams WHERE group_id = $1 AND starts_with(name, $2) LIMIT $3"


@operation("PutLogEvents", on=groups.on_stream)
async def put_log_events(ctx: Context, request: Any) -> dict[str, Any]:
    """Write events into a stream; those that are too old or too new are left out, and the answer says so. Raises
    ResourceNotFoundException, InvalidParameterException."""
    group, name, events = groups.the_group(ctx), request["logStreamName"], request["logEvents"]
    times, messages = [event["timestamp"] for event in events], [event["message"] for event in events]
    _check(times, messages)
    now = groups.now()
    rejected, first, end = _rejected(times, now, groups.kept_since(ctx, group))
    _check_span(times[first:end])
    id = await _stream(ctx, group, name) if first >= end else None
    if first < end:
        taken, sealer = (times[first:end], messages[first:end]), ctx.engine("sealing")
        key_id, key = await keys.for_writing(ctx, group) or (None, None)
        content = await batches.pack(*taken, group["id"], sealer, key)
        row = (group["id"], name, times[first], times[end - 1], now, _size(taken[1]), key_id, content)
        found = [] if "\x00" in name else await ctx.db.alone(_PUT, *row)
        if not found:
            raise NoSuchStream
        id = found[0]["id"]
    told = {"nextSequenceToken": positions.number((now, id or 0, 0))}
    return {**told, "rejectedLogEventsInfo": rejected} if rejected else told


def _check(times: list[int], messages: list[str]) -> None:
    if any(later < earlier for earlier, later in pairwise(times)):
        raise InvalidParameterException("Log events in a single PutLogEvents request must be in chronological order.")
    size = _size(messages)
    if size > _LARGEST:
        raise InvalidParameterException(f"Upload too large: {size} bytes exceeds limit of {_LARGEST}")


def _check_span(taken: list[int]) -> None:
    if taken and taken[-1] - taken[0] > reading.LONGEST:
        raise InvalidParameterException(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours."
        )


def _size(messages: list[str]) -> int:
    return len("".join(messages).encode()) + _OVERHEAD * len(messages)


def _rejected(times: list[int], now: int, kept_since: int) -> tuple[dict[str, int], int, int]:
    """What the answer says of events that are not taken, and where those begin and end that are."""
    too_old, expired = bisect_left(times, now - _OLDEST), bisect_left(times, kept_since)
    too_new = bisect_left(times, now + _NEWEST + 1)
    told = {"tooOldLogEventEndIndex": too_old, "expiredLogEventEndIndex": expired}
    found = {member: place for member, place in told.items() if place}
    if too_new < len(times):
        found["tooNewLogEventStartIndex"] = too_new
    return found, max(too_old, expired), too_new


async def _stream(ctx: Context, group: Any, name: str) -> int:
    id = None if "\x00" in name else await ctx.db.fetchval(_STREAM, group["id"], name)
    if id is None:
        raise NoSuchStream
    return int(id)


@operation("GetLogEvents", on=groups.on_stream)
async def get_log_events(ctx: Context, request: Any) -> dict[str, Any]:
    """Events of a stream by time, the latest first unless told otherwise. Raises ResourceNotFoundException,
    InvalidParameterException, ValidationException."""
    groups.check_named(request)
    group = groups.the_group(ctx)
    start, end = _times(ctx, group, request)
    forward, given = bool(request.get("startFromHead")), None
    if request.get("nextToken"):
        try:
            way, given = positions.parse_token(request["nextToken"])
        except ValueError as error:
            raise InvalidParameterException("The specified nextToken is invalid.") from error
        forward = way == "f"
    range = Range(start, end, group["id"], [await _stream(ctx, group, request["logStreamName"])])
    begin = given or _begin(forward=forward)
    found = await reading.page(ctx, group, range, begin, request.get("limit") or MOST, forward=forward)
    events = found.events if forward else found.events[::-1]
    return {
        "events": [
            {"timestamp": event.position[0], "message": event.message, "ingestionTime": event.ingested_at}
            for event in events
        ],
        **_tokens(found, begin if given or found.more else Place((start, 0, 0)), forward=forward),
    }


def _begin(*, forward: bool) -> Place:
    return Place(positions.FIRST if forward else positions.LAST)


def _tokens(page: Page, begin: Place, *, forward: bool) -> dict[str, str]:
    """Where to go on, and back to what is before."""
    onward = page.place if page.events or page.more else begin
    back = Place(page.events[0].position if page.events else begin.cursor)
    later, earlier = (onward, back) if forward else (back, onward)
    return {"nextForwardToken": positions.token("f", later), "nextBackwardToken": positions.token("b", earlier)}


def _times(ctx: Context, group: Any, request: Any) -> tuple[int, int]:
    """From when up to when events are asked for, without what is kept no longer."""
    start, end = request.get("startTime"), request.get("endTime")
    if start is not None and end is not None and end < start:
        raise InvalidParameterException("End time must not be before start time.")
    return max(start or 0, groups.kept_since(ctx, group)), LATEST if end is None else end


@operation("FilterLogEvents", on=groups.on_group())
async def filter_log_events(ctx: Context, request: Any) -> dict[str, Any]:
    """Events of a group that fit a pattern, by time. Raises ResourceNotFoundException, InvalidParameterException,
    ValidationException."""
    groups.check_named(request)
    group = groups.the_group(ctx)
    start, end = _times(ctx, group, request)
    forward = request.get("startFromHead") is not False
    scope = await _scope(ctx, group, request)
    range, wanted = (
        Range(start, min(end + 1, LATEST), group["id"], **scope),
        patterns.compiled(request.get("filterPattern") or ""),
    )
    begin = _place(request) or _begin(forward=forward)
    found = await reading.page(ctx, group, range, begin, request.get("limit") or MOST, forward=forward, wanted=wanted)
    told = {
        "events": [
            {
                "logStreamName": event.stream,
                "timestamp": event.position[0],
                "message": event.message,
                "ingestionTime": event.ingested_at,
                "eventId": positions.number(event.position),
            }
            for event in found.events
        ],
        "searchedLogStreams": [],
    }
    return {**told, "nextToken": encode_token(positions.text(found.place))} if found.more else told


def _place(request: Any) -> Place | None:
    token = request.get("nextToken")
    if not token:
        return None
    try:
        digits = decode_token(token)
        return positions.parse(digits if isinstance(digits, str) else "")
    except ValueError as error:
        raise InvalidParameterException("The specified nextToken is invalid.") from error


async def _scope(ctx: Context, group: Any, request: Any) -> dict[str, Any]:
    """The streams that are asked for, by number or prefix; nothing where all are. Raises ResourceNotFoundException,
    InvalidParameterException."""
    names, prefix = request.get("logStreamNames"), request.get("logStreamNamePrefix")
    if names and prefix:
        raise InvalidParameterException("logStreamNames and logStreamNamePrefix are mutually exclusive parameters.")
    if prefix is not None:
        rows = [] if "\x00" in prefix else await ctx.db.fetch(_PREFIXED, group["id"], prefix, _FEW + 1)
        return {"prefix": prefix} if len(rows) > _FEW else {"streams": [row["id"] for row in rows]}
    if not names:
        return {}
    wanted = sorted({name for name in names if "\x00" not in name})
    rows = await ctx.db.fetch(_NAMED, group["id"], wanted)
    if len(rows) < len(set(names)):
        raise NoSuchStream
    return {"streams": [row["id"] for row in rows]}

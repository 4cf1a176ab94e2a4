"""Writing for services whose logs go to CloudWatch Logs (query logs, delivery status)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.core.offer import offer
from controlplane.services.logs.errors import ResourceAlreadyExistsException, ResourceNotFoundException

_MOST, _LARGEST, _OVERHEAD = 10_000, 1_048_576, 26
"""What one call of PutLogEvents takes: events, bytes, and bytes that count for each event beside its message."""
_SPAN = 24 * 3_600_000
Event = Mapping[str, Any]


@offer("Write")
async def write(ctx: Context, request: Mapping[str, Any]) -> None:
    """Put events of any number, order and span into a stream, which is made where it is not there; with `MakeGroup` its
    group too. The rest of the request is as PutLogEvents'. Nothing is asked here: each call that is made asks about the
    caller. What calls before a failing one wrote stays written. Raises AwsError."""
    stream = {name: request[name] for name in ("logGroupName", "logStreamName")}
    for portion in _portions(sorted(request["logEvents"], key=lambda event: event["timestamp"])):
        put = {**stream, "logEvents": portion}
        try:
            await ctx.call("logs", "PutLogEvents", put)
        except AwsError as error:
            if error.code != ResourceNotFoundException.code:
                raise
            if request.get("MakeGroup"):
                await _make(ctx, "CreateLogGroup", {"logGroupName": request["logGroupName"]})
            await _make(ctx, "CreateLogStream", stream)
            await ctx.call("logs", "PutLogEvents", put)


async def _make(ctx: Context, operation: str, request: Mapping[str, Any]) -> None:
    try:
        await ctx.call("logs", operation, request)
    except AwsError as error:
        if error.code != ResourceAlreadyExistsException.code:
            raise


def _portions(events: Sequence[Event]) -> Iterator[Sequence[Event]]:
    """What fits into one call each."""
    first, size = 0, 0
    for place, event in enumerate(events):
        more = len(event["message"].encode()) + _OVERHEAD
        late = event["timestamp"] - events[first]["timestamp"] > _SPAN
        if place > first and (late or place - first == _MOST or size + more > _LARGEST):
            yield events[first:place]
            first, size = place, 0
        size += more
    if events:
        yield events[first:]

"""What other services have written, however much it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controlplane.services.logs.errors import ResourceAlreadyExistsException, ResourceNotFoundException
from controlplane.services.logs.offers import write
from tests.services.logs.conftest import HOUR


class Caller:
    """As much of a context as writing needs; its group is there, the stream is not. Keeps what is called."""

    def __init__(self) -> None:
        self.called: list[tuple[str, Any]] = []
        self._ready = False

    async def call(self, service: str, operation: str, request: Mapping[str, Any]) -> None:
        if operation == "PutLogEvents" and not self._ready:
            raise ResourceNotFoundException
        if operation == "CreateLogGroup":
            raise ResourceAlreadyExistsException
        self._ready = True
        self.called.append((operation, request.get("logEvents")))


async def test_what_is_too_much_for_a_call_takes_several() -> None:
    ctx: Any = Caller()
    old = [{"timestamp": 25 * HOUR, "message": "c"}, {"timestamp": 0, "message": "a"}]
    many = [{"timestamp": 30 * HOUR, "message": ""}] * 10_000
    long = [{"timestamp": 49 * HOUR, "message": "é" * 500_000}] * 2
    request = {"logGroupName": "g", "logStreamName": "s", "logEvents": [*long, *old, *many], "MakeGroup": True}
    await write(ctx, request)
    (made, _), *puts = ctx.called
    assert made == "CreateLogStream"
    portions = [[(event["timestamp"] // HOUR, len(event["message"])) for event in events] for _, events in puts]
    assert portions == [[(0, 1)], [(25, 1), *[(30, 0)] * 9999], [(30, 0), (49, 500_000)], [(49, 500_000)]]


async def test_where_there_is_nothing_nothing_is_called() -> None:
    ctx: Any = Caller()
    await write(ctx, {"logGroupName": "g", "logStreamName": "s", "logEvents": []})
    assert ctx.called == []

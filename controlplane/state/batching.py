"""Group commit: what many requests ask for at the same moment is done by one statement."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import asyncpg

from controlplane.core.errors import AwsError

_OF_ALL = (AwsError, OSError, asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError)
Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


class Batcher(Generic[Item, Outcome]):
    """Hands waiting items to `run`, which answers one outcome for each, in order; an outcome that is an exception is
    raised to whoever asked for it. While a batch runs the next one gathers, so that a lone item never waits and a crowd
    shares its commits. What was submitted is done even if its caller goes away. When `run` itself fails for an item's
    sake, the items are run one by one: `run` must leave nothing behind when it raises. What concerns all (`_OF_ALL`) is
    raised to all: when the connection was lost nobody knows whether the batch was committed, so nothing is run twice.

    `abreast` batches may run at once. With `patience` (seconds) a batch waits so long, at most, for as many items as
    came with the last one: callers that were just answered are likely to come again. A lone caller never waits.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Item]], Awaitable[Sequence[Outcome | Exception]]],
        *,
        most: int = 200,
        abreast: int = 2,
        patience: float = 0.0,
    ) -> None:
        self._run = run
        self._most = most
        self._free = abreast
        self._patience = patience
        self._expected = 0
        self._enough: asyncio.Future[None] | None = None
        self._waiting: list[tuple[Item, asyncio.Future[Outcome]]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def submit(self, item: Item) -> Outcome:
        """What `run` answers for an item. Raises what `run` raises."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._free:
            self._free -= 1
            task = asyncio.create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif self._enough is not None and len(self._waiting) >= self._expected:
            _end(self._enough)
        return await future

    async def _work(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(0)  # those that came in the same round of the loop come along
                if self._patience and len(self._waiting) < self._expected:
                    await self._wait()
                batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                await self._finish(batch)
                self._expected = len(batch) + len(self._waiting) - 1
        finally:
            self._free += 1

    async def _wait(self) -> None:
        """Until there are enough, or patience ends."""
        loop = asyncio.get_running_loop()
        self._enough = loop.create_future()
        timer = loop.call_later(self._patience, _end, self._enough)
        try:
            await self._enough
        finally:
            timer.cancel()
            self._enough = None

    async def _finish(self, batch: list[tuple[Item, asyncio.Future[Outcome]]]) -> None:
        try:
            outcomes: Sequence[Outcome | Exception] = await self._run([item for item, _ in batch])
        except Exception as error:
            if len(batch) > 1 and not _concerns_all(error):
                for one in batch:
                    await self._finish([one])
                return
            outcomes = [error] * len(batch)
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if future.done():
                continue
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)


def _concerns_all(error: Exception) -> bool:
    # asyncpg has InterfaceErrors for lost connections, and for values of an item's: those are ValueErrors too.
    lost = isinstance(error, asyncpg.InterfaceError) and not isinstance(error, ValueError)
    return lost or isinstance(error, _OF_ALL)


def _end(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)

"""Keeps one thing as it must be: applied when woken and on a period, again with growing pauses after a failure."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

_PERIOD = 30.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0


class Keeper:
    """Runs `apply` in a task of its own, never twice at once, so that one thing in trouble holds up no other.

    `apply` must be idempotent. It returns False when the thing is gone, which ends the keeper; `failed` is told every
    exception that it raises.
    """

    def __init__(
        self, name: str, apply: Callable[[], Awaitable[bool]], failed: Callable[[Exception], None] | None = None
    ) -> None:
        self._apply = apply
        self._failed = failed
        self._woken = asyncio.Event()
        self._woken.set()
        self.name = name
        self.task = asyncio.create_task(self._run(), name=name)

    def wake(self) -> None:
        """Apply again as soon as possible."""
        self._woken.set()

    async def stop(self) -> None:
        """End the task, wherever it is."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def _run(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            self._woken.clear()
            try:
                if not await self._apply():
                    return
                timeout, pause = _PERIOD, _FIRST_PAUSE
            except Exception as error:
                log.warning("%s: %s: %s", self.name, type(error).__name__, error)
                log.debug("%s", self.name, exc_info=True)
                if self._failed:
                    self._failed(error)
                timeout, pause = pause, min(pause * 2, _LONGEST_PAUSE)
            try:
                await asyncio.wait_for(self._woken.wait(), timeout)
            except TimeoutError:
                continue

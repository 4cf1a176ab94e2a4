"""Hears what Postgres notifies. Delivery is transactional: a notification comes when its transaction has committed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

import asyncpg

log = logging.getLogger("celaje.listen")

_RETRY_SECONDS = 0.2
_PROBE_SECONDS = 5.0


class Listener:
    """One dedicated connection a process. Notifications are lost while it is down, so listeners are told of both ends:
    `on_lost` at once, `on_back` when it listens again (then they must look for themselves)."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._handlers: dict[str, list[Callable[[str], None]]] = {}
        self._on_lost: list[Callable[[], None]] = []
        self._on_back: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None
        self.connected = False

    def subscribe(
        self,
        channel: str,
        handler: Callable[[str], None],
        *,
        on_lost: Callable[[], None] | None = None,
        on_back: Callable[[], None] | None = None,
    ) -> None:
        """Call `handler(payload)` for every notification. Subscribe before `start`."""
        self._handlers.setdefault(channel, []).append(handler)
        if on_lost:
            self._on_lost.append(on_lost)
        if on_back:
            self._on_back.append(on_back)

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.info("listening was interrupted: %r", error)
            finally:
                if self.connected:
                    self.connected = False
                    for lost in self._on_lost:
                        lost()
            await asyncio.sleep(_RETRY_SECONDS)

    async def _listen(self) -> None:
        connection = await asyncpg.connect(self._url, timeout=5)
        closed = asyncio.Event()
        connection.add_termination_listener(lambda _: closed.set())
        try:
            for channel in self._handlers:
                await connection.add_listener(channel, self._heard)
            self.connected = True
            for back in self._on_back:
                back()
            while not closed.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(closed.wait(), _PROBE_SECONDS)
                if not closed.is_set():
                    await connection.fetchval("SELECT 1", timeout=5)
        finally:
            connection.terminate()

    def _heard(self, _connection: Any, _pid: int, channel: str, payload: str) -> None:
        for handler in self._handlers.get(channel, ()):
            handler(payload)

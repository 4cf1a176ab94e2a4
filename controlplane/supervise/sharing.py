"""Connections spread evenly over the gateway workers that accept from one socket.

Without this the worker that happens to be awake takes most of a burst of connections, and keeps them: clients that hold
a pool of connections then use one core. Each worker tells in a few bytes of shared memory how many it serves; one that
has more than another waits a moment before it takes the next: beside a worker that is stuck, a thousand connections a
second are still taken.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn

_PLACES = 256
_MOMENT = 0.001
_AFTER_ERROR = 0.1
"""Seconds until the next attempt when no descriptor is left for a connection."""

_OURSELVES = frozenset({"127.0.0.1", "::1"})
_NEAR_BYTES = 256 * 1024
"""What the kernel keeps for a reader on this machine. It would take megabytes, which cost twice: by the time they are
read they have left the processor's cache. Readers elsewhere need as much as is under way to them."""


class Shares:
    """How many connections each worker of this cloud serves. `place` is this worker's, counted from 1."""

    def __init__(self, file: Path, place: int, workers: int) -> None:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, 4 * _PLACES)
            self._counts = memoryview(mmap.mmap(descriptor, 4 * _PLACES)).cast("i")
        finally:
            os.close(descriptor)
        self._own = place - 1
        self._others = [number for number in range(workers) if number != self._own]
        self._counts[self._own] = 0

    def change(self, by: int) -> None:
        """One connection more or less."""
        self._counts[self._own] += by

    async def turn(self) -> None:
        """Come back when this worker should take the next connection."""
        if self._others and self._counts[self._own] > min(self._counts[number] for number in self._others):
            await asyncio.sleep(_MOMENT)


class Server(uvicorn.Server):
    """uvicorn's, which takes connections when it is this worker's turn."""

    def __init__(self, config: uvicorn.Config, listening: socket.socket, shares: Shares) -> None:
        super().__init__(config)
        self._listening = listening
        self._shares = shares
        self._accepting: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=[])
        self._listening.setblocking(False)
        self._accepting = asyncio.create_task(self._accept())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._accepting is not None:
            self._accepting.cancel()
        await super().shutdown(sockets=[])

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._shares.turn()
            try:
                connection, peer = await loop.sock_accept(self._listening)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if peer[0] in _OURSELVES:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _NEAR_BYTES)
                await loop.connect_accepted_socket(self._protocol, connection)
            except ConnectionError:
                continue  # the client has gone already
            except OSError:
                await asyncio.sleep(_AFTER_ERROR)

    @property
    def _protocol(self) -> Callable[[], Any]:
        kind: Any = self.config.http_protocol_class
        return lambda: kind(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

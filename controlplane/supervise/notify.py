"""Signs of life, in systemd's sd_notify protocol: READY=1 once, then WATCHDOG=1 every second.

The same lines serve our supervisor and systemd, whichever started the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from controlplane import settings
from controlplane.state.embedded import Owner

INTERVAL = 1.0


def notify(line: str) -> None:
    """Tell the supervisor; silent when there is none or it is gone (it will look for us when it is back)."""
    if path := settings.notify_socket():
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto(line.encode(), "\0" + path[1:] if path.startswith("@") else path)


async def keep_alive(alive: Callable[[], bool] = lambda: True) -> None:
    """Say READY=1, then WATCHDOG=1 every second for as long as `alive` holds and the event loop turns."""
    notify("READY=1")
    while True:
        if alive():
            notify("WATCHDOG=1")
        await asyncio.sleep(INTERVAL)


async def live(*beside: Coroutine[Any, Any, None]) -> None:
    """Say that we are ready, give signs of life and do what is given beside, until SIGTERM or SIGINT comes. Raises an
    ExceptionGroup when that fails."""
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    async with asyncio.TaskGroup() as group:
        working = [group.create_task(each) for each in (keep_alive(), *beside)]
        await told.wait()
        for task in working:
            task.cancel()


class Listener(asyncio.DatagramProtocol):
    """The supervisor's end: one datagram socket a process."""

    def __init__(self, path: Path, heard: Callable[[str], None]) -> None:
        self.path = path
        self._heard = heard
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self, owner: Owner) -> None:
        """Bind the socket so that only `owner` (and root) may write to it."""
        self.path.unlink(missing_ok=True)
        receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        receiver.setblocking(False)
        receiver.bind(str(self.path))
        self.path.chmod(0o600)
        if owner.drop:
            os.chown(self.path, owner.uid, owner.gid)
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, sock=receiver)

    def datagram_received(self, data: bytes, addr: object) -> None:
        for line in data.decode(errors="replace").splitlines():
            self._heard(line)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
        self.path.unlink(missing_ok=True)

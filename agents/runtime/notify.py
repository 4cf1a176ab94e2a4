"""Signs of life for whoever started the agent, in systemd's sd_notify protocol."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket

_INTERVAL = 1.0


async def keep_alive() -> None:
    """Say READY=1, then WATCHDOG=1 every second for as long as the event loop turns."""
    _notify("READY=1")
    while True:
        _notify("WATCHDOG=1")
        await asyncio.sleep(_INTERVAL)


def _notify(line: str) -> None:
    if path := os.environ.get("NOTIFY_SOCKET"):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto(line.encode(), "\0" + path[1:] if path.startswith("@") else path)

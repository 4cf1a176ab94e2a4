"""Serial consoles: their ends are sent to the control plane, their files are kept short."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import httpx

from agents.runtime.client import Client, Unauthorized
from agents.volumes.disks import Disks

log = logging.getLogger(__name__)

_PERIOD = 1.0
_TOLD = 64 << 10
_LONGEST = 1 << 20


class Consoles:
    """Looks at the machines' console files once a second."""

    def __init__(self, disks: Disks, client: Client) -> None:
        self._disks = disks
        self._client = client
        self._told: dict[str, tuple[int, int]] = {}

    async def run(self) -> None:
        """Send what is new until cancelled."""
        while True:
            await asyncio.sleep(_PERIOD)
            machines = self._disks.machines()
            for machine in self._told.keys() - machines:
                del self._told[machine]
            for machine in machines:
                try:
                    await self._tell(machine, self._disks.console(machine))
                except (OSError, httpx.HTTPError, Unauthorized) as error:
                    log.debug("console of %s: %s", machine, error)

    async def _tell(self, machine: str, path: Path) -> None:
        seen = _size_and_time(path)
        if self._told.get(machine, (0, 0)) == seen:
            return
        content = await asyncio.to_thread(end_of, path)
        await self._client.console(machine, content)
        self._told[machine] = seen


def _size_and_time(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except FileNotFoundError:
        return (0, 0)
    return (status.st_size, status.st_mtime_ns if status.st_size else 0)


def end_of(path: Path) -> bytes:
    """The last 64 KiB of a console. A file that has grown long is cut down to them; QEMU appends at any length."""
    with path.open("r+b") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _TOLD))
        content = file.read()
        if size > _LONGEST:
            file.truncate(0)
            file.seek(0)
            file.write(content)
    return content

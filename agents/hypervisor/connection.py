"""The connection to libvirt: opened again whenever it breaks, called from threads, its events brought to asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import libvirt

from agents.hypervisor.daemon import Daemon

log = logging.getLogger(__name__)

T = TypeVar("T")

_HOST_SOCKETS = (Path("/run/libvirt/libvirt-sock"), Path("/run/libvirt/virtqemud-sock"))
_LOOK_AGAIN = 0.1
_PATIENCE = 10.0
_UNPRIVILEGED = "libvirt-qemu:kvm"
"""Made by Debian's libvirt-daemon-system."""
_BROKEN = {libvirt.VIR_ERR_RPC, libvirt.VIR_ERR_INVALID_CONN, libvirt.VIR_ERR_NO_CONNECT}


class Unavailable(Exception):
    """Libvirt does not answer at the moment."""


def _run_events() -> None:
    while True:
        libvirt.virEventRunDefaultImpl()


def _start_events() -> None:
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    libvirt.virEventRegisterDefaultImpl()
    # Without a timer the loop sleeps for good and misses file descriptors that are added by other threads.
    libvirt.virEventAddTimeout(500, lambda _timer, _opaque: None, None)
    threading.Thread(target=_run_events, name="libvirt-events", daemon=True).start()


_events_started = False


class Connection:
    """Connects to the host's libvirtd where it answers, else to one that it starts.

    `on_event(domain name, event, detail)` is told life-cycle events and `on_reboot(domain name)` reboots, in the event
    loop; `on_connected` is called after every (re)connection.
    """

    def __init__(
        self,
        daemon: Daemon,
        on_event: Callable[[str, int, int], None],
        on_reboot: Callable[[str], None],
        on_connected: Callable[[], None],
    ) -> None:
        self._daemon = daemon
        self._on_event = on_event
        self._on_reboot = on_reboot
        self._on_connected = on_connected
        self._connection: Any = None
        self._own = False
        self._loop = asyncio.get_running_loop()
        self._lost = asyncio.Event()
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Keep the connection open until cancelled."""
        global _events_started
        if not _events_started:
            _start_events()
            _events_started = True
        while True:
            self._lost.clear()
            connection = await self._open()
            self._connection = connection
            self.ready.set()
            self._on_connected()
            try:
                await self._lost.wait()
                log.warning("lost libvirt")
            finally:
                self._connection = None
                self.ready.clear()
                with contextlib.suppress(libvirt.libvirtError):
                    connection.close()

    async def call(self, function: Callable[[Any], T]) -> T:
        """Run a blocking libvirt call in a thread, as soon as libvirt is there.

        Raises Unavailable when it does not come back or goes away meanwhile, libvirtError when it refuses.
        """
        try:
            await asyncio.wait_for(self.ready.wait(), _PATIENCE)
        except TimeoutError:
            raise Unavailable("libvirt does not answer") from None
        connection = self._connection
        if connection is None:
            raise Unavailable("libvirt went away again at once")
        try:
            return await asyncio.to_thread(function, connection)
        except libvirt.libvirtError as error:
            if error.get_error_code() in _BROKEN or self._connection is not connection:
                self._lost.set()
                raise Unavailable(str(error)) from error
            raise

    def forget(self, domain: str) -> bool:
        """Break a lock that libvirt holds on a domain for ever; False where libvirt is not ours to restart."""
        if self._own:
            self._daemon.restart_without(domain)
            self._lost.set()
        return self._own

    @property
    def label(self) -> str | None:
        """User and group that a machine must ask for, None where libvirt's own setting is the owner's affair."""
        return _UNPRIVILEGED if self._own else None

    def seen(self, path: Path) -> Path:
        """Where libvirt sees a file of the agent's home."""
        return self._daemon.inside(path) if self._own else path

    async def _open(self) -> Any:
        while True:
            for uri in self._candidates():
                try:
                    connection = await asyncio.to_thread(self._open_once, uri)
                    self._own = uri == self._daemon.uri
                    return connection
                except libvirt.libvirtError as error:
                    log.debug("%s: %s", uri, error)
            await self._daemon.start()
            await asyncio.sleep(_LOOK_AGAIN)

    def _candidates(self) -> list[str]:
        if self._daemon.used_before:
            return [self._daemon.uri]
        hosts = ["qemu:///system"] if any(socket.exists() for socket in _HOST_SOCKETS) else []
        return [*hosts, self._daemon.uri]

    def _open_once(self, uri: str) -> Any:
        connection = libvirt.open(uri)
        connection.setKeepAlive(5, 3)
        connection.registerCloseCallback(self._closed, None)
        connection.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self._life_cycle, None)
        connection.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_REBOOT, self._rebooted, None)
        # Libvirt tries out what QEMU can do when it is asked first, for seconds: better now than at a machine's start.
        connection.getDomainCapabilities(None, "x86_64", "q35", "qemu", 0)
        return connection

    def _closed(self, _connection: Any, _reason: int, _opaque: Any) -> None:
        self._loop.call_soon_threadsafe(self._lost.set)

    def _life_cycle(self, _connection: Any, domain: Any, event: int, detail: int, _opaque: Any) -> None:
        self._loop.call_soon_threadsafe(self._on_event, domain.name(), event, detail)

    def _rebooted(self, _connection: Any, domain: Any, _opaque: Any) -> None:
        self._loop.call_soon_threadsafe(self._on_reboot, domain.name())

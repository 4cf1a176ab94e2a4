"""Machines in libvirt. Domains are transient: the agent's ledger is their definition, so nothing is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from pathlib import Path
from typing import Any, Literal

import libvirt

from agents.hypervisor.connection import Connection, Unavailable
from agents.hypervisor.domain import DomainSpec, describe
from agents.names import Names

log = logging.getLogger(__name__)

_GHOST_PATIENCE = 1.0
"""Seconds that libvirt has to notice by itself that a process is gone."""
State = Literal["starting", "running", "stopping", "ghost", "off"]
"""A ghost is a domain of which libvirt has the description and the lock, but nobody has a process."""

_STATES: dict[int, State] = {
    libvirt.VIR_DOMAIN_SHUTDOWN: "stopping",
    libvirt.VIR_DOMAIN_SHUTOFF: "off",
    libvirt.VIR_DOMAIN_CRASHED: "off",
}


class Hypervisor:
    """Starts, stops and lists the machines of one cloud. All raise Unavailable while libvirt is away."""

    def __init__(self, connection: Connection, names: Names) -> None:
        self._connection = connection
        self._names = names
        self._exorcism = asyncio.Lock()

    def machine_of(self, domain: str) -> str | None:
        """The machine that a domain's name stands for, None for other clouds' and foreign domains."""
        prefix = self._names.domain_prefix
        return domain[len(prefix) :] if domain.startswith(prefix) else None

    async def machines(self) -> set[str]:
        """The machines that libvirt knows."""
        domains = await self._connection.call(lambda c: [domain.name() for domain in c.listAllDomains()])
        return {machine for name in domains if (machine := self.machine_of(name))}

    async def state(self, machine: str) -> State:
        """What a machine does; off also when libvirt does not know it."""
        name = self._names.domain(machine)

        def ask(connection: Any) -> State:
            domain = _lookup(connection, name)
            if domain is None:
                return "off"
            try:
                state, _reason = domain.state()
            except libvirt.libvirtError as error:
                if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
                    return "off"
                raise
            if state == libvirt.VIR_DOMAIN_PAUSED:
                # Nobody pauses machines here, so this one is on its way, or was when libvirtd was killed.
                return "starting" if _processes_of(name) else "ghost"
            return _STATES.get(state, "running")

        return await self._connection.call(ask)

    async def start(self, spec: DomainSpec) -> None:
        """Start a machine. Raises libvirtError when it cannot be started, or is being started already."""
        xml = describe(spec, self._connection.label, self._connection.seen)

        def create(connection: Any) -> None:
            if _lookup(connection, spec.name) is None:
                _kill_stray(spec.name)
            connection.createXML(xml, 0)

        await self._connection.call(create)

    async def shut_down(self, machine: str) -> None:
        """Press the machine's power button."""
        await self._with(machine, lambda domain: domain.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN))

    async def reboot(self, machine: str) -> None:
        """Press the power button and start again in the same process once the guest has gone down."""
        await self._with(machine, lambda domain: domain.reboot(libvirt.VIR_DOMAIN_REBOOT_ACPI_POWER_BTN))

    async def reset(self, machine: str) -> None:
        """Reset the machine without asking the guest."""
        await self._with(machine, lambda domain: domain.reset(0))

    async def destroy(self, machine: str) -> None:
        """Pull the plug."""
        await self._with(machine, lambda domain: domain.destroy())
        await asyncio.to_thread(_kill_stray, self._names.domain(machine))

    async def kill(self, machine: str) -> None:
        """Kill the machine's process, whatever libvirt thinks of it."""
        await asyncio.to_thread(_kill_stray, self._names.domain(machine))

    async def exorcise(self, machine: str) -> None:
        """Get rid of a ghost. Libvirt can keep one for ever when it was killed between two steps of a start."""
        async with self._exorcism:
            await asyncio.sleep(_GHOST_PATIENCE)
            if await self.state(machine) != "ghost":
                return
            log.warning("libvirt is stuck with %s, restarting it", machine)
            if not self._connection.forget(self._names.domain(machine)):
                raise Unavailable(f"libvirt is stuck with {machine}; restart libvirtd")

    async def _with(self, machine: str, act: Any) -> None:
        def find_and_act(connection: Any) -> None:
            domain = _lookup(connection, self._names.domain(machine))
            if domain is None:
                return
            try:
                act(domain)
            except libvirt.libvirtError as error:
                if error.get_error_code() not in (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID):
                    raise

        await self._connection.call(find_and_act)


def _lookup(connection: Any, name: str) -> Any:
    try:
        return connection.lookupByName(name)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return None
        raise


def _processes_of(name: str) -> list[int]:
    wanted = f"guest={name},".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            arguments = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if arguments and b"qemu-system" in arguments[0] and any(part.startswith(wanted) for part in arguments):
            found.append(int(folder.name))
    return found


def _kill_stray(name: str) -> None:
    """Kill a QEMU that libvirt lost: it was killed itself before it had written down what it had started."""
    for pid in _processes_of(name):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

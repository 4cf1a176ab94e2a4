"""Keeps one machine as its document says: disks, network, process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

import libvirt

from agents.contract.exchange import Change
from agents.contract.machine import Machine, MachineReport
from agents.contract.network import Port, Subnet
from agents.hypervisor.accelerator import Accelerator
from agents.hypervisor.connection import Unavailable
from agents.hypervisor.domain import DomainDisk, DomainPort, DomainSpec
from agents.hypervisor.driver import Hypervisor
from agents.names import Names
from agents.network.vpc import MTU
from agents.network.vpcs import PortsMissing, Vpcs
from agents.runtime.leases import lease_time
from agents.runtime.ledger import Key, Ledger
from agents.runtime.memory import boot_id, recall
from agents.runtime.reporter import Reporter
from agents.volumes.blobs import Blobs
from agents.volumes.disks import Disks

log = logging.getLogger(__name__)

T = TypeVar("T")
State = Literal["starting", "running", "stopped", "absent", "failed"]

_PORTS_LIMIT = 2.0
_STOP_LIMIT, _TERMINATE_LIMIT, _REBOOT_LIMIT = 60.0, 15.0, 60.0
_PRESS_AGAIN = 2.0
_START_LIMIT, _START_POLL = 60.0, 0.2
_LEASE_POLL, _LEASE_SOON = 0.05, 120.0
_BY_GUEST = "Client.InstanceInitiatedShutdown: the guest switched itself off"
_DIED = "Server.InternalError: the machine's process ended unexpectedly"


@dataclass
class Tools:
    """What machines are made with on this host."""

    names: Names
    ledger: Ledger
    hypervisor: Hypervisor
    accelerator: Accelerator
    blobs: Blobs
    disks: Disks
    vpcs: Vpcs
    reporter: Reporter


class MachineKeeper:
    """Applies one machine's document, again and again; is told what libvirt sees of it."""

    def __init__(self, machine: str, tools: Tools) -> None:
        self.id = machine
        self._tools = tools
        self._key = Key("machine", machine)
        self._memory = recall(tools.disks.folder(machine))
        self._plugged = False
        self._stopped = asyncio.Event()
        self._rebooted = asyncio.Event()
        self._crashed = False
        self._spans: dict[str, float] = {}
        self._networked = False
        self._watch: asyncio.Task[None] | None = None

    async def apply(self) -> bool:
        """Make the machine as its document says. False when it is gone for good."""
        change = self._tools.ledger.get(self._key)
        if change is None:
            return False
        if change.document is None:
            await self._remove()
            return await self._forget(change)
        assert isinstance(change.document, Machine)
        if change.document.run:
            await self._keep_running(change.document)
        else:
            await self._keep_stopped(change.document)
        self._tools.reporter.applied(self._key, change.generation)
        return True

    def failed(self, error: Exception) -> None:
        """Report that the document could not be applied; what only has to be waited for is no failure."""
        if isinstance(error, PortsMissing | Unavailable):
            return
        change = self._tools.ledger.get(self._key)
        if change is not None and change.document is not None:
            self._report("failed", f"Server.InternalError: {error}")

    def on_stopped(self, detail: int) -> None:
        """Libvirt saw the machine stop."""
        self._crashed = detail != libvirt.VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN
        self._stopped.set()

    def on_rebooted(self) -> None:
        """Libvirt saw the machine reset."""
        self._rebooted.set()

    def asked(self) -> None:
        """The machine has asked the metadata service: its network works."""
        if not self._networked:
            self._is_networked()

    def uses(self, vpc: str) -> bool:
        """True while the machine needs a VPC on this host."""
        change = self._tools.ledger.get(self._key)
        wanted = change.document.vpc if change is not None and isinstance(change.document, Machine) else None
        return vpc in (wanted, self._memory.vpc)

    def close(self) -> None:
        """End what runs beside `apply`."""
        if self._watch is not None:
            self._watch.cancel()

    async def _keep_running(self, machine: Machine) -> None:
        memory = self._memory
        state = await self._settled()
        if state == "off" and memory.started == boot_id() and memory.halted is None:
            memory.halted = _DIED if self._crashed else _BY_GUEST
            self._save()
        if machine.boots > memory.boots:
            if state != "off" and memory.boots >= 0:
                await self._reboot()
                state = await self._tools.hypervisor.state(self.id)
            else:
                memory.halted = None
            memory.boots = machine.boots
            self._save()
        if state == "off":
            if memory.halted is not None:
                await self._unplug()
                self._report("stopped", memory.halted)
                return
            await self._start(machine)
        elif not self._plugged:
            await self._adopt(machine)
        self._report("running")

    async def _settled(self) -> str:
        """What the machine does, once it is neither being started, by an agent before this one, nor a ghost."""
        deadline = time.monotonic() + _START_LIMIT
        while (state := await self._tools.hypervisor.state(self.id)) in ("starting", "ghost"):
            if state == "ghost":
                await self._tools.hypervisor.exorcise(self.id)
            elif time.monotonic() >= deadline:
                await self._tools.hypervisor.kill(self.id)
            await asyncio.sleep(_START_POLL)
        return state

    async def _keep_stopped(self, machine: Machine) -> None:
        await self._stop(_STOP_LIMIT)
        await self._unplug()
        memory = self._memory
        if memory.started is not None or memory.halted is not None or memory.boots != machine.boots:
            memory.started, memory.halted, memory.boots = None, None, machine.boots
            self._save()
        self._report("stopped")

    async def _start(self, machine: Machine) -> None:
        self._spans, self._networked, self._plugged = {}, False, False
        self._crashed = False
        self._stopped.clear()
        self._report("starting")
        begun = time.monotonic()
        self._tools.disks.folder(self.id).mkdir(exist_ok=True)
        # The order to boot counts as carried out from here: an agent that dies after the start must not boot again.
        memory = self._memory
        memory.vpc, memory.ports, memory.boots, memory.started = machine.vpc, list(machine.ports), machine.boots, None
        self._save()
        volume = asyncio.create_task(self._timed("volume", self._tools.disks.prepare(machine)))
        network = asyncio.create_task(self._timed("network", self._network(machine)))
        try:
            spec = await self._timed("define", self._specify(machine))
        finally:
            # Nothing of a failed start may go on beside the next one.
            await asyncio.wait({volume, network})
        volume.result()
        ports = network.result()
        spec = replace(spec, ports=tuple(DomainPort(self._tools.names.tap(port.id), port.mac) for port, _ in ports))
        started = time.time()
        await self._timed("start", self._tools.hypervisor.start(spec))
        await self._timed("plug", self._plug(machine.vpc, ports))
        memory.started = boot_id()
        self._save()
        self._spans["total"] = _milliseconds(begun)
        self._watch_lease(machine, ports, started)

    async def _adopt(self, machine: Machine) -> None:
        """Take over a machine that runs already: nothing is done to it, only its plugs are checked."""
        ports = await self._tools.vpcs.ports(machine, _PORTS_LIMIT)
        await self._plug(machine.vpc, ports)
        memory = self._memory
        if memory.started != boot_id():
            memory.started = boot_id()
            memory.boots = max(memory.boots, machine.boots)
            self._save()
        self._watch_lease(machine, ports, 0.0)

    async def _specify(self, machine: Machine) -> DomainSpec:
        image, tools = machine.image, self._tools
        kernel = await tools.blobs.path(image.kernel) if image.kernel else None
        initrd = await tools.blobs.path(image.initrd) if image.initrd else None
        choice = await tools.accelerator.choose(kernel)
        return DomainSpec(
            name=tools.names.domain(machine.id),
            accelerator=choice.accelerator if choice else "qemu",
            vcpus=machine.vcpus,
            memory_mib=machine.memory_mib,
            kernel=kernel,
            initrd=initrd,
            command_line=image.command_line,
            firmware=image.firmware,
            disks=tuple(
                DomainDisk(tools.disks.path(machine.id, disk), disk.volume.replace("-", "")) for disk in machine.disks
            ),
            ports=(),
            console=tools.disks.console(machine.id),
            nvram=tools.disks.folder(machine.id) / "nvram",
            mtu=MTU,
        )

    async def _network(self, machine: Machine) -> list[tuple[Port, Subnet]]:
        ports = await self._tools.vpcs.ports(machine, _PORTS_LIMIT)
        network = self._tools.vpcs.network(machine.vpc)
        await asyncio.gather(*(network.prepare_tap(port) for port, _ in ports))
        return ports

    async def _plug(self, vpc: str, ports: list[tuple[Port, Subnet]]) -> None:
        network = self._tools.vpcs.network(vpc)
        await asyncio.gather(*(network.plug(port, subnet) for port, subnet in ports))
        self._plugged = True

    async def _unplug(self) -> None:
        """Remove the taps of a machine that is off."""
        if self._memory.vpc is not None:
            network = self._tools.vpcs.network(self._memory.vpc)
            await asyncio.gather(*(network.drop_tap(port) for port in self._memory.ports))
            self._memory.vpc, self._memory.ports = None, []
            self._save()
        self._plugged = self._networked = False
        self.close()

    async def _stop(self, limit: float) -> None:
        """Press the power button, now and again because a guest that boots does not feel it; then pull the plug."""
        deadline = time.monotonic() + limit
        while await self._settled() != "off":
            self._stopped.clear()
            if time.monotonic() >= deadline:
                await self._tools.hypervisor.destroy(self.id)
                continue
            await self._tools.hypervisor.shut_down(self.id)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), min(_PRESS_AGAIN, max(0.1, deadline - time.monotonic())))

    async def _reboot(self) -> None:
        self._rebooted.clear()
        change = self._tools.ledger.get(self._key)
        await self._tools.hypervisor.reboot(self.id)
        deadline = time.monotonic() + _REBOOT_LIMIT
        while time.monotonic() < deadline and self._tools.ledger.get(self._key) is change:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._rebooted.wait(), 0.5)
                return
        if time.monotonic() >= deadline:
            await self._tools.hypervisor.reset(self.id)

    async def _remove(self) -> None:
        await self._stop(_TERMINATE_LIMIT)
        await self._unplug()
        await asyncio.to_thread(self._tools.disks.remove, self.id)

    async def _forget(self, change: Change) -> bool:
        if self._tools.ledger.get(self._key) is not change:
            return True
        self._tools.ledger.forget(self._key)
        self._report("absent")
        self._tools.reporter.applied(self._key, change.generation)
        return False

    def _watch_lease(self, machine: Machine, ports: list[tuple[Port, Subnet]], started: float) -> None:
        self.close()
        path = self._tools.vpcs.network(machine.vpc).leases
        if ports:
            self._watch = asyncio.create_task(self._await_lease(path, ports[0][0].mac, started))

    async def _await_lease(self, path: Path, mac: str, started: float) -> None:
        begun = time.time() if started == 0.0 else started
        while not self._networked:
            granted = lease_time(path, mac)
            # Dnsmasq counts in whole seconds.
            if granted is not None and granted >= int(started):
                if started:
                    self._spans["dhcp"] = round((time.time() - started) * 1000, 1)
                self._is_networked()
                return
            await asyncio.sleep(_LEASE_POLL if time.time() - begun < _LEASE_SOON else _LEASE_POLL * 20)

    def _is_networked(self) -> None:
        self._networked = True
        last = self._tools.reporter.last(self.id)
        if last is not None and last.state == "running":
            self._report("running")

    async def _timed(self, name: str, step: Awaitable[T]) -> T:
        begun = time.monotonic()
        try:
            return await step
        finally:
            self._spans[name] = _milliseconds(begun)

    def _report(self, state: State, reason: str | None = None) -> None:
        report = MachineReport(
            id=self.id,
            state=state,
            reason=reason,
            boots=max(0, self._memory.boots),
            networked=self._networked,
            spans=dict(self._spans),
        )
        self._tools.reporter.seen(report)

    def _save(self) -> None:
        self._memory.save(self._tools.disks.folder(self.id))


def _milliseconds(begun: float) -> float:
    return round((time.monotonic() - begun) * 1000, 1)

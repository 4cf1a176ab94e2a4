"""The agent of a host with machines: libvirt, networks, disks, metadata."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import libvirt

from agents.contract.exchange import Join, Joined
from agents.contract.machine import Machine, MachineReport
from agents.contract.network import Vpc
from agents.hypervisor.accelerator import Accelerator
from agents.hypervisor.connection import Connection
from agents.hypervisor.daemon import Daemon
from agents.hypervisor.driver import Hypervisor
from agents.hypervisor.facts import facts
from agents.names import Names
from agents.network.metadata import tree
from agents.network.metadata.credentials import CredentialCache
from agents.network.metadata.service import MetadataService
from agents.network.metadata.tokens import Tokens
from agents.network.relay import Endpoint
from agents.network.uplink import Uplink
from agents.network.vpcs import Vpcs
from agents.runtime import host
from agents.runtime.consoles import Consoles
from agents.runtime.keeper import Keeper
from agents.runtime.ledger import Key
from agents.runtime.machine import MachineKeeper, Tools
from agents.runtime.member import Member, Options
from agents.runtime.questions import Questions
from agents.volumes.blobs import Blobs
from agents.volumes.disks import Disks

log = logging.getLogger(__name__)

_SURVEY = 30.0


class Agent(Member):
    """Keeps machines and the parts of VPCs that they are in. `accelerator` is None where KVM is to be tried out."""

    kinds = ("vpc", "machine")
    own = "machine"

    def __init__(self, options: Options, accelerator: str | None) -> None:
        super().__init__(options)
        for folder in (self._home / "machines", self._home / "blobs"):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o711)
        self._accelerator = Accelerator(self._home, accelerator)
        self._machines: dict[str, MachineKeeper] = {}

    async def _begin(self, joined: Joined, tasks: asyncio.TaskGroup) -> None:
        self._names = Names(joined.cloud)
        runtime = Path("/run/celaje") / joined.cloud
        runtime.mkdir(parents=True, exist_ok=True)
        self._uplink = Uplink(self._names, joined.public_range, self._home, runtime)
        await self._uplink.start()
        self._build(runtime, joined)
        tasks.create_task(self._connection.run())
        tasks.create_task(self._consoles.run())
        tasks.create_task(self._questions.run())
        tasks.create_task(self._survey())

    def _build(self, runtime: Path, joined: Joined) -> None:
        daemon = Daemon(self._home, runtime / "libvirt")
        self._connection = Connection(daemon, self._on_event, self._on_reboot, lambda: self._wake("machine"))
        self._hypervisor = Hypervisor(self._connection, self._names)
        self._blobs = Blobs(self._home / "blobs", self._client.blob)
        self._disks = Disks(self._home / "machines", self._blobs)
        endpoint = Endpoint(*_host_and_port(self._options.endpoint), joined.host, bytes.fromhex(joined.relay_key))
        self._questions = Questions(self._client)
        self._vpcs = Vpcs(self._names, self._uplink, runtime, self._address(), endpoint, self._questions.add)
        credentials = CredentialCache(self._client.credentials)
        tokens = Tokens(self._home / "metadata.key")
        self._vpcs.metadata = MetadataService(tokens, credentials, self._who, self._asked)
        self._consoles = Consoles(self._disks, self._client)
        self._tools = Tools(
            names=self._names,
            ledger=self._ledger,
            hypervisor=self._hypervisor,
            accelerator=self._accelerator,
            blobs=self._blobs,
            disks=self._disks,
            vpcs=self._vpcs,
            reporter=self._reporter,
        )

    async def _introduction(self) -> Join:
        choice = await self._accelerator.choose(None)
        return Join(
            name=self._options.name,
            kind="hypervisor",
            zone=self._options.zone,
            capacity=host.capacity(self._home),
            address=self._address(),
            facts=await facts(choice),
        )

    def _new_keeper(self, key: Key) -> Keeper:
        if key.kind == "machine":
            machine = self._machines[key.id] = MachineKeeper(key.id, self._tools)
            return Keeper(str(key), machine.apply, machine.failed)
        return Keeper(str(key), lambda: self._apply_vpc(key))

    def _gone(self, key: Key) -> None:
        if key.kind == "machine":
            self._machines.pop(key.id, None)
            self._drop_unused_vpcs()
            self._wake("vpc")

    def _complete(self) -> None:
        self._drop_unused_vpcs()

    async def _apply_vpc(self, key: Key) -> bool:
        change = self._ledger.get(key)
        if change is None:
            return False
        if isinstance(change.document, Vpc):
            await self._vpcs.sync(change.document)
            self._reporter.applied(key, change.generation)
            return True
        if self._users(key.id):
            return True
        await self._vpcs.remove(key.id)
        if self._ledger.get(key) is not change:
            return True
        self._ledger.forget(key)
        self._reporter.applied(key, change.generation)
        return False

    def _users(self, vpc: str) -> list[str]:
        return [machine.id for machine in self._machines.values() if machine.uses(vpc)]

    def _drop_unused_vpcs(self) -> None:
        """Remove VPCs that the control plane has left out of its complete answer, once no machine is in them."""
        for key in [key for key in self._unconfirmed if key.kind == "vpc" and not self._users(key.id)]:
            known = self._ledger.get(key)
            if known is not None and known.document is not None:
                self._drop(key)

    async def _survey(self) -> None:
        """Report machines that nobody has asked this host for, so that the control plane can disown them."""
        while True:
            await self._connection.ready.wait()
            try:
                await self._uplink.start()
                running = await self._hypervisor.machines()
                for id in (running | self._disks.machines()) - self._expected():
                    state: Literal["running", "stopped"] = "running" if id in running else "stopped"
                    self._reporter.seen(MachineReport(id=id, state=state, reason="not in this host's ledger"))
                if self._in_sync:
                    await self._vpcs.remove_stray()
                choice = await self._accelerator.choose(None)
                self._reporter.capacity = host.capacity(self._home)
                self._reporter.facts(await facts(choice))
            except Exception as error:
                log.warning("survey: %s", error)
            await asyncio.sleep(_SURVEY)

    def _who(self, vpc: str, address: str) -> tree.Identity | None:
        found = self._vpcs.port_at(vpc, address)
        if found is None or found[1].instance is None:
            return None
        change = self._ledger.get(Key("machine", found[1].instance))
        if change is None or not isinstance(change.document, Machine):
            return None
        return tree.Identity(machine=change.document, port=found[1], vpc=found[0])

    def _asked(self, machine: str) -> None:
        if (keeper := self._machines.get(machine)) is not None:
            keeper.asked()

    def _on_event(self, domain: str, event: int, detail: int) -> None:
        machine = self._hypervisor.machine_of(domain)
        if machine is None or (keeper := self._machines.get(machine)) is None:
            return
        if event == libvirt.VIR_DOMAIN_EVENT_STOPPED:
            keeper.on_stopped(detail)
            self._keepers[Key("machine", machine)].wake()

    def _on_reboot(self, domain: str) -> None:
        machine = self._hypervisor.machine_of(domain)
        if machine is not None and (keeper := self._machines.get(machine)) is not None:
            keeper.on_rebooted()


def _host_and_port(endpoint: str) -> tuple[str, int]:
    url = urlsplit(endpoint)
    return url.hostname or "127.0.0.1", url.port or (443 if url.scheme == "https" else 80)

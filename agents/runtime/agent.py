"""The agent of one host: takes what the control plane wants, stores it, applies it, tells what it sees."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import httpx
import libvirt

from agents.contract.exchange import Change, Desired, Join
from agents.contract.machine import Machine, MachineReport
from agents.contract.network import Vpc
from agents.hypervisor.accelerator import Accelerator
from agents.hypervisor.connection import Connection
from agents.hypervisor.daemon import Daemon
from agents.hypervisor.driver import Hypervisor
from agents.names import Names
from agents.network.metadata import tree
from agents.network.metadata.credentials import CredentialCache
from agents.network.metadata.service import MetadataService
from agents.network.metadata.tokens import Tokens
from agents.network.uplink import Uplink
from agents.network.vpcs import Vpcs
from agents.runtime import host
from agents.runtime.client import Client, Unauthorized
from agents.runtime.consoles import Consoles
from agents.runtime.identity import Identity, NoToken
from agents.runtime.keeper import Keeper
from agents.runtime.ledger import Key, Ledger
from agents.runtime.machine import MachineKeeper, Tools
from agents.runtime.notify import keep_alive
from agents.runtime.reporter import Reporter
from agents.volumes.blobs import Blobs
from agents.volumes.disks import Disks

log = logging.getLogger(__name__)

_WAIT = 25
_EMPTY = 0.25
_REFUSED = 5.0
_SURVEY = 30.0


@dataclass(frozen=True)
class Options:
    """What an agent is started with. `accelerator` is None where KVM is to be tried out."""

    home: Path
    endpoint: str
    name: str
    zone: str | None = None
    address: str | None = None
    join_token_file: Path | None = None
    accelerator: str | None = None


class Agent:
    """One agent; `run` works until it is cancelled and leaves the machines running."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._home = options.home
        # Others may pass through to files whose names they know, as a QEMU of the host's libvirtd must, but not look.
        for folder in (self._home, self._home / "machines", self._home / "blobs"):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o711)
        self._lock = self._take_home()
        self._client = Client(options.endpoint)
        self._identity = Identity(self._home / "identity.json", self._client, options.join_token_file)
        self._ledger = Ledger(self._home / "ledger")
        self._accelerator = Accelerator(self._home, options.accelerator)
        self._reporter = Reporter(self._client, self._expected, self._remove_orphans)
        self._keepers: dict[Key, Keeper] = {}
        self._machines: dict[str, MachineKeeper] = {}
        self._unconfirmed: set[Key] = set(self._ledger.keys())
        self._in_sync = False

    async def run(self) -> None:
        """Join, adopt what is there, and keep the host as the control plane wants it."""
        joined = self._identity.known() or await self._identity.join(await self._introduction())
        self._names = Names(joined.cloud)
        runtime = Path("/run/celaje") / joined.cloud
        runtime.mkdir(parents=True, exist_ok=True)
        self._uplink = Uplink(self._names, joined.public_range, self._home, runtime)
        await self._uplink.start()
        self._build(runtime)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._connection.run())
            tasks.create_task(self._reporter.run())
            tasks.create_task(self._consoles.run())
            tasks.create_task(self._survey())
            for key in list(self._ledger.keys()):
                self._keep(key)
            tasks.create_task(self._poll())
            tasks.create_task(keep_alive())

    def _build(self, runtime: Path) -> None:
        daemon = Daemon(self._home, runtime / "libvirt")
        self._connection = Connection(daemon, self._on_event, self._on_reboot, lambda: self._wake("machine"))
        self._hypervisor = Hypervisor(self._connection, self._names)
        self._blobs = Blobs(self._home / "blobs", self._client.blob)
        self._disks = Disks(self._home / "machines", self._blobs)
        self._vpcs = Vpcs(self._names, self._uplink, runtime, self._address(), _host_and_port(self._options.endpoint))
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

    def _address(self) -> str:
        return self._options.address or host.address()

    def _expected(self) -> set[str]:
        return {key.id for key in self._ledger.keys("machine")}

    async def _introduction(self) -> Join:
        choice = await self._accelerator.choose(None)
        return Join(
            name=self._options.name,
            zone=self._options.zone,
            capacity=host.capacity(self._home),
            address=self._address(),
            facts=await host.facts(choice),
        )

    async def _poll(self) -> None:
        """Take changes as they come; ask for everything at the start and whenever the generations do not fit."""
        after, pause = 0, 0.2
        while True:
            try:
                desired = await self._client.desired(after, _WAIT if after else 0)
                after = await self._take(desired, after)
                pause = 0.2
                if after == 0:
                    # A host that was never asked for anything is answered at once, always.
                    await asyncio.sleep(_EMPTY)
            except Unauthorized as error:
                log.warning("the control plane refuses this host, joining again: %s", error)
                await self._join_again()
            except (httpx.HTTPError, ValueError, OSError) as error:
                log.info("no news from the control plane: %s", error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5.0)

    async def _join_again(self) -> None:
        try:
            await self._identity.join(await self._introduction())
            self._reporter.everything()
        except NoToken as error:
            log.error("%s", error)
            await asyncio.sleep(_REFUSED)

    async def _take(self, desired: Desired, after: int) -> int:
        if not desired.complete and desired.generation < after:
            return 0
        for change in desired.changes:
            await self._store(change)
        if desired.complete:
            wanted = {Key(change.kind, change.id) for change in desired.changes}
            self._unconfirmed = set(self._ledger.keys()) - wanted
            self._drop_unused_vpcs()
            self._in_sync = True
            self._reporter.everything()
        return desired.generation

    async def _store(self, change: Change) -> None:
        key = Key(change.kind, change.id)
        known = self._ledger.get(key)
        if known is not None and known == change:
            self._unconfirmed.discard(key)
            return
        if known is None and change.document is None:
            self._reporter.applied(key, change.generation)
            return
        try:
            await asyncio.to_thread(self._ledger.store, change)
        except ValueError as error:
            log.error("refused %s: %s", key, error)
            return
        self._unconfirmed.discard(key)
        self._keep(key)

    def _keep(self, key: Key) -> None:
        """Have a thing applied, by the keeper that it has or by a new one."""
        keeper = self._keepers.get(key)
        if keeper is not None and not keeper.task.done():
            keeper.wake()
            return
        if key.kind == "machine":
            machine = self._machines[key.id] = MachineKeeper(key.id, self._tools)
            keeper = Keeper(str(key), machine.apply, machine.failed)
        else:
            keeper = Keeper(str(key), lambda: self._apply_vpc(key))
        self._keepers[key] = keeper
        keeper.task.add_done_callback(lambda _: self._kept(key))

    def _kept(self, key: Key) -> None:
        """A keeper has ended: its thing is gone, unless it has been asked for again meanwhile."""
        self._keepers.pop(key, None)
        if key.kind == "machine":
            self._machines.pop(key.id, None)
            self._drop_unused_vpcs()
            self._wake("vpc")
        if self._ledger.get(key) is not None:
            self._keep(key)

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
                self._ledger.store(Change(kind=key.kind, id=key.id, generation=known.generation, document=None))
                self._keep(key)

    async def _survey(self) -> None:
        """Report machines that nobody has asked this host for, so that the control plane can disown them."""
        while True:
            await self._connection.ready.wait()
            try:
                await self._uplink.start()
                running = await self._hypervisor.machines()
                for id in (running | self._disks.machines()) - self._expected():
                    state: Literal["running", "stopped"] = "running" if id in running else "stopped"
                    self._reporter.machine(MachineReport(id=id, state=state, reason="not in this host's ledger"))
                if self._in_sync:
                    await self._vpcs.remove_stray()
                choice = await self._accelerator.choose(None)
                self._reporter.capacity = host.capacity(self._home)
                self._reporter.facts(await host.facts(choice))
            except Exception as error:
                log.warning("survey: %s", error)
            await asyncio.sleep(_SURVEY)

    async def _remove_orphans(self, orphans: tuple[str, ...]) -> None:
        """Remove what the control plane disowns; what it has asked for since this agent started is no orphan."""
        if not self._in_sync:
            return
        for id in orphans:
            key = Key("machine", id)
            known = self._ledger.get(key)
            if known is not None and key not in self._unconfirmed:
                continue
            log.warning("removing the orphan %s", key)
            generation = known.generation if known is not None else 0
            self._ledger.store(Change(kind=key.kind, id=key.id, generation=generation, document=None))
            self._keep(key)

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

    def _wake(self, kind: str) -> None:
        for key, keeper in self._keepers.items():
            if key.kind == kind:
                keeper.wake()

    def _take_home(self) -> int:
        descriptor = os.open(self._home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return descriptor


def _host_and_port(endpoint: str) -> tuple[str, int]:
    url = urlsplit(endpoint)
    return url.hostname or "127.0.0.1", url.port or (443 if url.scheme == "https" else 80)

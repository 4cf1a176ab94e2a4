"""The agent of a host with containers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path
from typing import Literal

from agents.container.container import ContainerKeeper, Tools
from agents.container.daemon import Daemon
from agents.container.driver import LABEL, Containers
from agents.container.engine import Engine
from agents.container.images import Images
from agents.contract.container import Container, ContainerReport
from agents.contract.exchange import Join, Joined
from agents.names import Names
from agents.runtime import host
from agents.runtime.keeper import Keeper
from agents.runtime.ledger import Key
from agents.runtime.member import Member, Options
from agents.volumes.blobs import Blobs

log = logging.getLogger(__name__)

_SURVEY = 30.0


def daemon_of(home: Path, cloud: str) -> Daemon:
    """The dockerd that the agent with this home starts where it has to."""
    return Daemon(home, Path("/run/celaje") / f"{cloud}-containers", cloud)


class ContainerAgent(Member):
    """Keeps containers in Docker."""

    kinds = ("container",)
    own = "container"

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._made = self._home / "made"
        self._made.mkdir(exist_ok=True)
        self._look_around = asyncio.Event()

    async def run(self) -> None:
        """As every agent; a dockerd of its own ends with it, its containers go on."""
        try:
            await super().run()
        finally:
            if (joined := self._identity.known()) is not None:
                daemon_of(self._home, joined.cloud).stop()

    async def _begin(self, joined: Joined, tasks: asyncio.TaskGroup) -> None:
        names = Names(joined.cloud)
        self._engine = Engine(
            daemon_of(self._home, joined.cloud),
            self._home,
            f"{LABEL}={joined.cloud}",
            self._on_event,
            self._on_change,
            lambda: bool(self._expected()),
        )
        self._containers = Containers(self._engine, names)
        self._images = Images(self._engine, names, Blobs(self._home / "blobs", self._client.blob))
        self._tools = Tools(self._ledger, self._containers, self._images, self._reporter, self._made)
        tasks.create_task(self._engine.run())
        tasks.create_task(self._survey())

    async def _introduction(self) -> Join:
        return Join(
            name=self._options.name,
            kind="container",
            zone=self._options.zone,
            capacity=host.capacity(self._home),
            address=self._address(),
            facts={"engine": "docker", "trouble": "starting"},
        )

    def _new_keeper(self, key: Key) -> Keeper:
        container = ContainerKeeper(key.id, self._tools)
        return Keeper(str(key), container.apply, container.failed)

    async def _survey(self) -> None:
        """Report the engine, and containers that nobody has asked this host for, so that they can be disowned."""
        while True:
            self._look_around.clear()
            try:
                self._reporter.capacity = host.capacity(self._home)
                self._reporter.facts(await self._engine.facts())
                if self._engine.ready.is_set():
                    await self._tell_strays()
            except Exception as error:
                log.warning("survey: %s", error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._look_around.wait(), _SURVEY)

    async def _tell_strays(self) -> None:
        found = await self._containers.all()
        for id in found.keys() - self._expected():
            state: Literal["running", "exited"] = "running" if found[id] == "running" else "exited"
            self._reporter.seen(ContainerReport(id=id, state=state, reason="not in this host's ledger"))
        if self._in_sync:
            await self._images.drop_unused(self._archives())

    def _archives(self) -> set[str]:
        changes = [self._ledger.get(key) for key in list(self._ledger.keys())]
        documents = [change.document for change in changes if change is not None]
        return {each.image.archive for each in documents if isinstance(each, Container) and each.image.archive}

    def _on_change(self) -> None:
        self._look_around.set()
        self._wake("container")

    def _on_event(self, name: str) -> None:
        id = self._containers.id_of(name)
        if id is not None and (keeper := self._keepers.get(Key("container", id))) is not None:
            keeper.wake()

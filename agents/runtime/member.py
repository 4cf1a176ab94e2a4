"""What every kind of agent does: join, take what the control plane wants, store it, have it kept, tell what it sees."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

import httpx

from agents.contract.exchange import Change, Desired, Join, Joined
from agents.runtime import host
from agents.runtime.client import Client, Unauthorized
from agents.runtime.identity import Identity, NoToken
from agents.runtime.keeper import Keeper
from agents.runtime.ledger import Key, Ledger
from agents.runtime.notify import keep_alive
from agents.runtime.reporter import Reporter

log = logging.getLogger(__name__)

_WAIT = 25
_EMPTY = 0.25
_REFUSED = 5.0


@dataclass(frozen=True)
class Options:
    """What every agent is started with."""

    home: Path
    endpoint: str
    name: str
    zone: str | None = None
    address: str | None = None
    join_token_file: Path | None = None


class Member(ABC):
    """One agent; `run` works until it is cancelled and leaves what it keeps running.

    `kinds` are the kinds of documents that it can have, `own` the one among them that it reports about.
    """

    kinds: tuple[str, ...]
    own: str

    def __init__(self, options: Options) -> None:
        self._options = options
        self._home = options.home
        # Others may pass through to files whose names they know, as a QEMU of the host's libvirtd must, but not look.
        self._home.mkdir(parents=True, exist_ok=True)
        self._home.chmod(0o711)
        self._lock = self._take_home()
        self._client = Client(options.endpoint)
        self._identity = Identity(self._home / "identity.json", self._client, options.join_token_file)
        self._ledger = Ledger(self._home / "ledger", self.kinds)
        self._reporter = Reporter(self._client, self._expected, self._remove_orphans)
        self._keepers: dict[Key, Keeper] = {}
        self._unconfirmed: set[Key] = set(self._ledger.keys())
        self._in_sync = False

    @abstractmethod
    async def _introduction(self) -> Join:
        """What the host says of itself when it joins."""

    @abstractmethod
    async def _begin(self, joined: Joined, tasks: asyncio.TaskGroup) -> None:
        """Make the tools that things are kept with, and start the tasks that belong to them."""

    @abstractmethod
    def _new_keeper(self, key: Key) -> Keeper:
        """Begin to keep a thing."""

    def _gone(self, key: Key) -> None:  # noqa: B027
        """Called when a thing's keeper has ended."""

    def _complete(self) -> None:  # noqa: B027
        """Called when everything that the host must have is in the ledger."""

    async def run(self) -> None:
        """Join, adopt what is there, and keep the host as the control plane wants it."""
        joined = self._identity.known() or await self._identity.join(await self._introduction())
        async with asyncio.TaskGroup() as tasks:
            await self._begin(joined, tasks)
            tasks.create_task(self._reporter.run())
            for key in list(self._ledger.keys()):
                self._keep(key)
            tasks.create_task(self._poll())
            tasks.create_task(keep_alive())

    def _address(self) -> str:
        return self._options.address or host.address()

    def _expected(self) -> set[str]:
        return {key.id for key in self._ledger.keys(self.own)}

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
            self._complete()
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
        self._keepers[key] = keeper = self._new_keeper(key)
        keeper.task.add_done_callback(lambda _: self._kept(key))

    def _kept(self, key: Key) -> None:
        """A keeper has ended: its thing is gone, unless it has been asked for again meanwhile."""
        self._keepers.pop(key, None)
        self._gone(key)
        if self._ledger.get(key) is not None:
            self._keep(key)

    def _drop(self, key: Key) -> None:
        """Have a thing removed that nobody wants."""
        known = self._ledger.get(key)
        generation = known.generation if known is not None else 0
        self._ledger.store(Change(kind=key.kind, id=key.id, generation=generation, document=None))
        self._keep(key)

    async def _remove_orphans(self, orphans: tuple[str, ...]) -> None:
        """Remove what the control plane disowns; what it has asked for since this agent started is no orphan."""
        if not self._in_sync:
            return
        for id in orphans:
            key = Key(self.own, id)
            if self._ledger.get(key) is not None and key not in self._unconfirmed:
                continue
            log.warning("removing the orphan %s", key)
            self._drop(key)

    def _wake(self, kind: str) -> None:
        for key, keeper in self._keepers.items():
            if key.kind == kind:
                keeper.wake()

    def _take_home(self) -> int:
        descriptor = os.open(self._home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return descriptor

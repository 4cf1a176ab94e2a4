"""Runs reconcilers on one event loop: claim, run, release."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Container, Mapping
from typing import Any

import asyncpg

from controlplane.core.context import Runtime, Unit
from controlplane.core.errors import AwsError, EngineError
from controlplane.core.ids import request_id
from controlplane.core.log import request_id as current_request
from controlplane.state.database import Database
from controlplane.work import queries
from controlplane.work.queries import LEASE_SECONDS, Item
from controlplane.work.reconciler import STANDING, Again, Gone, Reconciler, Run

log = logging.getLogger(__name__)

RUN_SECONDS = 300.0
"""A run that takes longer is broken off: reconcilers answer Again instead of waiting."""
FIRST_BACKOFF = 0.5
LAST_BACKOFF = 60.0
_RENEW_SECONDS = 1.5
_DIED = "the worker died during the run"
_RELEASE_TRIES = 20
_RELEASE_PAUSE = 0.2
_DATABASE_TROUBLE = (AwsError, OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)

Release = Callable[[Unit], Awaitable[bool]]


def backoff(attempts: int) -> float:
    """Seconds until the next try after so many failures in a row, with some jitter."""
    return min(LAST_BACKOFF, FIRST_BACKOFF * 2.0 ** min(attempts - 1, 20)) * random.uniform(0.8, 1.2)  # noqa: S311


class Runner:
    """One a worker process. `owner` is the worker's name: unique in the cloud, the same after a restart."""

    def __init__(
        self,
        database: Database,
        reconcilers: Mapping[str, Reconciler],
        *,
        owner: str,
        concurrency: int,
        engines: Mapping[str, Any] | None = None,
        runtime: Runtime | None = None,
    ) -> None:
        self._database = database
        self._reconcilers = reconcilers
        self._owner = owner
        self._engines = engines or {}
        self._runtime = runtime
        self._concurrency = concurrency
        self._slots = asyncio.Semaphore(concurrency)
        self._pending: dict[Item, asyncio.Task[None]] = {}
        self._leases: dict[Item, float] = {}
        """When our lease of a running item ends, on the monotonic clock."""
        self._renewing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take back what an earlier self of this worker died with, and make the standing items be there."""
        async with self._database.unit() as db:
            await _take_back(db, self._owner)
            for kind, reconciler in self._reconcilers.items():
                if reconciler.standing:
                    await queries.wake(db, kind, STANDING, 0)
        self._renewing = asyncio.create_task(self._renew())

    async def stop(self) -> None:
        """Break off what runs; others may take it at once."""
        tasks = [*self._pending.values(), *([self._renewing] if self._renewing else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        async with self._database.unit() as db:
            await queries.release_all(db, self._owner)

    def submit(self, kind: str, key: str) -> None:
        """Run a key soon, unless it waits here already. One that runs now finds its wake in the table when it ends."""
        item = (kind, key)
        if kind in self._reconcilers and item not in self._pending:
            task = self._pending[item] = asyncio.create_task(self._run(item))
            task.add_done_callback(lambda _: self._pending.pop(item, None))

    async def sweep(self) -> None:
        """Take back what other workers died with, and submit what is due, as much as there is room for."""
        room = 2 * self._concurrency - len(self._pending)
        if room > 0:
            async with self._database.unit() as db:
                await _take_back(db, ours=self._leases)
                for kind, key in await queries.due(db, list(self._reconcilers), room):
                    self.submit(kind, key)

    async def _run(self, item: Item) -> None:
        async with self._slots:
            try:
                while await self._run_once(item):
                    pass
            except _DATABASE_TROUBLE as error:
                log.warning("%s %s waits for the database: %r", *item, error)

    async def _run_once(self, item: Item) -> bool:
        """Claim, run and release. True when it was woken meanwhile and is due again."""
        began = time.monotonic()
        async with self._database.unit() as db:
            attempts = await queries.claim(db, item, self._owner)
        if attempts is None:
            return False
        self._leases[item] = began + LEASE_SECONDS
        run = Run(item[1], request_id(), self._database, self._engines, self._runtime)
        token = current_request.set(run.request_id)
        try:
            release = await self._attempt(item, run, attempts)
            return await self._persist(release)
        finally:
            current_request.reset(token)
            self._leases.pop(item, None)

    async def _attempt(self, item: Item, run: Run, attempts: int) -> Release:
        """Run the reconciler. Returns how to give the lease back."""
        reconciler = self._reconcilers[item[0]]
        try:
            async with asyncio.timeout(RUN_SECONDS):
                outcome = await reconciler.function(run, item[1])
        except Exception as error:
            expected = isinstance(error, AwsError | EngineError)
            log.warning("%s %s failed: %r", *item, error, exc_info=not expected, extra={"attempts": attempts + 1})
            text = f"{type(error).__name__}: {error}"[:1000]
            wait = backoff(attempts + 1)
            return lambda db: queries.release(db, item, self._owner, again=wait, attempts=attempts + 1, error=text)
        seconds = outcome.seconds if isinstance(outcome, Again) else reconciler.every
        if seconds is None or isinstance(outcome, Gone):
            return lambda db: queries.rest(db, item, self._owner)
        return lambda db: queries.release(db, item, self._owner, again=seconds)

    async def _persist(self, release: Release) -> bool:
        """Give the lease back, even while the database restarts: to wait for the lease's end would take longer."""
        for _ in range(_RELEASE_TRIES):
            try:
                async with self._database.unit() as db:
                    return await release(db)
            except _DATABASE_TROUBLE:
                await asyncio.sleep(_RELEASE_PAUSE)
        return False

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            if self._leases:
                await self._renew_once(list(self._leases))

    async def _renew_once(self, items: list[Item]) -> None:
        """Prolong the leases; break off runs whose lease is lost or over, since another worker may run them now."""
        began = time.monotonic()
        kept: set[Item] = set()
        try:
            async with asyncio.timeout(_RENEW_SECONDS), self._database.unit() as db:
                kept = await queries.renew(db, items, self._owner)
                lost = set(items) - kept
        except _DATABASE_TROUBLE:
            lost = {item for item in items if self._leases.get(item, began) < began + _RENEW_SECONDS}
        for item in items:
            if item in kept and item in self._leases:
                self._leases[item] = began + LEASE_SECONDS
            elif item in lost and item in self._leases:
                log.error("%s %s is broken off: its lease is lost", *item)
                self._pending[item].cancel()


async def _take_back(db: Unit, owner: str = "", ours: Container[Item] = ()) -> None:
    """Count and postpone what died with its worker, be it `owner`. Which run killed it is not known: each counts, and
    the innocent ends well next time. What is `ours` runs on, although its lease is over: the machine slept."""
    dead = {item: attempts for item, attempts in (await queries.orphaned(db, owner)).items() if item not in ours}
    if dead:
        await queries.bury(db, owner, {item: backoff(attempts + 1) for item, attempts in dead.items()}, _DIED)

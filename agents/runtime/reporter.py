"""Tells the control plane what the host sees: changes at once and together, everything from time to time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import httpx

from agents.contract.container import ContainerReport
from agents.contract.exchange import Capacity, Observed, Report
from agents.contract.machine import MachineReport
from agents.runtime.client import Client, Unauthorized
from agents.runtime.ledger import Key

log = logging.getLogger(__name__)

_FULL_PERIOD = 30.0
_GATHER = 0.01
"""Seconds in which further changes join a report."""


class Reporter:
    """Holds the last report of every thing: machine or container.

    `expected` tells the things without which a report is not complete: the control plane takes one that is missing
    from a complete report for gone. `orphans` is called with those that a reply disowns.
    """

    def __init__(
        self,
        client: Client,
        expected: Callable[[], set[str]],
        orphans: Callable[[tuple[str, ...]], Awaitable[None]],
    ) -> None:
        self._client = client
        self._expected = expected
        self._orphans = orphans
        self._reports: dict[str, Report] = {}
        self._applied: dict[str, int] = {}
        self._gone: set[str] = set()
        self._changed: set[str] = set()
        self._changed_applied: set[str] = set()
        self._facts: dict[str, str] | None = None
        self._full = True
        self._woken = asyncio.Event()
        self.capacity: Capacity | None = None

    def seen(self, report: Report) -> None:
        """Note what is seen of a thing."""
        if self._reports.get(report.id) == report:
            return
        self._reports[report.id] = report
        if report.state == "absent":
            self._gone.add(report.id)
        else:
            self._gone.discard(report.id)
        self._changed.add(report.id)
        self._woken.set()

    def applied(self, key: Key, generation: int) -> None:
        """Note the generation that a thing on the host reflects."""
        if self._applied.get(str(key)) != generation:
            self._applied[str(key)] = generation
            self._changed_applied.add(str(key))
            self._woken.set()

    def facts(self, facts: dict[str, str]) -> None:
        """Note changed facts of the host."""
        self._facts = facts
        self._woken.set()

    def last(self, id: str) -> Report | None:
        """The last report of a thing."""
        return self._reports.get(id)

    def everything(self) -> None:
        """Send a complete report now: after a reconnection, or when the control plane may have lost track."""
        self._full = True
        self._woken.set()

    async def run(self) -> None:
        """Send reports until cancelled."""
        pause = 0.2
        while True:
            try:
                await asyncio.wait_for(self._woken.wait(), _FULL_PERIOD)
                await asyncio.sleep(_GATHER)
            except TimeoutError:
                self._full = True
            self._woken.clear()
            try:
                await self._send()
                pause = 0.2
            except (httpx.HTTPError, Unauthorized, ValueError, OSError) as error:
                log.info("report not taken: %s", error)
                self._full = True
                self._woken.set()
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5.0)

    async def _send(self) -> None:
        full = self._full and self._expected() <= self._reports.keys()
        self._full = self._full and not full
        ids = sorted(self._reports if full else self._changed)
        reports = {id: self._reports[id] for id in ids}
        applied = set(self._applied) if full else set(self._changed_applied)
        observed = Observed(
            complete=full,
            machines=tuple(report for report in reports.values() if isinstance(report, MachineReport)),
            containers=tuple(report for report in reports.values() if isinstance(report, ContainerReport)),
            applied={key: self._applied[key] for key in sorted(applied)},
            capacity=self.capacity if full else None,
            facts=self._facts,
        )
        noted = await self._client.observed(observed)
        self._changed -= {id for id, report in reports.items() if self._reports.get(id) is report}
        self._changed_applied -= {key for key in applied if self._applied.get(key) == observed.applied[key]}
        if self._facts is observed.facts:
            self._facts = None
        for id in self._gone & reports.keys():
            if self._reports[id] is reports[id]:
                del self._reports[id]
                self._gone.discard(id)
        if noted.orphans:
            await self._orphans(noted.orphans)

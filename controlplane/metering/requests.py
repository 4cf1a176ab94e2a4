"""Counts requests and the bytes that went out, in memory, and adds them to the ledger in batches."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from datetime import UTC, datetime

import asyncpg

from controlplane.core.errors import ServiceUnavailable
from controlplane.metering import ledger
from controlplane.state.database import Database

log = logging.getLogger("celaje.metering")

_PAUSE = 5.0
_MOST = 20_000
"""So many different accounts, services and regions are counted between two writings."""
_TROUBLE = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, ServiceUnavailable)

_Key = tuple[str, str, str]


class RequestCounts:
    """One a gateway process. What was counted since the last writing is lost with a process that is killed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counts: dict[_Key, list[float]] = {}
        self._unsure: list[tuple[str, list[ledger.Counted]]] = []
        self._task: asyncio.Task[None] | None = None

    def count(self, account_id: str, region: str, service: str, size: int) -> None:
        """Count one answered request of `size` bytes."""
        counts = self._counts.get((account_id, region, service))
        if counts is None:
            if len(self._counts) >= _MOST:
                return
            counts = self._counts[account_id, region, service] = [0.0, 0.0]
        counts[0] += 1
        counts[1] += size

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self.flush()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_PAUSE)
            await self.flush()

    async def flush(self) -> None:
        """Write what was counted. A batch keeps its name until it is known to be written: it is written once."""
        counts, self._counts = self._counts, {}
        period = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        rows = [
            (period, metric, account, region, quantity, {"service": service})
            for (account, region, service), quantities in counts.items()
            for metric, quantity in zip((f"requests:{service}", f"bytes-out:{service}"), quantities, strict=True)
        ]
        if rows:
            self._unsure.append((uuid.uuid4().hex, rows))
        while self._unsure:
            try:
                async with self._database.unit() as db:
                    await ledger.add_requests(db, *self._unsure[0])
            except _TROUBLE as error:
                log.warning("counted requests wait for the database: %r", error)
                del self._unsure[_MOST:]
                return
            del self._unsure[0]

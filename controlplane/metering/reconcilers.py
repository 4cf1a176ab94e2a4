"""Follows what is there, and writes the periods that are over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from controlplane.metering import ledger, spans
from controlplane.work.reconciler import Outcome, Run, reconciler

EVERY_SECONDS = 15.0
LATE = timedelta(seconds=60)
"""A transaction that was begun in a period has committed by then."""


@reconciler("metering.ledger", every=EVERY_SECONDS, standing=True)
async def keep_ledger(run: Run, _: str) -> Outcome:
    """One transaction a period: a worker that dies leaves a period unwritten, never half written or twice."""
    async with run.step() as db:
        await spans.follow_all(db)
        await ledger.forget_flushes(db)
        periods = await ledger.due(db, datetime.now(UTC) - LATE)
    for period in periods:
        async with run.step() as db:
            await ledger.record(db, period)
    return None

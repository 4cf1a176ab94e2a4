"""Frees what a closed account held."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from controlplane.access.accounts import CLOSING
from controlplane.state.erasure import erase
from controlplane.work.closing import CLOSERS, KEPT, import_all_closers
from controlplane.work.reconciler import Again, Outcome, Run, reconciler

LATE = timedelta(seconds=60)
"""A request that was let in before the account was closed has ended by then."""
_PAUSE = 1.0

_ACCOUNT = "SELECT closed_at FROM access_accounts WHERE id = $1 AND closed_at IS NOT NULL"
_FREED = "UPDATE access_accounts SET freed_at = coalesce(freed_at, now()), organization = NULL WHERE id = $1"


@reconciler(CLOSING)
async def free_closed_account(run: Run, key: str) -> Outcome:
    """Have every service free its part, then drop the rows. Looks once more when late requests must have ended."""
    import_all_closers()
    async with run.step() as db:
        closed_at = await db.fetchval(_ACCOUNT, key)
    if closed_at is None:
        return None
    waiting = [name for name, free in CLOSERS.items() if not await free(run, key)]
    if waiting:
        return Again(_PAUSE)
    async with run.step() as db:
        await erase(db, key, kept=KEPT)
        await db.execute(_FREED, key)
    late = (closed_at + LATE - datetime.now(UTC)).total_seconds()
    return Again(late) if late > 0 else None

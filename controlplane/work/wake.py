"""Asking for attention: `wake` is the one way to have a reconciler run."""

from __future__ import annotations

from controlplane.core.context import Unit
from controlplane.work import queries
from controlplane.work.hints import hints


async def wake(db: Unit, kind: str, key: str, delay: float = 0.0) -> None:
    """Have a reconciler run for a key once this transaction commits; `delay` in seconds.

    A key that is already waiting keeps the earlier of both times. One that runs now runs once more afterwards.
    """
    await queries.wake(db, kind, key, delay)
    if delay <= 0:
        db.after_commit(lambda: hints.send(kind, key))

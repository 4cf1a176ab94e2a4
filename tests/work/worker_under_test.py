"""A real Celery worker with one reconciler, which writes down that it ran: python -m tests.work.worker_under_test."""

from __future__ import annotations

import asyncio
import os
import signal

from controlplane import worker
from controlplane.work.reconciler import Outcome, Run, reconciler


@reconciler("test.slow")
async def slow(run: Run, key: str) -> Outcome:
    """Note the beginning, wait, note the end."""
    async with run.step() as db:
        await db.execute("INSERT INTO runs (key, what) VALUES ($1, 'begun')", key)
    await asyncio.sleep(0.5)
    async with run.step() as db:
        await db.execute("INSERT INTO runs (key, what) VALUES ($1, 'ended')", key)
    return None


@reconciler("test.deadly")
async def deadly(run: Run, key: str) -> Outcome:
    """Note the beginning, and take the worker along, as the kernel does when memory runs out."""
    async with run.step() as db:
        await db.execute("INSERT INTO runs (key, what) VALUES ($1, 'deadly')", key)
    os.kill(os.getpid(), signal.SIGKILL)
    return None


if __name__ == "__main__":
    worker.main()

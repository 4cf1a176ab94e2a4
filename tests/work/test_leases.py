"""Leases: what a worker runs is its own while it lives, and is taken back when it died."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from controlplane.state.database import Database
from controlplane.work import queries, runner
from controlplane.work.reconciler import Again, Outcome, Run
from controlplane.work.runner import Runner
from tests.work.test_runner import rows, running, until, wake_now


async def test_the_same_worker_takes_back_what_it_died_with(database: Database) -> None:
    await wake_now(database, "a")
    async with database.unit() as db:
        assert await queries.claim(db, ("test", "a"), "one") == 0
    seen: list[str] = []

    async def reconcile(run: Run, key: str) -> Outcome:
        seen.append(key)
        return None

    async with running(database, reconcile, owner="one"):
        await until(lambda: seen, 2)


async def test_another_worker_takes_over_when_the_lease_is_over(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "LEASE_SECONDS", 1.0)
    await wake_now(database, "a")
    async with database.unit() as db:
        await queries.claim(db, ("test", "a"), "dead")
    seen: list[str] = []

    async def reconcile(run: Run, key: str) -> Outcome:
        seen.append(key)
        return None

    async with running(database, reconcile, owner="one"):
        await asyncio.sleep(0.5)
        assert seen == []
        await until(lambda: seen, 5)


@pytest.mark.parametrize("restarted", [True, False])
async def test_what_dies_with_its_worker_rests_longer_each_time_and_then_ends_well(
    database: Database, restarted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the worker comes back or another finds the lease over; a wake does not shorten the rest."""
    monkeypatch.setattr(queries, "LEASE_SECONDS", 60.0 if restarted else 0.0)
    pauses = []
    await wake_now(database, "a")
    for died in range(4):
        await database.alone("UPDATE work_items SET due_at = now(), not_before = NULL")
        async with database.unit() as db:
            assert await queries.claim(db, ("test", "a"), "one") == died
        again = Runner(database, {}, owner="one" if restarted else "two", concurrency=1)
        await (again.start() if restarted else again.sweep())
        await wake_now(database, "a")
        (row,) = await database.fetch("SELECT *, extract(epoch FROM due_at - now()) AS pause FROM work_items")
        assert (row["attempts"], row["lease_owner"]) == (died + 1, None)
        assert "died" in row["last_error"]
        async with database.unit() as db:
            assert await queries.claim(db, ("test", "a"), "two") is None
        pauses.append(float(row["pause"]))
        if restarted:
            await again.stop()
    assert pauses[0] <= 0.6
    assert all(later > 1.2 * earlier for earlier, later in itertools.pairwise(pauses))

    async def reconcile(run: Run, key: str) -> Outcome:
        return Again(60)

    await database.alone("UPDATE work_items SET due_at = now(), not_before = now()")
    async with running(database, reconcile):

        async def well() -> bool:
            return all(row["attempts"] == 0 for row in await rows(database))

        await until(well)
    (row,) = await rows(database)
    assert (row["not_before"], row["last_error"]) == (None, None)


async def test_a_worker_takes_nothing_back_that_it_runs_itself(database: Database) -> None:
    """As after a machine slept: its leases are over, and its runs go on."""
    inside, done = asyncio.Event(), asyncio.Event()

    async def reconcile(run: Run, key: str) -> Outcome:
        inside.set()
        await done.wait()
        return Again(60)

    async with running(database, reconcile) as runner:
        await wake_now(database, "a")
        await inside.wait()
        await database.alone("UPDATE work_items SET lease_until = now() - interval '1 minute'")
        await runner.sweep()
        (row,) = await rows(database)
        assert (row["attempts"], row["last_error"]) == (0, None)
        assert row["lease_owner"] is not None
        done.set()


async def test_a_worker_that_stops_punishes_no_run(database: Database) -> None:
    inside = asyncio.Event()

    async def reconcile(run: Run, key: str) -> Outcome:
        inside.set()
        await asyncio.sleep(30)
        return None

    async with running(database, reconcile):
        await wake_now(database, "a")
        await inside.wait()
    (row,) = await database.fetch("SELECT *, due_at <= now() AS due FROM work_items")
    assert (row["attempts"], row["not_before"], row["due"]) == (0, None, True)


async def test_a_long_run_keeps_its_lease(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "LEASE_SECONDS", 1.0)
    monkeypatch.setattr(runner, "LEASE_SECONDS", 1.0)
    monkeypatch.setattr(runner, "_RENEW_SECONDS", 0.2)
    runs = 0

    async def reconcile(run: Run, key: str) -> Outcome:
        nonlocal runs
        runs += 1
        await asyncio.sleep(2.5)
        return None

    async with running(database, reconcile, owner="one"), running(database, reconcile, owner="two"):
        await wake_now(database, "a")
        await asyncio.sleep(3.2)
    assert runs == 1


async def test_a_run_that_lost_its_lease_is_broken_off(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_RENEW_SECONDS", 0.1)
    broken_off = asyncio.Event()
    inside = asyncio.Event()

    async def reconcile(run: Run, key: str) -> Outcome:
        inside.set()
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            broken_off.set()
            raise
        return None

    async with running(database, reconcile, owner="one"):
        await wake_now(database, "a")
        await inside.wait()
        async with database.unit() as db:
            await db.execute("UPDATE work_items SET lease_owner = 'two'")
        async with asyncio.timeout(5):
            await broken_off.wait()

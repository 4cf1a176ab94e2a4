"""The work table and the runner: nothing that was woken is forgotten, and no key runs twice at a time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from controlplane.core.errors import EngineUnavailable
from controlplane.state.database import Database
from controlplane.work import runner
from controlplane.work.reconciler import GONE, STANDING, Again, Outcome, Reconciler, Run
from controlplane.work.runner import Runner
from controlplane.work.wake import wake

Function = Callable[[Run, str], Any]


@asynccontextmanager
async def running(
    database: Database, function: Function, *, owner: str = "one", every: float | None = None, standing: bool = False
) -> AsyncIterator[Runner]:
    """A runner with one reconciler of kind `test`, swept ten times a second."""
    kinds = {"test": Reconciler("test", function, every, standing)}
    made = Runner(database, kinds, owner=owner, concurrency=16)
    await made.start()

    async def sweeping() -> None:
        while True:
            await made.sweep()
            await asyncio.sleep(0.1)

    sweeper = asyncio.create_task(sweeping())
    try:
        yield made
    finally:
        sweeper.cancel()
        await asyncio.gather(sweeper, return_exceptions=True)
        await made.stop()


async def until(condition: Callable[[], Any], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while True:
            answer = condition()
            if asyncio.iscoroutine(answer):
                answer = await answer
            if answer:
                return
            await asyncio.sleep(0.02)


async def wake_now(database: Database, *keys: str, delay: float = 0) -> None:
    async with database.unit() as db:
        for key in keys:
            await wake(db, "test", key, delay)


async def rows(database: Database) -> list[Any]:
    return await database.fetch("SELECT * FROM work_items")


async def test_a_woken_key_runs_once_and_is_forgotten(database: Database) -> None:
    seen: list[str] = []

    async def reconcile(run: Run, key: str) -> Outcome:
        seen.append(key)
        return None

    async with running(database, reconcile):
        await wake_now(database, "a")
        await until(lambda: seen)
        await asyncio.sleep(0.3)
    assert seen == ["a"]
    assert await rows(database) == []


async def test_a_wake_that_is_rolled_back_never_was(database: Database) -> None:
    with pytest.raises(RuntimeError):
        async with database.unit() as db:
            await wake(db, "test", "a")
            raise RuntimeError
    assert await rows(database) == []


async def test_a_wake_during_a_run_runs_it_again(database: Database) -> None:
    runs = 0
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def reconcile(run: Run, key: str) -> Outcome:
        nonlocal runs
        runs += 1
        inside.set()
        await go_on.wait()
        return None

    async with running(database, reconcile):
        await wake_now(database, "a")
        await inside.wait()
        for _ in range(5):
            await wake_now(database, "a")
        go_on.set()
        await until(lambda: runs == 2)
        await asyncio.sleep(0.3)
    assert runs == 2
    assert await rows(database) == []


async def test_a_wake_that_commits_while_the_run_ends_is_not_lost(database: Database) -> None:
    """The waking transaction holds the row while the runner wants to delete it."""
    runs = 0
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def reconcile(run: Run, key: str) -> Outcome:
        nonlocal runs
        runs += 1
        inside.set()
        await go_on.wait()
        return None

    async with running(database, reconcile):
        await wake_now(database, "a")
        await inside.wait()
        async with database.unit() as db:
            await wake(db, "test", "a")
            go_on.set()
            await asyncio.sleep(0.3)
            assert runs == 1
        await until(lambda: runs == 2)
    assert await rows(database) == []


async def test_one_run_a_key_at_a_time_in_a_storm_of_wakes_with_two_workers(database: Database) -> None:
    now: Counter[str] = Counter()
    most, total = 0, 0

    async def reconcile(run: Run, key: str) -> Outcome:
        nonlocal most, total
        now[key] += 1
        total += 1
        most = max(most, now[key])
        await asyncio.sleep(0.005)
        now[key] -= 1
        return None

    async with running(database, reconcile, owner="one") as one, running(database, reconcile, owner="two") as two:

        async def storm() -> None:
            for _ in range(40):
                await wake_now(database, "a", "b", "c")
                for worker in (one, two):
                    for key in "abc":
                        worker.submit("test", key)

        await asyncio.gather(*(storm() for _ in range(5)))

        async def rested() -> bool:
            return not await rows(database)

        await until(rested)
    assert most == 1
    assert 3 <= total <= 600


async def test_a_thousand_keys(database: Database) -> None:
    seen: Counter[str] = Counter()

    async def reconcile(run: Run, key: str) -> Outcome:
        async with run.step() as db:
            await db.fetchval("SELECT 1")
        seen[key] += 1
        return None

    async with running(database, reconcile):
        await wake_now(database, *(f"key-{number}" for number in range(1000)))
        await until(lambda: len(seen) == 1000, 30)
    assert set(seen.values()) == {1}
    assert await rows(database) == []


async def test_failures_are_counted_shown_and_tried_again(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "FIRST_BACKOFF", 0.05)
    runs = 0
    failed = asyncio.Event()

    async def reconcile(run: Run, key: str) -> Outcome:
        nonlocal runs
        runs += 1
        if runs < 4:
            raise EngineUnavailable("libvirt does not answer")
        failed.set()
        return Again(60)

    async with running(database, reconcile):
        await wake_now(database, "a")

        async def twice() -> bool:
            return any(row["attempts"] == 2 for row in await rows(database))

        await until(twice)
        assert (await rows(database))[0]["last_error"] == "EngineUnavailable: libvirt does not answer"
        await failed.wait()

        async def released() -> bool:
            return all(row["lease_owner"] is None for row in await rows(database))

        await until(released)
    (row,) = await rows(database)
    assert (row["attempts"], row["last_error"]) == (0, None)


async def test_backoff_grows_and_is_capped() -> None:
    assert runner.backoff(1) < runner.backoff(3) < runner.backoff(6)
    assert runner.backoff(1000) <= runner.LAST_BACKOFF * 1.2


async def test_again_period_and_gone(database: Database) -> None:
    answers: dict[str, list[Outcome]] = {"again": [Again(0.1), GONE], "period": [None, None, GONE], "gone": [GONE]}
    left = {key: list(value) for key, value in answers.items()}

    async def reconcile(run: Run, key: str) -> Outcome:
        return left[key].pop(0)

    async with running(database, reconcile, every=0.1):
        await wake_now(database, *answers)

        async def rested() -> bool:
            return not await rows(database)

        await until(rested)
    assert left == {key: [] for key in answers}


async def test_a_standing_reconciler_needs_no_wake(database: Database) -> None:
    seen: list[str] = []

    async def reconcile(run: Run, key: str) -> Outcome:
        seen.append(key)
        return None

    async with running(database, reconcile, every=0.1, standing=True):
        await until(lambda: len(seen) >= 3)
    assert set(seen) == {STANDING}


async def test_the_earlier_of_two_wakes_counts(database: Database) -> None:
    seen: list[str] = []

    async def reconcile(run: Run, key: str) -> Outcome:
        seen.append(key)
        return None

    await wake_now(database, "a", delay=60)
    await wake_now(database, "b", delay=60)
    await wake_now(database, "a", delay=0.2)
    await wake_now(database, "a", delay=90)
    async with running(database, reconcile):
        await asyncio.sleep(0.05)
        assert seen == []
        await until(lambda: seen)
        await asyncio.sleep(0.2)
    assert seen == ["a"]

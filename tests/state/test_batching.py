"""Group commit."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import asyncpg
import pytest

from controlplane.state.batching import Batcher


async def test_a_crowd_shares_batches_and_each_gets_its_own_outcome() -> None:
    sizes = []

    async def run(items: Sequence[int]) -> list[int]:
        sizes.append(len(items))
        await asyncio.sleep(0.01)
        return [item * 2 for item in items]

    batcher = Batcher(run, most=40, abreast=2)
    assert await asyncio.gather(*(batcher.submit(n) for n in range(100))) == [n * 2 for n in range(100)]
    assert max(sizes) <= 40 and len(sizes) <= 5
    assert await batcher.submit(7) == 14


async def test_errors_reach_those_whom_they_concern() -> None:
    async def run(items: Sequence[str]) -> list[str | Exception]:
        if "all" in items:
            raise OSError("away")
        if "worst" in items:
            raise IndexError(items)
        return [ValueError(item) if item == "bad" else item for item in items]

    batcher = Batcher(run)
    good, bad = await asyncio.gather(batcher.submit("good"), batcher.submit("bad"), return_exceptions=True)
    assert good == "good" and isinstance(bad, ValueError)
    submitted = (batcher.submit(name) for name in ("good", "worst", "bad", "fine"))
    good, worst, bad, fine = await asyncio.gather(*submitted, return_exceptions=True)
    assert (good, fine) == ("good", "fine"), "nobody fails for another's item"
    assert isinstance(worst, IndexError) and isinstance(bad, ValueError)
    with pytest.raises(OSError):
        await batcher.submit("all")
    assert await batcher.submit("again") == "again"


@pytest.mark.parametrize(
    "lost", [asyncpg.ConnectionDoesNotExistError(), asyncpg.AdminShutdownError(), asyncpg.InterfaceError("closed")]
)
async def test_nothing_runs_twice_when_the_connection_is_lost(lost: Exception) -> None:
    ran: list[str] = []

    async def run(items: Sequence[str]) -> list[str]:
        ran.extend(items)
        raise lost

    batcher = Batcher(run)
    submitted = (batcher.submit(name) for name in ("one", "other"))
    assert await asyncio.gather(*submitted, return_exceptions=True) == [lost, lost]
    assert ran == ["one", "other"], "the batch may have been committed"


async def test_what_was_submitted_is_done_though_its_caller_left() -> None:
    done = []

    async def run(items: Sequence[int]) -> Sequence[int]:
        await asyncio.sleep(0.02)
        done.extend(items)
        return items

    batcher = Batcher(run)
    task = asyncio.create_task(batcher.submit(1))
    await asyncio.sleep(0.005)
    task.cancel()
    await batcher.submit(2)
    assert sorted(done) == [1, 2]


async def test_a_patient_batch_waits_for_the_crowd_of_the_last_one() -> None:
    sizes = []

    async def run(items: Sequence[int]) -> Sequence[int]:
        sizes.append(len(items))
        await asyncio.sleep(0.005)
        return items

    async def caller(pause: float) -> None:
        for n in range(5):
            await batcher.submit(n)
            await asyncio.sleep(pause)

    batcher = Batcher(run, abreast=1, patience=1.0)
    began = asyncio.get_running_loop().time()
    await asyncio.gather(*(caller(n / 1000) for n in range(8)))
    assert sizes[0] == 8 and len(sizes) <= 10, "who comes again a little later is waited for"
    assert asyncio.get_running_loop().time() - began < 3, "and no longer than until enough have come"

"""Worker, beat and Valkey as real processes, killed while they work."""

from __future__ import annotations

import asyncio
import datetime
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from controlplane.settings import Settings, child_environment
from controlplane.state.database import Database
from controlplane.state.embedded import Valkey
from controlplane.supervise.notify import Listener
from controlplane.work import hints
from controlplane.work.broker import make_celery, publisher
from controlplane.work.wake import wake


class Processes:
    """Starts processes that end with the test."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *command: str) -> None:
        log = (self.settings.home / f"{name}.log").open("ab")
        self._running[name] = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *command],
            env=child_environment(**self.settings.environment()),
            stdout=log,
            stderr=log,
        )

    def valkey(self) -> None:
        valkey = Valkey(self.settings.home)
        valkey.prepare()
        self.start("valkey", *valkey.command())

    def worker(self) -> None:
        self.start("worker", sys.executable, "-m", "tests.work.worker_under_test", "worker")

    def beat(self) -> None:
        self.start("beat", sys.executable, "-m", "controlplane.worker", "beat")

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        process = self._running.pop(name)
        process.send_signal(number)
        process.wait(15)

    def reap(self, name: str) -> None:
        """Wait for one that dies by itself."""
        self._running.pop(name).wait(15)

    def end(self) -> None:
        for name in list(self._running):
            self.kill(name)


@pytest.fixture
def processes(database_url: str) -> Iterator[Processes]:
    with tempfile.TemporaryDirectory(prefix="celaje-work-") as folder:
        (Path(folder) / "run").mkdir()
        made = Processes(Settings(home=Path(folder), database_url=database_url, host_name="tested"))
        made.valkey()
        made.beat()
        made.worker()
        yield made
        made.end()


@pytest.fixture
async def runs(database: Database) -> AsyncIterator[Callable[[str], Any]]:
    """How often each key's run was begun or ended."""
    async with database.unit() as db:
        await db.execute("CREATE TABLE runs (key text, what text, at timestamptz DEFAULT clock_timestamp())")

    async def count(what: str) -> int:
        return int((await database.fetch("SELECT count(*) FROM runs WHERE what = $1", what))[0]["count"])

    yield count


async def wait_for(count: Callable[[str], Any], what: str, wanted: int, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while await count(what) < wanted:
        assert time.monotonic() < deadline, f"{await count(what)} of {wanted} {what}"
        await asyncio.sleep(0.05)


async def wake_keys(database: Database, *keys: str) -> None:
    async with database.unit() as db:
        for key in keys:
            await wake(db, "test.slow", key)


async def test_work_goes_on_at_once_after_a_killed_worker(
    processes: Processes, database: Database, runs: Callable[[str], Any]
) -> None:
    await wake_keys(database, "a", "b", "c")
    await wait_for(runs, "begun", 3)
    processes.kill("worker")
    assert await runs("ended") == 0
    processes.worker()
    await wait_for(runs, "ended", 3, 5)
    # The standing items of services are always there.
    assert await database.fetch("SELECT * FROM work_items WHERE key <> '*'") == []


async def test_work_that_kills_its_worker_is_tried_less_and_less_and_others_go_on(
    processes: Processes, database: Database, runs: Callable[[str], Any]
) -> None:
    async with database.unit() as db:
        await wake(db, "test.deadly", "deadly")
    for died in range(1, 4):
        await wait_for(runs, "deadly", died)
        processes.reap("worker")
        processes.worker()
        await wake_keys(database, f"other-{died}")
        await wait_for(runs, "ended", died)
    tries = [row["at"] for row in await database.fetch("SELECT at FROM runs WHERE what = 'deadly' ORDER BY at")]
    (row,) = await database.fetch("SELECT attempts, not_before FROM work_items WHERE key = 'deadly'")
    # The third death rests two seconds after the restart, more or less. It may be over by now, and the fourth counted.
    assert row["attempts"] >= 3
    assert row["not_before"] > tries[2] + datetime.timedelta(seconds=1.5)


async def test_nothing_is_lost_with_valkeys_data(
    processes: Processes, database: Database, runs: Callable[[str], Any]
) -> None:
    await wake_keys(database, "before")
    await wait_for(runs, "ended", 1)
    processes.kill("valkey")
    await wake_keys(database, *(f"key-{number}" for number in range(20)))
    processes.valkey()
    await wait_for(runs, "ended", 21, 15)


async def test_a_stopped_worker_gives_its_leases_back(
    processes: Processes, database: Database, runs: Callable[[str], Any]
) -> None:
    await wake_keys(database, "a")
    await wait_for(runs, "begun", 1)
    processes.kill("worker", signal.SIGTERM)
    rows = await database.fetch("SELECT lease_owner FROM work_items WHERE key <> '*'")
    assert [row["lease_owner"] for row in rows] in ([None], [])


async def test_hints_arrive_within_milliseconds_and_a_dead_broker_delays_nobody(
    processes: Processes, database: Database, runs: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = hints.Hints()
    sender.start(publisher(make_celery(processes.settings.broker)))
    monkeypatch.setattr("controlplane.work.wake.hints", sender)
    await wake_keys(database, "warm")
    await wait_for(runs, "ended", 1)
    processes.kill("beat")
    began = time.monotonic()
    await wake_keys(database, "hinted")
    await wait_for(runs, "begun", 2, 2)
    assert time.monotonic() - began < 0.5
    processes.kill("valkey")
    began = time.monotonic()
    for number in range(50):
        await wake_keys(database, f"dead-{number}")
    assert time.monotonic() - began < 2


async def test_a_worker_says_that_it_lives(database_url: str) -> None:
    heard: list[str] = []
    with tempfile.TemporaryDirectory(prefix="celaje-work-") as folder:
        settings = Settings(home=Path(folder), database_url=database_url, broker_url="redis://127.0.0.1:1/0")
        listener = Listener(Path(folder) / "notify", heard.append)
        from controlplane.state.embedded import Owner

        await listener.open(Owner.current())
        environment = child_environment(**settings.environment(), NOTIFY_SOCKET=str(listener.path))
        process = subprocess.Popen([sys.executable, "-m", "controlplane.worker", "worker"], env=environment)
        try:
            async with asyncio.timeout(15):
                while "WATCHDOG=1" not in heard:
                    await asyncio.sleep(0.05)
            os.kill(process.pid, 0)
        finally:
            process.kill()
            process.wait()
            listener.close()
    assert heard[0] == "READY=1"

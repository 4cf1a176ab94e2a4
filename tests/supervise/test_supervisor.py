"""The supervisor with small processes: order, restarts, hangs, leftovers."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from controlplane.settings import Settings
from controlplane.supervise import leftovers
from controlplane.supervise.logfiles import LogFile
from controlplane.supervise.spec import Spec
from controlplane.supervise.supervisor import Supervisor

READY = "import os,socket,time;s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM);p=os.environ['NOTIFY_SOCKET'];"
SERVE = READY + "s.sendto(b'READY=1',p);print('served',flush=True);time.sleep(60)"
HANG = READY + "s.sendto(b'READY=1',p);s.sendto(b'WATCHDOG=1',p);time.sleep(60)"
STUBBORN = "import signal;signal.signal(signal.SIGTERM,signal.SIG_IGN);" + SERVE


def spec(name: str, code: str, **options: object) -> Spec:
    return Spec(name, (sys.executable, "-c", code), **options)  # type: ignore[arg-type]


@asynccontextmanager
async def supervised(home: Path, *stages: tuple[Spec, ...], hang_seconds: float = 15) -> AsyncIterator[Supervisor]:
    for folder in ("logs", "notify"):
        (home / folder).mkdir(exist_ok=True)
    supervisor = Supervisor(Settings(home=home, hang_seconds=hang_seconds), list(stages))
    running = asyncio.create_task(supervisor.run())
    try:
        yield supervisor
    finally:
        supervisor.stopping.set()
        await running


async def until(condition: Callable[[], object], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


def pid(supervisor: Supervisor, index: int = 0) -> int:
    number = supervisor.processes[index].status.pid
    assert number is not None
    return number


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("h")


async def test_stages_start_in_order_and_stop_in_reverse(home: Path) -> None:
    order: list[tuple[str, str]] = []
    stages = ((spec("first", SERVE),), (spec("once", "pass", once=True),), (spec("last", SERVE),))
    async with supervised(home, *stages) as supervisor:
        supervisor.subscribe(
            lambda: order.extend(
                (p.spec.name, p.status.state)
                for p in supervisor.processes
                if (p.spec.name, p.status.state) not in order and p.status.state in ("ready", "done", "stopped")
            )
        )
        await until(lambda: supervisor.ready)
        pids = [pid(supervisor, 0), pid(supervisor, 2)]
    assert order == [
        *(("first", "ready"), ("once", "done"), ("last", "ready")),
        *(("last", "stopped"), ("once", "stopped"), ("first", "stopped")),
    ]
    assert [leftovers.started(number) for number in pids] == [None, None]
    assert (home / "logs" / "last.log").read_text() == "served\n"


async def test_what_is_killed_is_back_at_once(home: Path) -> None:
    async with supervised(home, (spec("one", SERVE),)) as supervisor:
        await until(lambda: supervisor.ready)
        first = pid(supervisor)
        began = time.monotonic()
        os.kill(first, signal.SIGKILL)
        await until(lambda: supervisor.ready and pid(supervisor) != first)
        assert time.monotonic() - began < 1
        assert supervisor.processes[0].status.restarts == 1


async def test_what_cannot_start_says_why_and_is_tried_again_ever_more_slowly(home: Path) -> None:
    async with supervised(
        home, (spec("broken", "raise SystemExit('no disk')"),), (spec("never", SERVE),)
    ) as supervisor:
        await until(lambda: supervisor.processes[0].status.restarts == 3)
        assert supervisor.processes[0].status.reason == "exited with status 1: no disk"
        assert supervisor.processes[1].status.state == "waiting"
        assert not supervisor.ready
    async with supervised(home, (Spec("absent", ("/nonexistent",)),)) as supervisor:
        await until(lambda: supervisor.processes[0].status.restarts == 1)
        assert "No such file" in supervisor.processes[0].status.reason


async def test_what_is_wanted_runs_and_ends_with_the_want(home: Path) -> None:
    wanted = home / "wanted"
    async with supervised(home, (spec("one", SERVE, wanted=wanted),)) as supervisor:
        await until(lambda: supervisor.ready)
        for _ in range(2):
            assert supervisor.processes[0].status.state == "done"
            wanted.touch()
            await until(lambda: supervisor.processes[0].status.state == "ready")
            number = pid(supervisor)
            wanted.unlink()
            await until(lambda: supervisor.processes[0].status.state == "done")
            assert leftovers.started(number) is None


async def test_what_hangs_is_killed(home: Path) -> None:
    async with supervised(home, (spec("hung", HANG),), hang_seconds=2) as supervisor:
        await until(lambda: supervisor.ready)
        first = pid(supervisor)
        await until(lambda: supervisor.ready and pid(supervisor) != first, 15)
        assert leftovers.started(first) is None


async def test_what_does_not_stop_is_killed(home: Path) -> None:
    async with supervised(home, (spec("stubborn", STUBBORN, stop_seconds=0.3),)) as supervisor:
        await until(lambda: supervisor.ready)
        number = pid(supervisor)
    assert leftovers.started(number) is None


async def test_leftovers_are_ended_and_strangers_with_a_used_number_are_not(home: Path) -> None:
    left = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time;time.sleep(60)")
    stranger = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time;time.sleep(60)")
    try:
        started = leftovers.started(left.pid)
        assert started is not None
        noted = home / "processes.json"
        marks = [
            leftovers.Mark("left", left.pid, started, signal.SIGTERM),
            leftovers.Mark("stranger", stranger.pid, started - 12345, signal.SIGTERM),
        ]
        leftovers.write(noted, marks)
        assert await asyncio.to_thread(leftovers.end, noted) == 1
        assert await left.wait() == -signal.SIGTERM
        assert stranger.returncode is None
        assert not noted.exists()
    finally:
        stranger.kill()
        await stranger.wait()


def test_logs_are_rotated_under_a_running_writer(home: Path) -> None:
    log = LogFile(home, "one", limit=100)
    with log.open() as writer:
        for round_ in range(5):
            writer.write(b"x" * 100 + b"%d\n" % round_)
            writer.flush()
            log.rotate_when_full()
        writer.write(b"last\n")
    assert log.path.read_text() == "last\n"
    assert sorted(path.name for path in home.iterdir()) == ["one.log", "one.log.1", "one.log.2", "one.log.3"]
    assert (home / "one.log.1").read_text().endswith("4\n")
    assert log.tail(1) == ["last"]

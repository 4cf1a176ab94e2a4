"""Bells between processes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import time
from pathlib import Path

from controlplane.state.bells import Bells

WAITER = """
import asyncio, sys, time
from pathlib import Path
from controlplane.state.bells import Bells

async def main():
    bells = Bells.open(Path(sys.argv[1]))
    with bells.listening("queue") as event:
        print("waits", flush=True)
        await asyncio.wait_for(event.wait(), 20)
        print(repr(time.monotonic()), flush=True)
    bells.close()

asyncio.run(main())
"""


def waiter(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(WAITER), str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "waits\n"
    return process


async def test_a_ring_wakes_waiters_of_other_processes(tmp_path: Path) -> None:
    bells = Bells.open(tmp_path)
    others = [waiter(tmp_path) for _ in range(2)]
    bells.ring("another name")
    await asyncio.sleep(0.05)
    assert all(process.poll() is None for process in others), "woken by a name that nobody waits for"
    rung = time.monotonic()
    bells.ring("queue")
    for process in others:
        out, _ = await asyncio.to_thread(process.communicate, timeout=20)
        assert float(out) - rung < 1.0
    bells.close()


async def test_a_ring_wakes_waiters_of_this_process_and_is_kept_until_it_is_cleared(tmp_path: Path) -> None:
    bells = Bells.open(tmp_path)
    with bells.listening("queue") as event:
        bells.ring("queue")
        await asyncio.wait_for(event.wait(), 1)
        event.clear()
        assert not event.is_set()
        bells.ring("queue")
        bells.ring("queue")
        await asyncio.wait_for(event.wait(), 1)
    bells.ring("queue")
    bells.close()


async def test_a_process_that_was_killed_while_it_waited_does_no_harm(tmp_path: Path) -> None:
    dead = waiter(tmp_path)
    dead.kill()
    dead.wait()
    bells = Bells.open(tmp_path)
    other = waiter(tmp_path)
    bells.ring("queue")
    out, _ = await asyncio.to_thread(other.communicate, timeout=20)
    assert out
    bells.close()


async def test_no_ring_is_lost_in_a_crowd(tmp_path: Path) -> None:
    """More rings than a socket's buffer holds, for many names."""
    one, other = Bells.open(tmp_path), Bells.open(tmp_path)
    names = [f"queue-{n}" for n in range(300)]
    seen: set[str] = set()

    async def wait(name: str) -> None:
        with other.listening(name) as event:
            await asyncio.wait_for(event.wait(), 10)
            seen.add(name)

    tasks = [asyncio.create_task(wait(name)) for name in names]
    await asyncio.sleep(0)
    for name in names:
        one.ring(name)
    await asyncio.gather(*tasks)
    assert seen == set(names)
    one.close()
    other.close()

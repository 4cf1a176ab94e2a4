"""How a process lives until it is told to end."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from controlplane.settings import child_environment

PROGRAM = """
import asyncio
import sys
from controlplane.supervise.notify import live

async def beside():
    try:
        print("begun", flush=True)
        await asyncio.sleep(60 if sys.argv[1] == "well" else 0)
        raise RuntimeError
    finally:
        print("ended", flush=True)

async def serve():
    await live(beside())
    print("closing", flush=True)

asyncio.run(serve())
"""


def started(how: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, how]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=child_environment(), stdout=pipe, stderr=pipe, text=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_lives_until_a_signal_and_then_ends_in_order(number: signal.Signals) -> None:
    with started("well") as process:
        assert process.stdout is not None and process.stdout.readline() == "begun\n"
        process.send_signal(number)
        told, _ = process.communicate(timeout=10)
    assert (process.returncode, told) == (0, "ended\nclosing\n")


def test_a_process_ends_when_its_work_fails() -> None:
    with started("badly") as process:
        told, error = process.communicate(timeout=10)
    assert process.returncode == 1 and told == "begun\nended\n" and "RuntimeError" in error

"""What a test run left behind that was killed before it could tidy up: its clouds, machines and networks."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

from tests.cloud import Cloud

PREFIX = "celaje-test-"
_MARK = ".alive"
_PATIENCE = 10.0
_AGENTS = (b"agents.runtime", b"agents.container")


def hold(folder: Path) -> IO[str]:
    """Mark a run's folder as in use, for as long as this process lives and the answer is kept."""
    mark = (folder / _MARK).open("w")
    fcntl.flock(mark, fcntl.LOCK_EX)
    return mark


def sweep() -> None:
    """Remove what runs have made of which no process lives: whose folder nobody holds."""
    for mark in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{_MARK}"):
        with contextlib.suppress(OSError), mark.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(mark.parent)


def _remove(folder: Path) -> None:
    for home in folder.iterdir():
        if (home / "control.sock").exists():
            Cloud(home, agent=False).stop()
    for pid in _agents(folder):
        _end(pid)
    for identity in folder.rglob("identity.json"):
        module = "agents.container.down" if (identity.parent / "made").exists() else "agents.runtime.down"
        command = [sys.executable, "-m", module, "--home", str(identity.parent), "--grace", "0"]
        subprocess.run(command, cwd=Path(__file__).parents[1], check=False, timeout=120)
    shutil.rmtree(folder, ignore_errors=True)


def _agents(folder: Path) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            if any(word in _AGENTS for word in words) and any(word.startswith(bytes(folder) + b"/") for word in words):
                found.append(int(process.name))
    return found


def _end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            os.kill(pid, 0)
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)

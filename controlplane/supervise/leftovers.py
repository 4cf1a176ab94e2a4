"""What a killed supervisor left running.

The supervisor notes each process by number and start time (numbers are used again, the pair is not), so that the next
one can end exactly those before it starts its own. Machines are nobody's child here: they stay.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

_STOP_SECONDS = 8.0


@dataclass(frozen=True, slots=True)
class Mark:
    """One running process: its number, when it started (in clock ticks since boot) and how it wants to be stopped."""

    name: str
    pid: int
    started: int
    stop_signal: int


def started(pid: int) -> int | None:
    """Start time of a process in clock ticks since boot; None when there is no such process (or it is a zombie)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])


def write(path: Path, marks: list[Mark]) -> None:
    """Note the running processes, in the order in which they were started."""
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps([[mark.name, mark.pid, mark.started, mark.stop_signal] for mark in marks]))
    temporary.rename(path)


def read(path: Path) -> list[Mark]:
    """The noted processes that still run."""
    try:
        rows = json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return []
    return [mark for mark in (Mark(*row) for row in rows) if _alive(mark)]


def end(path: Path) -> int:
    """Stop what is noted and still runs, last started first. Returns how many there were."""
    marks = read(path)
    for mark in reversed(marks):
        log.warning("ending %s (process %d), left by a killed supervisor", mark.name, mark.pid)
        _send(mark, mark.stop_signal)
        deadline = time.monotonic() + _STOP_SECONDS
        while _alive(mark):
            if time.monotonic() > deadline:
                _send(mark, signal.SIGKILL)
            time.sleep(0.02)
    path.unlink(missing_ok=True)
    return len(marks)


def _alive(mark: Mark) -> bool:
    return started(mark.pid) == mark.started


def _send(mark: Mark, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(mark.pid, number)

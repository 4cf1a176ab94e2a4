"""Log files, one a process.

Processes append to the file itself, not to a pipe of ours, so that they outlive a killed supervisor. Rotation therefore
copies and truncates; appending makes that safe.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

KEPT = 3


class LogFile:
    """`NAME.log`, and `NAME.log.1` (newest) to `NAME.log.3`."""

    def __init__(self, folder: Path, name: str, limit: int) -> None:
        self.path = folder / f"{name}.log"
        self._limit = limit

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """The file, for appending."""
        with self.path.open("ab") as file:
            self.path.chmod(0o600)
            yield file

    def rotate_when_full(self) -> None:
        """Move the lines to `.1` once the file is larger than its limit."""
        if not self.path.exists() or self.path.stat().st_size <= self._limit:
            return
        for number in range(KEPT - 1, 0, -1):
            older = self.path.with_name(f"{self.path.name}.{number}")
            if older.exists():
                older.rename(self.path.with_name(f"{self.path.name}.{number + 1}"))
        shutil.copyfile(self.path, self.path.with_name(f"{self.path.name}.1"))
        with self.path.open("r+b") as file:
            file.truncate()

    def tail(self, lines: int) -> list[str]:
        """The last lines; empty when there is no file yet."""
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - lines * 2000))
            return file.read().decode(errors="replace").splitlines()[-lines:]

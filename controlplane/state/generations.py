"""Which tables were written lately, told to all processes of this machine through a few bytes of shared memory."""

from __future__ import annotations

import mmap
import os
import random
import zlib
from collections.abc import Iterable
from pathlib import Path

_SLOTS = 4096
_BYTES = 8 * _SLOTS


class Generations:
    """A number for each table, another one after each commit that wrote to it.

    Numbers are drawn, not counted: two processes that write at once need no lock to make both differ from what was
    there before. `file` is shared by all that open it; None keeps the numbers in this process.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._memory = mmap.mmap(-1, _BYTES) if file is None else _map(file)
        self._numbers = memoryview(self._memory).cast("Q")  # one store of eight bytes: never seen half done
        self._random = random.Random(os.urandom(16))  # noqa: S311 (must differ, need not be secret)

    @staticmethod
    def slots(tables: Iterable[str]) -> tuple[int, ...]:
        """Where the numbers of tables stand; two tables may share a place, which costs a miss and nothing else."""
        return tuple(sorted({zlib.crc32(table.encode()) % _SLOTS for table in tables}))

    def read(self, slots: tuple[int, ...]) -> list[int]:
        """The numbers now."""
        numbers = self._numbers
        return [numbers[slot] for slot in slots]

    def change(self, slots: Iterable[int]) -> None:
        """Give other numbers."""
        for slot in slots:
            self._numbers[slot] = self._random.getrandbits(64)


def _map(file: Path) -> mmap.mmap:
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.geteuid() == 0:  # the owner's commands may come before the processes that run as another user
            owner = file.parent.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        if os.fstat(descriptor).st_size < _BYTES:
            os.ftruncate(descriptor, _BYTES)
        return mmap.mmap(descriptor, _BYTES)
    finally:
        os.close(descriptor)

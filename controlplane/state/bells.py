"""Wakes those who wait for something, in whichever process of this machine they wait, without a look at the database.

Whoever waits for a name marks a byte of shared memory that belongs to its process; whoever rings marks the bytes of the
processes that wait and sends each of them a datagram. Ringing where nobody waits costs one look at the memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import mmap
import os
import socket
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_PROCESSES = 64
_SLOTS = 4096
_NOBODY = bytes(_PROCESSES)
_WAITS, _RUNG = 1, 2


class TooManyProcesses(Exception):
    """More processes than there is room for in the shared memory."""


class Bells:
    """One per process. `open` it on the folder that the processes of a cloud share."""

    def __init__(self, folder: Path, place: int, lock: int, memory: mmap.mmap) -> None:
        self._folder = folder
        self._place = place
        self._lock = lock
        self._memory = memory
        self._waiting: dict[int, set[asyncio.Event]] = {}
        self._sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._loop = asyncio.get_running_loop()

    @classmethod
    def open(cls, folder: Path) -> Bells:
        """Take a place among the processes. Inside a running loop. Raises TooManyProcesses."""
        folder.mkdir(parents=True, exist_ok=True)
        place, lock = _take_place(folder)
        bells = cls(folder, place, lock, _map(folder / "memory"))
        bells._start()
        return bells

    def _start(self) -> None:
        for slot in range(_SLOTS):  # what an earlier process in this place left
            self._memory[slot * _PROCESSES + self._place] = 0
        path = self._folder / f"{self._place}.sock"
        path.unlink(missing_ok=True)
        self._receiver.bind(str(path))
        self._loop.add_reader(self._receiver, self._look)

    def close(self) -> None:
        """Give the place back."""
        self._loop.remove_reader(self._receiver)
        self._receiver.close()
        self._sender.close()
        os.close(self._lock)

    @contextmanager
    def listening(self, name: str) -> Iterator[asyncio.Event]:
        """An event that is set at every ring of the name from now on; its user clears it, then looks at the database,
        then waits, so that no ring falls in between."""
        slot = _slot(name)
        event = asyncio.Event()
        events = self._waiting.setdefault(slot, set())
        events.add(event)
        self._memory[slot * _PROCESSES + self._place] = _WAITS
        try:
            yield event
        finally:
            events.discard(event)
            if not events:
                del self._waiting[slot]
                self._memory[slot * _PROCESSES + self._place] = 0

    def ring(self, name: str) -> None:
        """Wake all who wait for a name. After the commit of what they wait for."""
        slot = _slot(name)
        start = slot * _PROCESSES
        marks = self._memory[start : start + _PROCESSES]
        if marks == _NOBODY:
            return
        for place, mark in enumerate(marks):
            if place == self._place:
                self._wake(slot)
            elif mark == _WAITS:
                self._memory[start + place] = _RUNG
                # A full buffer means that the process will look anyway, a missing one that nobody is there.
                with contextlib.suppress(OSError):
                    self._sender.sendto(b"\0", str(self._folder / f"{place}.sock"))

    def _look(self) -> None:
        """Another process rang: find out what for."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._receiver.recv(16)
        for slot in list(self._waiting):
            cell = slot * _PROCESSES + self._place
            if self._memory[cell] == _RUNG:
                self._memory[cell] = _WAITS
                self._wake(slot)

    def _wake(self, slot: int) -> None:
        for event in self._waiting.get(slot, ()):
            event.set()


def _slot(name: str) -> int:
    """Two names may share a slot: their waiters are then woken for nothing, and look."""
    return zlib.crc32(name.encode()) % _SLOTS


def _take_place(folder: Path) -> tuple[int, int]:
    for place in range(_PROCESSES):
        descriptor = os.open(folder / f"{place}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
        else:
            return place, descriptor
    raise TooManyProcesses(f"{_PROCESSES} processes share {folder} already")


def _map(file: Path) -> Any:
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(descriptor).st_size < _SLOTS * _PROCESSES:
            os.ftruncate(descriptor, _SLOTS * _PROCESSES)
        return mmap.mmap(descriptor, _SLOTS * _PROCESSES)
    finally:
        os.close(descriptor)

"""Glacier's checksum: a binary tree over the SHA-256 of each MiB."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

MIB = 1024 * 1024


class TreeHash:
    """Computed while bytes come."""

    def __init__(self) -> None:
        self._leaves: list[bytes] = []
        self._leaf = hashlib.sha256()
        self._linear = hashlib.sha256()
        self._room = MIB
        self.size = 0

    def update(self, data: bytes) -> None:
        self.size += len(data)
        self._linear.update(data)
        view = memoryview(data)
        while view:
            taken = view[: self._room]
            self._leaf.update(taken)
            self._room -= len(taken)
            view = view[len(taken) :]
            if not self._room:
                self._leaves.append(self._leaf.digest())
                self._leaf, self._room = hashlib.sha256(), MIB

    @property
    def text(self) -> str:
        """The hash of all so far."""
        open_leaf = [self._leaf.digest()] if self._room < MIB or not self._leaves else []
        return combine([*self._leaves, *open_leaf]).hex()

    @property
    def linear(self) -> str:
        """The plain SHA-256."""
        return self._linear.hexdigest()


def combine(digests: Sequence[bytes]) -> bytes:
    """The root over nodes of one level."""
    level = list(digests)
    while len(level) > 1:
        pairs = [level[n : n + 2] for n in range(0, len(level), 2)]
        level = [hashlib.sha256(b"".join(pair)).digest() if len(pair) == 2 else pair[0] for pair in pairs]
    return level[0]


def is_aligned(start: int, end: int, size: int) -> bool:
    """Whether a range (end exclusive) of an archive is a whole node of its tree, so that it has a hash of its own."""
    if start == 0 and end == size:
        return True
    length = end - start
    if start % MIB or (end % MIB and end != size):
        return False
    width = MIB
    while width < length:
        width *= 2
    return start % width == 0 and (length == width or end == size)

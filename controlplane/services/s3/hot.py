"""Bodies of smaller objects that were asked for again and again, opened, in this process's memory.

Opening a body costs more than sending it. (Files of memory that the kernel sends without a copy were measured too: on
one host they are slower than the copy.) A body is known by its salt, which no other one has: what is overwritten or
deleted is never found again, and makes room in its turn. What customers seal with keys of their own is never kept.
"""

from __future__ import annotations

from collections import OrderedDict

LARGEST = 1024 * 1024
BYTES = 64 * 1024 * 1024
_REMEMBERED = 8192


class Hot:
    """What is kept, by salt; the longest unused goes first."""

    def __init__(self, most: int = BYTES) -> None:
        self._most = most
        self._size = 0
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._asked: OrderedDict[str, None] = OrderedDict()

    def get(self, salt: str) -> bytes | None:
        """A whole body; None where it is not kept."""
        found = self._kept.get(salt)
        if found is not None:
            self._kept.move_to_end(salt)
        return found

    def wants(self, salt: str) -> bool:
        """Whether a body that is not kept was asked for before, lately: then it is worth keeping."""
        if salt in self._asked:
            del self._asked[salt]
            return True
        self._asked[salt] = None
        if len(self._asked) > _REMEMBERED:
            self._asked.popitem(last=False)
        return False

    def keep(self, salt: str, data: bytes) -> None:
        """Keep a whole body of at most `LARGEST` bytes."""
        if salt in self._kept:
            return
        self._kept[salt] = data
        self._size += len(data)
        while self._size > self._most:
            self._size -= len(self._kept.popitem(last=False)[1])


HOT = Hot()

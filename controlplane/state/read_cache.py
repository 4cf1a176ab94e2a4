"""Rows that were read, kept as long as nobody on this machine has written to their tables."""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from controlplane.state.generations import Generations

_ENTRIES = 4096
_BULKY_ENTRIES = 512
_MOST_ROWS = 200
_SECONDS = 1.0
"""An entry lives no longer, for the sake of writers elsewhere: another machine, psql, a process killed between its
commit and telling of it."""
_WORD = re.compile(r"[a-z_][a-z0-9_]*")
_WRITES = re.compile(r"\b(?:insert\s+into|update|delete\s+from|merge\s+into|truncate)\s+(?:only\s+)?([a-z_][a-z0-9_]*)")

_TABLES = """
SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace
"""
_CASCADES = """
SELECT confrelid::regclass::text AS "from", conrelid::regclass::text AS "to" FROM pg_constraint
WHERE contype = 'f' AND (confdeltype IN ('c', 'n', 'd') OR confupdtype IN ('c', 'n', 'd'))
"""

Query = tuple[str, tuple[Any, ...]]


def query(sql: str, args: tuple[Any, ...]) -> Query:
    """The name under which the rows of a statement are kept; lists stand in it as tuples."""
    return sql, tuple([tuple(value) if isinstance(value, list) else value for value in args])


class _Shelf(OrderedDict[Query, tuple[tuple[int, ...], list[int], float, list[Any]]]):
    """Entries, the oldest first, and how many there may be."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most


class ReadCache:
    """One per process. Results are as exact as the reads themselves: who was told of a commit finds its rows.

    The tables of a statement are the words in it that are names of tables; a write touches those after its verbs, and
    those that its foreign keys cascade to.
    """

    def __init__(self, generations: Generations) -> None:
        self._generations = generations
        self._tables: frozenset[str] = frozenset()
        self._cascades: dict[str, set[str]] = {}
        self._read: dict[str, tuple[int, ...]] = {}
        self._written: dict[str, tuple[int, ...]] = {}
        self._kept = _Shelf(_ENTRIES)
        self._bulky = _Shelf(_BULKY_ENTRIES)

    async def learn(self, connection: Any) -> None:
        """Learn the schema's tables and cascades."""
        self._tables = frozenset(row["relname"] for row in await connection.fetch(_TABLES))
        self._cascades = {}
        for row in await connection.fetch(_CASCADES):
            self._cascades.setdefault(row["from"], set()).add(row["to"])

    def get(self, key: Query, *, bulky: bool = False) -> list[Any] | None:
        """The rows, if they are known and still true."""
        shelf = self._bulky if bulky else self._kept
        kept = shelf.get(key)
        if kept is None:
            return None
        slots, numbers, until, rows = kept
        if self._generations.read(slots) != numbers or time.monotonic() > until:
            del shelf[key]
            return None
        return rows

    def before(self, sql: str) -> tuple[tuple[int, ...], list[int]]:
        """What `put` needs to know of the moment before the read."""
        slots = self._read.get(sql)
        if slots is None:
            slots = self._read[sql] = Generations.slots(self._tables.intersection(_WORD.findall(sql.lower())))
        return slots, self._generations.read(slots)

    def put(
        self, key: Query, before: tuple[tuple[int, ...], list[int]], rows: list[Any], *, bulky: bool = False
    ) -> None:
        """Keep what was read. Bulky rows lie on a shelf of their own, where they push out only each other."""
        slots, numbers = before
        if not slots or len(rows) > _MOST_ROWS:
            return
        shelf = self._bulky if bulky else self._kept
        if len(shelf) >= shelf.most:
            shelf.popitem(last=False)
        shelf[key] = slots, numbers, time.monotonic() + _SECONDS, rows

    def written(self, sql: str) -> tuple[int, ...]:
        """Where the numbers of the tables stand that a statement writes to."""
        slots = self._written.get(sql)
        if slots is None:
            found = self._tables.intersection(_WRITES.findall(sql.lower()))
            slots = self._written[sql] = Generations.slots(_closure(found, self._cascades))
        return slots

    def forget(self, slots: set[int]) -> None:
        """Tell everybody on this machine that tables were written."""
        self._generations.change(slots)


def _closure(tables: frozenset[str], cascades: Mapping[str, set[str]]) -> set[str]:
    reached, waiting = set(tables), list(tables)
    while waiting:
        for table in cascades.get(waiting.pop(), ()):
            if table not in reached:
                reached.add(table)
                waiting.append(table)
    return reached

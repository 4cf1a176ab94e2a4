"""One transaction, opened as late as it can be."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Protocol

import asyncpg

from controlplane.core.errors import ServiceUnavailable
from controlplane.state.read_cache import ReadCache, query

# Row locks last as long as their transaction, and notifications and sequence numbers belong to one.
_BEGINS = re.compile(r" for (no key update|key share|update|share)\b|\bpg_(try_)?advisory|\bpg_notify\b|\bnextval\b")


@lru_cache(maxsize=4096)
def _is_plain_read(sql: str) -> bool:
    text = " ".join(sql.lower().split())
    return text.startswith("select ") and not _BEGINS.search(text)


@lru_cache(maxsize=1024)
def _insert_sql(table: str, columns: tuple[str, ...]) -> str:
    places = ", ".join(f"${n}" for n in range(1, len(columns) + 1))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})"


class Lender(Protocol):
    """Where units of work borrow their connection."""

    @property
    def cache(self) -> ReadCache: ...
    async def borrow(self) -> Any: ...
    async def give_back(self, connection: Any) -> None: ...


class UnitOfWork:
    """Implements `core.context.Unit` on a pooled connection, borrowed for each read, and from a write on to the end.

    In READ COMMITTED a plain read sees the same rows inside a transaction and outside, so BEGIN and COMMIT (two round
    trips) are spared until something else than a plain SELECT comes.
    """

    __slots__ = ("_after_commit", "_connection", "_database", "_transaction", "_written")

    def __init__(self, database: Lender) -> None:
        self._database = database
        self._connection: Any = None
        self._transaction: Any = None
        self._after_commit: list[Callable[[], Any]] = []
        self._written: set[int] = set()

    async def _borrowed(self) -> Any:
        if self._connection is None:
            try:
                self._connection = await self._database.borrow()
            except (TimeoutError, OSError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError) as error:
                raise ServiceUnavailable("The service is unavailable. Please try again.", detail=repr(error)) from error
        return self._connection

    async def _ready(self, sql: str) -> Any:
        connection = await self._borrowed()
        if not _is_plain_read(sql):
            if self._transaction is None:
                transaction = connection.transaction()
                await transaction.start()
                self._transaction = transaction
            self._written.update(self._database.cache.written(sql))
        return connection

    async def fetch(self, sql: str, *args: Any) -> list[Any]:
        try:
            return await (await self._ready(sql)).fetch(sql, *args)  # type: ignore[no-any-return]
        finally:
            await self._lend()

    async def fetchrow(self, sql: str, *args: Any) -> Any:
        try:
            return await (await self._ready(sql)).fetchrow(sql, *args)
        finally:
            await self._lend()

    async def fetchval(self, sql: str, *args: Any) -> Any:
        try:
            return await (await self._ready(sql)).fetchval(sql, *args)
        finally:
            await self._lend()

    async def _lend(self) -> None:
        """Let others have the connection until a transaction begins: a request may wait long after its reads."""
        if self._transaction is None:
            await self._release()

    async def cached(
        self, sql: str, *args: Any, bulky: bool = False, into: Callable[[Any], Any] | None = None
    ) -> list[Any]:
        """`fetch` through the cache of reads. For plain reads of tables that are read more often than written, whose
        result depends on nothing but rows and arguments; the rows are shared and must not be changed. `bulky` rows are
        large or many: they do not push out others. `into`, always the same for a statement, makes of each row what is
        kept and answered instead."""
        if self._transaction is not None:
            return _made(await self.fetch(sql, *args), into)
        cache, key = self._database.cache, query(sql, args)
        rows = cache.get(key, bulky=bulky)
        if rows is None:
            before = cache.before(sql)
            rows = _made(await self.fetch(sql, *args), into)
            cache.put(key, before, rows, bulky=bulky)
        return rows

    async def cached_row(
        self, sql: str, *args: Any, bulky: bool = False, into: Callable[[Any], Any] | None = None
    ) -> Any:
        """The first row of `cached`, or None."""
        rows = await self.cached(sql, *args, bulky=bulky, into=into)
        return rows[0] if rows else None

    async def alone(self, sql: str, *args: Any) -> list[Any]:
        """The only write of a unit, committed by itself: one round trip where begin, write and commit take three. In a
        unit that has begun a transaction it is part of that."""
        if self._transaction is not None:
            return await self.fetch(sql, *args)
        cache = self._database.cache
        try:
            return await (await self._borrowed()).fetch(sql, *args)  # type: ignore[no-any-return]
        finally:
            cache.forget(set(cache.written(sql)))
            await self._lend()

    async def execute(self, sql: str, *args: Any) -> str:
        return await (await self._ready(sql)).execute(sql, *args)  # type: ignore[no-any-return]

    async def executemany(self, sql: str, args: Sequence[Sequence[Any]]) -> None:
        await (await self._ready(sql)).executemany(sql, args)

    async def insert(self, table: str, **values: Any) -> None:
        """Insert one row; column names are the keyword names."""
        await self.execute(_insert_sql(table, tuple(values)), *values.values())

    async def notify(self, channel: str, payload: str) -> None:
        """Tell listeners on a channel; Postgres delivers it when this transaction commits."""
        await self.execute("SELECT pg_notify($1, $2)", channel, payload)

    def after_commit(self, callback: Callable[[], Any]) -> None:
        """Run a function (or start a coroutine) once the transaction is committed; never when it is not."""
        self._after_commit.append(callback)

    async def commit(self) -> None:
        """Commit what was begun, give the connection back, then run the after-commit callbacks."""
        try:
            if self._transaction is not None:
                await self._transaction.commit()
                self._transaction = None
        finally:
            # Also when the commit failed: it may have been lost on its way back only.
            if self._written:
                self._database.cache.forget(self._written)
                self._written = set()
            await self._release()
        callbacks, self._after_commit = self._after_commit, []
        for callback in callbacks:
            outcome = callback()
            if inspect.isawaitable(outcome):
                _BACKGROUND.add(task := asyncio.ensure_future(outcome))
                task.add_done_callback(_BACKGROUND.discard)

    async def rollback(self) -> None:
        """Undo what was begun. Never raises: the connection may be gone already."""
        self._after_commit.clear()
        if self._transaction is not None and is_alive(self._connection):
            try:
                await self._transaction.rollback()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                _terminate(self._connection)
        self._transaction = None
        await self._release()

    async def _release(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            # A cancelled statement or a failed commit leaves a connection in doubt: it must not serve another request.
            if self._transaction is not None or (is_alive(connection) and connection.is_in_transaction()):
                _terminate(connection)
                self._transaction = None
            await self._database.give_back(connection)


def _made(rows: list[Any], into: Callable[[Any], Any] | None) -> list[Any]:
    return rows if into is None else [into(row) for row in rows]


def is_alive(connection: Any) -> bool:
    """False when the connection is closed; the pool may even have taken it back, when the server went away."""
    try:
        return not connection.is_closed()
    except asyncpg.InterfaceError:
        return False


def _terminate(connection: Any) -> None:
    if is_alive(connection):
        connection.terminate()


_BACKGROUND: set[asyncio.Future[Any]] = set()

"""The pool of connections to Postgres."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import orjson

from controlplane.state.generations import Generations
from controlplane.state.read_cache import ReadCache
from controlplane.state.unit_of_work import UnitOfWork, is_alive

_ACQUIRE_SECONDS = 5.0


class _Connection(asyncpg.Connection):  # type: ignore[misc]
    """A connection that needs no reset query on release: units of work always end their own transaction."""

    __slots__ = ()

    def get_reset_query(self) -> str:
        return ""


# In the binary formats, which composite types need and which are not decoded twice; jsonb's begins with its version.
_JSON = {"json": b"", "jsonb": b"\x01"}


async def _prepare(connection: asyncpg.Connection) -> None:
    for name, start in _JSON.items():
        await connection.set_type_codec(
            name,
            schema="pg_catalog",
            format="binary",
            encoder=lambda value, start=start: start + orjson.dumps(value),
            decoder=lambda data, skipped=len(start): orjson.loads(data[skipped:]),
        )


class Database:
    """Postgres, by URL. One per process.

    Connections are lent from a stack of idle ones: the pool's own acquire and release make a task and two timers each
    time, which costs more than a query.
    """

    def __init__(self, pool: asyncpg.Pool, url: str, cache: ReadCache) -> None:
        self.url = url
        self.cache = cache
        self._pool = pool
        self._idle: list[Any] = []
        self._waiting = 0

    @classmethod
    async def open(cls, url: str, *, generations: Path | None, size: int = 16) -> Database:
        """Connect. `url` is a libpq URL; `size` bounds the connections of this process; `generations` is the file that
        all processes of a cloud share, so that each one's cache of reads learns of the others' writes."""
        pool = await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=size,
            connection_class=_Connection,
            init=_prepare,
            timeout=5,
            command_timeout=30,
            max_inactive_connection_lifetime=0,
        )
        cache = ReadCache(Generations(generations))
        async with pool.acquire() as connection:
            await cache.learn(connection)
        return cls(pool, url, cache)

    async def borrow(self) -> Any:
        """A connection. Raises TimeoutError when none becomes free, OSError or a PostgresError when there is none."""
        while self._idle:
            connection = self._idle.pop()
            if is_alive(connection):
                return connection
            await self._pool.release(connection)
        self._waiting += 1
        try:
            return await self._pool.acquire(timeout=_ACQUIRE_SECONDS)
        finally:
            self._waiting -= 1

    async def give_back(self, connection: Any) -> None:
        """Take a connection back, outside any transaction. One that is closed or that somebody waits for goes to the
        pool, which replaces it or hands it on."""
        if self._waiting or not is_alive(connection):
            await self._pool.release(connection)
        else:
            self._idle.append(connection)

    async def close(self) -> None:
        while self._idle:
            await self._pool.release(self._idle.pop())
        await self._pool.close()

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[UnitOfWork]:
        """A unit of work that commits when the block ends well and rolls back when it raises."""
        unit = UnitOfWork(self)
        try:
            yield unit
            await unit.commit()
        except BaseException:
            await unit.rollback()
            raise

    async def fetch(self, sql: str, *args: Any) -> list[Any]:
        """One read outside any unit of work."""
        async with self.unit() as unit:
            return await unit.fetch(sql, *args)

    async def alone(self, sql: str, *args: Any) -> list[Any]:
        """One write outside any unit of work, committed by itself."""
        return await UnitOfWork(self).alone(sql, *args)

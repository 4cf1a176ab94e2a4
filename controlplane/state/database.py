"""The pool of connections to Postgres."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import orjson

from controlplane.state.unit_of_work import UnitOfWork


class _Connection(asyncpg.Connection):  # type: ignore[misc]
    """A connection that needs no reset query on release: units of work always end their own transaction."""

    __slots__ = ()

    def get_reset_query(self) -> str:
        return ""


async def _prepare(connection: asyncpg.Connection) -> None:
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name,
            schema="pg_catalog",
            encoder=lambda value: orjson.dumps(value).decode(),
            decoder=orjson.loads,
        )


class Database:
    """Postgres, by URL. One per process."""

    def __init__(self, pool: asyncpg.Pool, url: str) -> None:
        self.pool = pool
        self.url = url

    @classmethod
    async def open(cls, url: str, *, size: int = 16) -> Database:
        """Connect. `url` is a libpq URL; `size` bounds the connections of this process."""
        pool = await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=size,
            connection_class=_Connection,
            init=_prepare,
            timeout=5,
            command_timeout=30,
            max_inactive_connection_lifetime=120,
        )
        return cls(pool, url)

    async def close(self) -> None:
        await self.pool.close()

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[UnitOfWork]:
        """A unit of work that commits when the block ends well and rolls back when it raises."""
        unit = UnitOfWork(self.pool)
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

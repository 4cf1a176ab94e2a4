"""What only the cloud's owner may do: straight to the database, with the root key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import asyncpg

from controlplane.cli.application import Failure
from controlplane.core.context import Unit
from controlplane.core.errors import ServiceUnavailable
from controlplane.settings import Settings
from controlplane.state.database import Database
from controlplane.state.sealing import Sealer, load_root_key

T = TypeVar("T")


def in_database(settings: Settings, action: Callable[[Unit, Sealer], Awaitable[T]]) -> T:
    """Do something in one unit of work. Raises Failure when the cloud is down or belongs to another user."""

    async def run() -> T:
        async with _opened(settings) as (db, sealer):
            return await action(db, sealer)

    try:
        return asyncio.run(run())
    except PermissionError as error:
        raise Failure(f"{settings.home} belongs to another user; try with sudo.") from error
    except (ConnectionError, FileNotFoundError, ServiceUnavailable, asyncpg.PostgresError) as error:
        raise Failure(f"the database of {settings.home} does not answer ({error}): is the cloud up?") from error


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[tuple[Unit, Sealer]]:
    if not settings.root_key.exists():
        raise FileNotFoundError(f"there is no {settings.root_key}")
    database = await Database.open(settings.database, generations=settings.generations, size=1)
    try:
        async with database.unit() as db:
            yield db, Sealer(load_root_key(settings.root_key))
    finally:
        await database.close()

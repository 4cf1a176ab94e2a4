"""A database with the whole schema, one a test process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from controlplane.state import migrate
from controlplane.state.database import Database
from controlplane.state.sealing import Sealer
from controlplane.supervise.scratch import scratch_postgres


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    """The URL of a Postgres of our own, migrated."""
    with scratch_postgres() as url:
        asyncio.run(migrate.upgrade(url))
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A pool of connections."""
    database = await Database.open(database_url, size=4)
    yield database
    await database.close()


@pytest.fixture(scope="session")
def sealer() -> Sealer:
    """Seals under a key of the tests' own."""
    return Sealer(bytes(range(32)))

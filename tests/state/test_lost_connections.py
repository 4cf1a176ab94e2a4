"""A unit of work whose connection is cut, as by a killed server."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from controlplane.core.errors import ServiceUnavailable
from controlplane.state.database import Database

_CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
LOST = (OSError, ServiceUnavailable, asyncpg.PostgresError, asyncpg.InterfaceError)


async def _cut(database: Database) -> None:
    """Have the server end every other session of this database."""
    other = await asyncpg.connect(database.url)
    await other.fetch(_CUT)
    await other.close()
    await asyncio.sleep(0.1)


async def test_idle_connections_that_were_cut_are_not_lent(database: Database) -> None:
    await asyncio.gather(*(database.fetch("SELECT pg_sleep(0.05)") for _ in range(4)))
    await _cut(database)
    answers = await asyncio.gather(*(database.fetch("SELECT 1 AS one") for _ in range(8)))
    assert [rows[0]["one"] for rows in answers] == [1] * 8


async def test_a_unit_that_is_cut_in_the_middle_rolls_back_and_tells(database: Database) -> None:
    async with database.unit() as unit:
        await unit.execute("CREATE TABLE t (n int)")
    with pytest.raises(LOST):
        async with database.unit() as unit:
            await unit.execute("INSERT INTO t VALUES (1)")
            await _cut(database)
            await unit.execute("INSERT INTO t VALUES (2)")
    assert await database.fetch("SELECT * FROM t") == []


async def test_a_unit_that_is_cut_before_its_commit_tells(database: Database) -> None:
    async with database.unit() as unit:
        await unit.execute("CREATE TABLE t (n int)")
    with pytest.raises(LOST):
        async with database.unit() as unit:
            await unit.execute("INSERT INTO t VALUES (1)")
            await _cut(database)
    assert await database.fetch("SELECT * FROM t") == []


async def test_a_rollback_after_a_cut_never_raises(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.unit() as unit:
            await unit.execute("SELECT 1 FOR UPDATE")
            await _cut(database)
            raise ZeroDivisionError

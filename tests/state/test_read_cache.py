"""The cache of reads: as exact as reading, over all processes that share the file of generations."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from controlplane.state.database import Database

TAGS = "SELECT tags FROM access_identities WHERE id = $1"
USER = "AIDA00000000000000001"


@asynccontextmanager
async def two_processes(url: str, file: Path | None) -> AsyncIterator[tuple[Database, Database]]:
    """What two gateway workers hold."""
    one = await Database.open(url, generations=file)
    other = await Database.open(url, generations=file)
    try:
        yield one, other
    finally:
        await one.close()
        await other.close()


async def make_user(database: Database) -> None:
    async with database.unit() as db:
        await db.insert("access_accounts", id="000000000001", name="a")
        await db.insert(
            "access_identities", id=USER, account_id="000000000001", kind="user", name="ann", path="/", tags={}
        )


async def tag(database: Database, value: str) -> None:
    async with database.unit() as db:
        await db.execute("UPDATE access_identities SET tags = $2 WHERE id = $1", USER, {"team": value})


async def seen(database: Database) -> object:
    async with database.unit() as db:
        return (await db.cached_row(TAGS, USER))["tags"]


async def test_a_write_is_seen_by_every_process_at_once(database_url: str, tmp_path: Path) -> None:
    async with two_processes(database_url, tmp_path / "generations") as (one, other):
        await make_user(one)
        for turn in range(50):
            await tag(one if turn % 2 else other, str(turn))
            assert await seen(one) == await seen(other) == {"team": str(turn)}


async def test_what_nobody_wrote_is_not_read_again(database_url: str, tmp_path: Path) -> None:
    async with two_processes(database_url, tmp_path / "generations") as (one, other):
        await make_user(one)
        await seen(one)
        stranger = await asyncpg.connect(database_url)
        await stranger.execute('UPDATE access_identities SET tags = \'{"team": "x"}\'')
        await stranger.close()
        assert await seen(one) == {}, "it came from the cache"
        assert await seen(other) == {"team": "x"}
        async with one.unit() as db:
            await db.execute("UPDATE access_accounts SET name = 'b'")
        assert await seen(one) == {}, "another table's writes cost nothing"


async def test_a_stranger_s_write_is_seen_after_a_second(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controlplane.state.read_cache._SECONDS", 0.0)
    async with two_processes(database_url, tmp_path / "generations") as (one, _):
        await make_user(one)
        await seen(one)
        stranger = await asyncpg.connect(database_url)
        await stranger.execute('UPDATE access_identities SET tags = \'{"team": "x"}\'')
        await stranger.close()
        assert await seen(one) == {"team": "x"}


async def test_inside_a_transaction_its_own_writes_are_seen(database: Database) -> None:
    await make_user(database)
    await seen(database)
    async with database.unit() as db:
        await db.execute("UPDATE access_identities SET tags = $2 WHERE id = $1", USER, {"own": "write"})
        assert (await db.cached_row(TAGS, USER))["tags"] == {"own": "write"}


async def test_what_was_rolled_back_is_never_seen(database: Database) -> None:
    await make_user(database)
    with pytest.raises(ZeroDivisionError):
        async with database.unit() as db:
            await db.execute("UPDATE access_identities SET tags = $2 WHERE id = $1", USER, {"never": "was"})
            assert (await db.cached_row(TAGS, USER))["tags"] == {"never": "was"}
            raise ZeroDivisionError
    assert await seen(database) == {}


async def test_rows_that_a_foreign_key_deletes_are_forgotten(database: Database) -> None:
    await make_user(database)
    arn = "arn:aws:iam::000000000001:policy/p"
    async with database.unit() as db:
        await db.insert("access_policies", arn=arn, id="ANPA1", name="p", path="/", default_version=1, last_version=1)
        await db.insert("access_policy_versions", policy_arn=arn, version=1, document="{}")
    sql = "SELECT version FROM access_policy_versions WHERE policy_arn = $1"
    async with database.unit() as db:
        assert len(await db.cached(sql, arn)) == 1
    async with database.unit() as db:
        await db.execute("DELETE FROM access_policies WHERE arn = $1", arn)
    async with database.unit() as db:
        assert await db.cached(sql, arn) == []


async def test_a_write_alone_is_committed_and_told(database_url: str, tmp_path: Path) -> None:
    async with two_processes(database_url, tmp_path / "generations") as (one, other):
        await make_user(one)
        await seen(other)
        async with one.unit() as db:
            rows = await db.alone("UPDATE access_identities SET tags = $2 WHERE id = $1 RETURNING id", USER, {"a": "b"})
            assert [row["id"] for row in rows] == [USER]
            assert await seen(other) == {"a": "b"}, "committed before the unit ends"

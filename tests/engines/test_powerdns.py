"""What is read in PowerDNS's tables."""

from __future__ import annotations

from pathlib import Path

from controlplane.engines.dns.powerdns import PowerDns
from controlplane.state.database import Database

_TABLE = """
CREATE SCHEMA powerdns; CREATE TABLE powerdns.domains (id serial PRIMARY KEY, name text UNIQUE, account text)
"""
_ADD = "INSERT INTO powerdns.domains (name, account) VALUES ($1, $2)"


async def test_whose_zones_answer_is_worked_out_only_when_there_are_others(database: Database, tmp_path: Path) -> None:
    engine = PowerDns(tmp_path, ("127.0.0.1", 1))

    async def owners(*names: str) -> dict[str, str]:
        async with database.unit() as db:
            return dict(await engine.owners(db, names))

    assert await owners("a.test") == {}
    async with database.unit() as db:
        await db.execute(_TABLE)
        for name in ("a.test", "in.a.test", "b.test", "xa.test"):
            await db.execute(_ADD, name, "one")
    assert await owners("a.test") == {"a.test": "one", "in.a.test": "one"}
    await database.alone("UPDATE powerdns.domains SET account = 'nobody does this'")
    assert await owners("a.test") == {"a.test": "one", "in.a.test": "one"}, "not looked at again"
    assert set(await owners("b.test")) == {"b.test"}, "other names"
    async with database.unit() as db:
        await db.execute("DELETE FROM powerdns.domains WHERE name = 'in.a.test'")
        await db.execute(_ADD, "of.a.test", "two")
    assert set(await owners("a.test")) == {"a.test", "of.a.test"}, "as many as before"
    await database.alone("DELETE FROM powerdns.domains WHERE name = 'of.a.test'")
    assert set(await owners("a.test")) == {"a.test"}

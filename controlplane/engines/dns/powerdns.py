"""PowerDNS over the cloud's own Postgres: zones are rows in the schema `powerdns`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from ipaddress import ip_network
from itertools import groupby
from pathlib import Path
from typing import Any

import dns.asyncquery
import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode

from controlplane.core.context import Unit
from controlplane.core.errors import EngineUnavailable
from controlplane.engines.dns import front, keys
from controlplane.engines.dns.contract import Answer, Choices, Zone

_SCHEMA = Path("/usr/share/pdns-backend-pgsql/schema/schema.pgsql.sql")
_MADE = "SELECT to_regclass('powerdns.domains') IS NOT NULL"
# What a session once looked for in vain it may not find until its next transaction; a query of the catalog finds it.
_REALLY_MADE = "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = 'powerdns' AND tablename = 'domains')"
_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended('powerdns', 0))"
_FIND = "SELECT id, account FROM powerdns.domains WHERE name = $1 FOR UPDATE"
_INSERT = """
INSERT INTO powerdns.domains (name, type, account) VALUES ($1, 'NATIVE', $2) ON CONFLICT DO NOTHING RETURNING id
"""
_RECORDS = "SELECT id, name, type, content, ttl, auth FROM powerdns.records WHERE domain_id = $1"
_DROP = "DELETE FROM powerdns.records WHERE id = ANY($1::bigint[])"
_ADD = """
INSERT INTO powerdns.records (domain_id, name, type, content, ttl, auth) VALUES ($1, $2, $3, $4, $5, $6)
"""
_REMOVE = "DELETE FROM powerdns.domains WHERE name = $1 AND account = $2"
_OWNERS = """
SELECT name, account FROM powerdns.domains WHERE name = ANY($1)
OR EXISTS (SELECT FROM unnest($1::text[]) AS above WHERE right(name, length(above) + 1) = '.' || above)
"""
# A zone's row keeps its name and its account: the rows that are there say all.
_WHICH = "SELECT count(*), sum(hashint8extended(id, 0)) FROM powerdns.domains"
_SECONDS = 2.0
_PLAIN = re.compile(r"[A-Za-z0-9 .:_-]")

Row = tuple[str, str | None, str | None, int | None, bool]
"""Name, type, content, time to live, and whether the zone has authority over it."""


class PowerDns:
    """Implements `contract.Dns`. `wanted` is the file whose being there makes the supervisor start the server."""

    def __init__(self, run: Path, address: tuple[str, int]) -> None:
        self.wanted = run / "powerdns.wanted"
        self._control = run / "pdns.controlsocket"
        self._keys = keys.folder(run)
        self._run = run
        self._address = address
        self._owners: tuple[Any, Mapping[str, str]] | None = None

    async def write(self, db: Unit, name: str, owner: str, zone: Zone) -> bool:
        await self._make_schema(db)
        self.wanted.touch()
        found = await db.fetchrow(_FIND, name)
        if found is None:
            await db.fetchval(_INSERT, name, owner)
            found = await db.fetchrow(_FIND, name)
        if found is None or found["account"] != owner:
            return False
        there = {_row(item): item["id"] for item in await db.fetch(_RECORDS, found["id"])}
        wanted = await asyncio.to_thread(lambda: set(rows(name, zone)))
        await db.execute(_DROP, [id for row, id in there.items() if row not in wanted])
        await db.executemany(_ADD, [(found["id"], *row) for row in wanted - there.keys()])
        return True

    async def remove(self, db: Unit, name: str, owner: str) -> None:
        if await db.fetchval(_MADE):
            await db.execute(_REMOVE, name, owner)

    async def sign(self, db: Unit, name: str, owner: str) -> str:
        return await keys.sign(db, name, owner)

    async def unsign(self, db: Unit, name: str, owner: str) -> None:
        if await db.fetchval(_MADE):
            await keys.unsign(db, name, owner)

    async def publish_keys(self, name: str, records: Sequence[str]) -> None:
        await asyncio.to_thread(keys.publish, self._keys, name, records)

    async def refresh(self, name: str) -> None:
        await self._tell(f"PURGE {name}$")

    def watches(self) -> bool:
        return front.installed()

    async def watch(self, names: Collection[str]) -> bool:
        await asyncio.to_thread(self._write_watched, names)
        # When nothing is watched any longer, dnsdist stays: each change costs a moment without answers.
        if not names or front.inner(self._run).exists():
            return True
        if not front.installed():
            raise EngineUnavailable("dnsdist, which tells of questions, is not installed")
        await self._tell("QUIT")  # the supervisor starts it again, behind dnsdist
        return False

    def _write_watched(self, names: Collection[str]) -> None:
        path = front.watched(self._run)
        if names:
            front.write(path, "".join(f"{name}.\n" for name in sorted(names)))
        else:
            path.unlink(missing_ok=True)

    async def owners(self, db: Unit, names: Collection[str]) -> Mapping[str, str]:
        if not names or not await db.fetchval(_MADE):
            return {}
        asked = frozenset(names), tuple(await db.fetchrow(_WHICH))
        if self._owners is None or self._owners[0] != asked:
            self._owners = asked, {row["name"]: row["account"] for row in await db.fetch(_OWNERS, list(names))}
        return self._owners[1]

    async def ask(self, name: str, type: str, network: str = "") -> tuple[str, list[str]]:
        host, port = await asyncio.to_thread(self._reached)
        options: list[dns.edns.Option] = [dns.edns.ECSOption.from_text(network)] if network else []
        try:
            question = dns.message.make_query(dns.name.from_text(name), type, use_edns=0, options=options)
            answer, _ = await dns.asyncquery.udp_with_fallback(question, host, _SECONDS, port)
        except (OSError, dns.exception.DNSException) as error:
            raise EngineUnavailable(f"PowerDNS does not answer: {error!r}") from error
        values = [item.to_text() for group in answer.answer for item in group]
        return dns.rcode.to_text(answer.rcode()), values

    def _reached(self) -> tuple[str, int]:
        """Where we ask: past dnsdist, so that what we ask is not told."""
        port = front.last_inner(self._run)
        return ("127.0.0.1", port) if port else front.reached(self._address)

    async def _tell(self, command: str) -> None:
        try:
            async with asyncio.timeout(_SECONDS):
                reader, writer = await asyncio.open_unix_connection(str(self._control))
                try:
                    writer.write(f"{command}\n".encode())
                    await reader.read(100)
                finally:
                    writer.close()
        except (OSError, TimeoutError) as error:
            raise EngineUnavailable(f"PowerDNS cannot be told: {error!r}") from error

    async def _make_schema(self, db: Unit) -> None:
        """The tables are PowerDNS's own, out of the file that its package brings."""
        if await db.fetchval(_MADE):
            return
        await db.execute(_ONE_AT_A_TIME)
        if not await db.fetchval(_REALLY_MADE):
            text = await asyncio.to_thread(_SCHEMA.read_text)
            await db.execute(f"CREATE SCHEMA IF NOT EXISTS powerdns; SET LOCAL search_path = powerdns; {text}")
            await db.execute("SET LOCAL search_path = public")


def _row(item: Any) -> Row:
    return item["name"], item["type"], item["content"], item["ttl"], item["auth"]


def rows(apex: str, zone: Zone) -> Iterator[Row]:
    """The rows of a zone, with those that say that a name exists although it has no records (RFC 8020)."""
    cuts = {name for name, type in zone if type == "NS" and name != apex}
    for (name, type), answer in zone.items():
        auth = not (any(_below(name, cut) for cut in cuts) or (name in cuts and type != "DS"))
        for kind, content in _contents(type, answer):
            yield name, kind, content, answer.ttl, auth
    there = {name for name, _ in zone}
    for empty in {parent for name in there for parent in _parents(name, apex)} - there:
        yield empty, None, None, None, not any(_below(empty, cut) for cut in cuts)


def _below(name: str, other: str) -> bool:
    return name.endswith(f".{other}")


def _parents(name: str, apex: str) -> Iterator[str]:
    while name != apex and "." in name:
        name = name.partition(".")[2]
        if not _below(name, apex):
            return
        yield name


def _contents(type: str, answer: Answer) -> Iterable[tuple[str, str]]:
    if len(answer.choices) <= 1 and not answer.near:
        return [(type, value) for _, values in answer.choices for value in values]
    return [("LUA", _drawn(type, answer))]


def _drawn(type: str, answer: Answer) -> str:
    """A LUA record: PowerDNS draws the number of a choice. It runs what stands here, so that values are written as
    nothing but letters, digits and escapes."""
    text = ""
    ordered = sorted(answer.near, key=lambda item: (-_length(item[0]), item[1]))
    for choices, group in groupby(ordered, key=lambda item: item[1]):
        networks = ",".join(_network(network) for network, _ in group)
        text += f"if netmask({{{networks}}}) then {_choice(type, choices)} end "
    return f'{type} ";{text}{_choice(type, answer.choices)}"'


def _length(network: str) -> int:
    return int(network.rpartition("/")[2])


@lru_cache(5000)
def _network(text: str) -> str:
    """Written anew from its numbers: an IPv6 address may carry a scope, which is any text."""
    network = ip_network(text)
    first = network.network_address
    return f"'{type(first)(int(first))}/{network.prefixlen:d}'"


def _choice(type: str, choices: Choices) -> str:
    groups = ",".join("{" + ",".join(_quoted(type, value) for value in values) + "}" for _, values in choices)
    if len(choices) <= 1:
        return f"return {groups or '{}'}"
    weights = ",".join(f"{{{weight:d},'{number:d}'}}" for number, (weight, _) in enumerate(choices, 1))
    return f"return ({{{groups}}})[tonumber(pickwrandom({{{weights}}}))]"


def _quoted(type: str, value: str) -> str:
    text = value[1:-1] if type in ("TXT", "SPF") else value  # PowerDNS puts the quotation marks around it again
    return "'" + "".join(c if _PLAIN.fullmatch(c) else "".join(f"\\{b:03d}" for b in c.encode()) for c in text) + "'"

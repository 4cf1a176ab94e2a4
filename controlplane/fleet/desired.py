"""What hosts must have. Every change gets the host's next generation, in the transaction of the change itself."""

from __future__ import annotations

import hashlib

from agents.contract.exchange import Change, Desired, Wanted
from agents.contract.machine import Machine
from controlplane.core.context import Unit

CHANNEL = "celaje_desired"

# The row lock on the host makes generations visible in order: no reader can see 8 before 7 is committed.
_NEXT = "UPDATE fleet_hosts SET generation = generation + 1 WHERE id = $1 RETURNING generation"
_CURRENT = "SELECT document FROM fleet_desired WHERE host_id = $1 AND kind = $2 AND id = $3"
_PUT = """
INSERT INTO fleet_desired (host_id, kind, id, generation, waker, document) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (host_id, kind, id) DO UPDATE
SET generation = excluded.generation, waker = excluded.waker, document = excluded.document
"""
_CHANGES = """
SELECT kind, id, generation, document FROM fleet_desired
WHERE host_id = $1 AND generation > $2 ORDER BY generation
"""
_GENERATION = "SELECT generation FROM fleet_hosts WHERE id = $1"
_GONE = "DELETE FROM fleet_desired WHERE host_id = $1 AND kind = $2 AND id = $3 AND document IS NULL"
_HOSTS_OF = "SELECT host_id FROM fleet_desired WHERE kind = $1 AND id = $2 AND document IS NOT NULL"
_SETTLED = "SELECT applied >= generation FROM fleet_desired WHERE host_id = $1 AND kind = $2 AND id = $3"
_NEEDS_BLOB = """
SELECT true FROM fleet_desired WHERE host_id = $1 AND kind IN ('machine', 'container')
AND $2 IN (document->'image'->>'disk', document->'image'->>'kernel', document->'image'->>'initrd',
    document->'image'->>'archive') LIMIT 1
"""
_WANTS_MACHINE = """
SELECT document FROM fleet_desired WHERE host_id = $1 AND kind = 'machine' AND id = $2 AND document IS NOT NULL
"""


async def put(db: Unit, host: str, document: Wanted, *, waker: str | None = None) -> None:
    """Make a host have a thing. Nothing happens when it must have just that already."""
    wanted = document.model_dump(mode="json")
    current = await db.fetchrow(_CURRENT, host, document.kind, document.id)
    if current is None or current["document"] != wanted:
        generation = await db.fetchval(_NEXT, host)
        await db.execute(_PUT, host, document.kind, document.id, generation, waker, wanted)
        await db.notify(CHANNEL, host)


async def remove(db: Unit, host: str, kind: str, id: str, *, waker: str | None = None) -> None:
    """Make a thing go from a host. The tombstone stays until the host has reported that it is gone."""
    current = await db.fetchrow(_CURRENT, host, kind, id)
    if current is not None and current["document"] is not None:
        generation = await db.fetchval(_NEXT, host)
        await db.execute(_PUT, host, kind, id, generation, waker, None)
        await db.notify(CHANNEL, host)


async def forget(db: Unit, host: str, kind: str, id: str) -> None:
    """Drop the tombstone of a thing that is gone."""
    await db.execute(_GONE, host, kind, id)


async def hosts_with(db: Unit, kind: str, id: str) -> list[str]:
    """The hosts that must have a thing."""
    return [row["host_id"] for row in await db.fetch(_HOSTS_OF, kind, id)]


async def settled(db: Unit, host: str, kind: str, id: str) -> bool:
    """Whether the host has applied the newest wish about a thing, so that its report tells of just that."""
    return bool(await db.fetchval(_SETTLED, host, kind, id))


async def needs_blob(db: Unit, host: str, blob: str) -> bool:
    """Whether a host may read a blob: only what its own machines and containers are made of."""
    return bool(await db.fetchval(_NEEDS_BLOB, host, blob))


async def wants_machine(db: Unit, host: str, machine: str) -> bool:
    """Whether a machine belongs on a host."""
    return await machine_on(db, host, machine) is not None


async def machine_on(db: Unit, host: str, machine: str) -> Machine | None:
    """The machine that a host must have under an id."""
    document = await db.fetchval(_WANTS_MACHINE, host, machine)
    return Machine.model_validate(document) if document is not None else None


async def changes(db: Unit, host: str, after: int) -> Desired:
    """What changed after a generation, or with `after=0` everything that there must be."""
    generation = await db.fetchval(_GENERATION, host)
    if after > generation:
        after = 0  # the host has seen more than this database knows: it was restored from a backup
    rows = await db.fetch(_CHANGES, host, after)
    newest = max([generation if after == 0 else after, *(row["generation"] for row in rows)])
    return Desired(generation=newest, complete=after == 0, changes=tuple(Change(**row) for row in rows))


def digest(token: str) -> bytes:
    """Tokens of hosts are kept as digests only."""
    return hashlib.sha256(token.encode()).digest()

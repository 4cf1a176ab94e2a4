"""Hosts: joining, proving who they are, and being seen."""

from __future__ import annotations

import secrets
from typing import Any

from agents.contract.exchange import Capacity, Join, Observed
from controlplane.core.context import Unit
from controlplane.core.ids import resource_id
from controlplane.fleet.desired import digest

_JOIN = """
INSERT INTO fleet_hosts (id, name, kind, zone, address, token_digest, vcpus, memory_mib, disk_gib,
    vcpus_free, memory_free, disk_free, facts)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $7, $8, $9, $10)
ON CONFLICT (name, kind) DO UPDATE SET zone = excluded.zone, address = excluded.address,
    token_digest = excluded.token_digest, facts = excluded.facts, seen_at = now()
RETURNING id
"""
# A host that shrinks below what it has given away owes: its free share is negative until enough has come back.
_RESIZE = """
UPDATE fleet_hosts SET vcpus = $2, memory_mib = $3, disk_gib = $4,
    vcpus_free = vcpus_free + $2 - vcpus, memory_free = memory_free + $3 - memory_mib,
    disk_free = disk_free + $4 - disk_gib
WHERE id = $1 AND (vcpus, memory_mib, disk_gib) <> ($2, $3, $4)
"""
_FACTS = "UPDATE fleet_hosts SET facts = $2 WHERE id = $1 AND facts <> $2"
_WITH_DIGEST = "SELECT id, name FROM fleet_hosts WHERE token_digest = $1"
_SEEN = "UPDATE fleet_hosts SET seen_at = now() WHERE id = $1 AND seen_at < now() - interval '2 seconds'"
_ALL = """
SELECT id, name, kind, zone, address, vcpus, memory_mib, disk_gib, vcpus_free, memory_free, disk_free, facts,
    extract(epoch FROM now() - seen_at)::float AS silent_seconds,
    (SELECT count(*) FROM fleet_desired WHERE host_id = fleet_hosts.id AND document IS NOT NULL
        AND fleet_desired.kind IN ('machine', 'container')) AS holds
FROM fleet_hosts ORDER BY name, kind DESC
"""


def sellable(capacity: Capacity, cpu_overcommit: float) -> tuple[int, int, int]:
    """What a host may give away: processors are shared, memory and disk are not."""
    return int(capacity.vcpus * cpu_overcommit), capacity.memory_mib, capacity.disk_gib


async def join(db: Unit, request: Join, cpu_overcommit: float) -> tuple[str, str]:
    """Register a host, or give one that is known a new token. Answers its id and token; only a digest is kept."""
    token = secrets.token_urlsafe(32)
    vcpus, memory, disk = sellable(request.capacity, cpu_overcommit)
    id = await db.fetchval(
        _JOIN,
        resource_id("h"),
        request.name,
        request.kind,
        request.zone,
        request.address,
        digest(token),
        vcpus,
        memory,
        disk,
        request.facts,
    )
    await db.execute(_RESIZE, id, vcpus, memory, disk)
    return id, token


async def by_token(db: Unit, token: str) -> str | None:
    """The host that a token belongs to."""
    row = await db.fetchrow(_WITH_DIGEST, digest(token))
    return row["id"] if row else None


async def seen(db: Unit, host: str) -> None:
    """Note that a host has called."""
    await db.execute(_SEEN, host)


async def refresh(db: Unit, host: str, observed: Observed, cpu_overcommit: float) -> None:
    """Take over what a report says of the host itself."""
    if observed.capacity is not None:
        await db.execute(_RESIZE, host, *sellable(observed.capacity, cpu_overcommit))
    if observed.facts is not None:
        await db.execute(_FACTS, host, observed.facts)


async def all_hosts(db: Unit) -> list[Any]:
    """Every host with its capacity and how long it has been silent, for `celaje status`."""
    return await db.fetch(_ALL)

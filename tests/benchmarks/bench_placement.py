"""Placements a second over 6,000 simulated hosts: choices alone, and choices with their reservation in Postgres.

Machines of mixed sizes in three zones. Nomad's C1M challenge did 3,750 placements/s on 6,000 hosts.
"""

from __future__ import annotations

import asyncio
import random
import time

from controlplane.fleet.placement import Ask, Board, HostView, Placement
from controlplane.state import migrate
from controlplane.state.database import Database
from controlplane.supervise.scratch import scratch_postgres

HOSTS = 6000
CHOICES = 40_000
RESERVATIONS = 10_000
WRITERS = 8
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
SIZES = ((2, 1024), (2, 4096), (4, 16384), (1, 512))

_HOSTS = """
INSERT INTO fleet_hosts (id, name, kind, zone, address, token_digest, vcpus, memory_mib, disk_gib, vcpus_free,
    memory_free, disk_free)
SELECT 'h-' || n, 'host' || n, 'hypervisor', ($2::text[])[1 + n % 3], '127.0.0.1', decode(md5(n::text), 'hex'),
    256, 131072, 4000, 256, 131072, 4000
FROM generate_series(1, $1::int) AS n
"""
_KEEP_UP = "UPDATE fleet_hosts SET seen_at = now() + interval '1 hour'"


def asks(seed: int) -> list[Ask]:
    """Machines as a mixed crowd of users launches them."""
    chance = random.Random(seed)
    return [
        Ask(vcpus, memory, 8, zone=chance.choice((*ZONES, None)))
        for vcpus, memory in (chance.choice(SIZES) for _ in range(CHOICES))
    ]


def choices() -> float:
    """Choices a second in one process, no database."""
    board = Board(
        (HostView(f"h-{n}", "hypervisor", ZONES[n % 3], 256, 131072, 256, 131072, 4000) for n in range(HOSTS)), seed=1
    )
    wanted = asks(1)
    began = time.perf_counter()
    for ask in wanted:
        host = board.choose(ask)
        assert host is not None
        host.take(ask)
    return len(wanted) / (time.perf_counter() - began)


async def reservations(url: str) -> float:
    """Placements a second, each reserved in Postgres, from several writers at once."""
    database = await Database.open(url, generations=None, size=WRITERS)
    async with database.unit() as db:
        await db.execute(_HOSTS, HOSTS, list(ZONES))
        await db.execute(_KEEP_UP)
    placement, wanted = Placement(), asks(2)[:RESERVATIONS]

    async def write(worker: int) -> None:
        for place in range(worker, len(wanted), WRITERS):
            async with database.unit() as db:
                assert await placement.reserve(db, f"m-{place}", wanted[place])

    began = time.perf_counter()
    await asyncio.gather(*(write(worker) for worker in range(WRITERS)))
    rate = len(wanted) / (time.perf_counter() - began)
    await database.close()
    return rate


def main() -> None:
    print(f"placement over {HOSTS} hosts: {choices():,.0f} choices/s")
    with scratch_postgres() as url:
        asyncio.run(migrate.upgrade(url))
        rate = asyncio.run(reservations(url))
    print(f"    with the reservation committed in Postgres (fsync off), {WRITERS} writers: {rate:,.0f} placements/s")


if __name__ == "__main__":
    main()

"""Placement: filters and scores, and reservations by workers that know nothing of each other."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agents.contract.exchange import Capacity, Join, Observed
from controlplane.fleet import hosts, placement
from controlplane.fleet.placement import Ask, Board, HostView, Placement
from controlplane.state.database import Database


def host(id: str = "h-1", **changes: Any) -> HostView:
    facts: dict[str, Any] = {
        "kind": "hypervisor",
        "zone": None,
        "vcpus": 8,
        "memory_mib": 8192,
        "vcpus_free": 8,
        "memory_free": 8192,
        "disk_free": 100,
    }
    return HostView(id, **{**facts, **changes})


ASK = Ask(vcpus=2, memory_mib=1024, disk_gib=8)


@pytest.mark.parametrize(
    "changes",
    [{"vcpus_free": 1}, {"memory_free": 1023}, {"disk_free": 7}, {"kind": "container"}, {"vcpus_free": -4}],
)
def test_hosts_that_cannot_hold_it_are_left_out(changes: dict[str, Any]) -> None:
    assert Board([host(**changes)]).choose(ASK) is None


def test_zone_matters_only_to_hosts_that_have_one() -> None:
    ask = Ask(1, 512, 1, zone="us-east-1a")
    assert Board([host(zone="us-east-1b")]).choose(ask) is None
    for zone in ("us-east-1a", None):
        assert Board([host(zone=zone)]).choose(ask) is not None


def test_emptiest_host_wins_and_siblings_are_kept_apart() -> None:
    full, empty = host("h-full", memory_free=2048, vcpus_free=2), host("h-empty")
    for seed in range(10):
        board = Board([full, empty], seed=seed)
        chosen = board.choose(ASK)
        assert chosen is not None and chosen.id == "h-empty"
        beside = board.choose(Ask(2, 1024, 8, avoid=frozenset({"h-empty"})))
        assert beside is not None and beside.id == "h-full"
    alone = Board([empty]).choose(Ask(2, 1024, 8, avoid=frozenset({"h-empty"})))
    assert alone is not None and alone.id == "h-empty"


async def joined(database: Database, count: int, capacity: Capacity) -> list[str]:
    ids = []
    for number in range(count):
        async with database.unit() as db:
            request = Join(name=f"host-{number}", kind="hypervisor", address="127.0.0.1", capacity=capacity)
            ids.append((await hosts.join(db, request, 1.0))[0])
    return ids


SMALL = Capacity(vcpus=4, memory_mib=4096, disk_gib=40)


async def free(database: Database) -> list[tuple[int, int, int]]:
    rows = await database.fetch("SELECT vcpus_free, memory_free, disk_free FROM fleet_hosts ORDER BY name")
    return [tuple(row) for row in rows]


async def test_two_workers_never_oversell(database: Database) -> None:
    await joined(database, 3, SMALL)
    workers = Placement(), Placement()

    async def launch(number: int) -> str | None:
        async with database.unit() as db:
            return await workers[number % 2].reserve(db, f"i-{number}", Ask(1, 1024, 8))

    placed = [host for host in await asyncio.gather(*(launch(n) for n in range(40))) if host]
    assert len(placed) == 12
    assert await free(database) == [(0, 0, 8)] * 3
    async with database.unit() as db:
        assert await placement.all_hosts_up(db)


async def test_asking_again_answers_the_same_host_and_takes_nothing(database: Database) -> None:
    await joined(database, 2, SMALL)
    first, second = Placement(), Placement()
    async with database.unit() as db:
        host = await first.reserve(db, "i-1", ASK)
    async with database.unit() as db:
        assert await second.reserve(db, "i-1", ASK) == host
        await placement.release(db, "i-1")
        await placement.release(db, "i-1")
    assert await free(database) == [(4, 4096, 40)] * 2


async def test_stopped_machine_keeps_its_disk_only(database: Database) -> None:
    await joined(database, 1, SMALL)
    chooser = Placement()
    async with database.unit() as db:
        await chooser.reserve(db, "i-1", Ask(4, 4096, 8))
    async with database.unit() as db:
        await placement.park(db, "i-1")
        await placement.park(db, "i-1")
    assert await free(database) == [(4, 4096, 32)]
    async with database.unit() as db:
        assert await Placement().reserve(db, "i-2", Ask(2, 1024, 8))
        assert not await placement.unpark(db, "i-1", Ask(4, 4096, 8))
        assert await placement.unpark(db, "i-1", Ask(2, 2048, 8))
        assert await placement.unpark(db, "i-1", Ask(2, 2048, 8))
    assert await free(database) == [(0, 1024, 24)]
    async with database.unit() as db:
        await placement.release(db, "i-1")
        await placement.release(db, "i-2")
    assert await free(database) == [(4, 4096, 40)]


async def test_a_host_that_shrinks_owes_until_enough_has_come_back(database: Database) -> None:
    (id,) = await joined(database, 1, SMALL)
    async with database.unit() as db:
        await Placement().reserve(db, "i-1", Ask(2, 2048, 8))
        await Placement().reserve(db, "i-2", Ask(2, 2048, 8))
    async with database.unit() as db:
        smaller = Capacity(vcpus=3, memory_mib=3072, disk_gib=40)
        await hosts.refresh(db, id, Observed(capacity=smaller), 1.0)
    assert await free(database) == [(-1, -1024, 24)]
    async with database.unit() as db:
        assert await Placement().reserve(db, "i-3", Ask(1, 512, 1)) is None
        await placement.release(db, "i-1")
    assert await free(database) == [(1, 1024, 32)]


async def test_silent_hosts_get_nothing(database: Database) -> None:
    await joined(database, 1, SMALL)
    async with database.unit() as db:
        await db.execute("UPDATE fleet_hosts SET seen_at = now() - interval '1 minute'")
        assert await Placement().reserve(db, "i-1", ASK) is None
        assert not await placement.all_hosts_up(db)

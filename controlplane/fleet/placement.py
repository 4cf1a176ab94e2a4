"""Which host gets a machine: filters, then scores, then a reservation in the database.

The choice is made on a view of the hosts that may be a second old; the reservation is a conditional update, so a stale
view costs a retry and never an oversold host. As Nomad does, only a sample of the hosts that pass the filters is
scored, so that the cost of a choice does not grow with the fleet.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from controlplane.core.context import Unit

VIEW_SECONDS = 1.0
UP_SECONDS = 15.0
"""A host that has not called for so long gets no new machines."""
_SAMPLE = 14
_ATTEMPTS = 5
_FRESH_SECONDS = 0.01

_HOSTS = """
SELECT id, kind, zone, vcpus, memory_mib, vcpus_free, memory_free, disk_free FROM fleet_hosts
WHERE seen_at > now() - make_interval(secs => $1) ORDER BY id
"""
_RESERVE = """
WITH held AS (SELECT host_id FROM fleet_reservations WHERE machine = $1),
host AS (
    UPDATE fleet_hosts
    SET vcpus_free = vcpus_free - $3, memory_free = memory_free - $4, disk_free = disk_free - $5
    WHERE id = $2 AND vcpus_free >= $3 AND memory_free >= $4 AND disk_free >= $5 AND NOT EXISTS (SELECT FROM held)
    RETURNING id
),
made AS (
    INSERT INTO fleet_reservations (machine, host_id, vcpus, memory_mib, disk_gib)
    SELECT $1, id, $3, $4, $5 FROM host RETURNING host_id
)
SELECT host_id FROM held UNION ALL SELECT host_id FROM made
"""
_ALL_UP = """
SELECT count(*) > 0 AND bool_and(seen_at > now() - make_interval(secs => $1)) FROM fleet_hosts WHERE kind = $2
"""
_HELD = "SELECT host_id FROM fleet_reservations WHERE machine = $1"
_PARK = """
WITH held AS (SELECT machine, host_id, vcpus, memory_mib FROM fleet_reservations WHERE machine = $1 FOR UPDATE),
    kept AS (UPDATE fleet_reservations r SET vcpus = 0, memory_mib = 0 FROM held WHERE r.machine = held.machine)
UPDATE fleet_hosts SET vcpus_free = vcpus_free + held.vcpus, memory_free = memory_free + held.memory_mib
FROM held WHERE fleet_hosts.id = held.host_id
"""
_UNPARK = """
WITH host AS (
    UPDATE fleet_hosts h SET vcpus_free = vcpus_free - $2, memory_free = memory_free - $3
    FROM fleet_reservations r
    WHERE r.machine = $1 AND r.vcpus = 0 AND r.host_id = h.id AND vcpus_free >= $2 AND memory_free >= $3
    RETURNING h.id
)
UPDATE fleet_reservations SET vcpus = $2, memory_mib = $3 FROM host WHERE machine = $1 RETURNING true
"""
_RUNNING = "SELECT vcpus > 0 FROM fleet_reservations WHERE machine = $1"
_RELEASE = """
WITH gone AS (DELETE FROM fleet_reservations WHERE machine = $1 RETURNING host_id, vcpus, memory_mib, disk_gib)
UPDATE fleet_hosts SET vcpus_free = vcpus_free + gone.vcpus, memory_free = memory_free + gone.memory_mib,
    disk_free = disk_free + gone.disk_gib
FROM gone WHERE fleet_hosts.id = gone.host_id
"""


@dataclass(frozen=True, slots=True)
class Ask:
    """What a machine needs. Sizes in MiB and GiB; `zone` None means anywhere."""

    vcpus: int
    memory_mib: int
    disk_gib: int
    zone: str | None = None
    kind: str = "hypervisor"
    avoid: frozenset[str] = frozenset()
    """Hosts that hold a sibling (same reservation or spread group): taken only when nothing else fits."""


@dataclass(slots=True)
class HostView:
    """A host as the placement sees it; `*_free` goes down as choices are made on this view."""

    id: str
    kind: str
    zone: str | None
    vcpus: int
    memory_mib: int
    vcpus_free: int
    memory_free: int
    disk_free: int

    def take(self, ask: Ask) -> None:
        self.vcpus_free -= ask.vcpus
        self.memory_free -= ask.memory_mib
        self.disk_free -= ask.disk_gib


Filter = Callable[[HostView, Ask], bool]
Score = Callable[[HostView, Ask], float]


def fits(host: HostView, ask: Ask) -> bool:
    return host.memory_free >= ask.memory_mib and host.vcpus_free >= ask.vcpus and host.disk_free >= ask.disk_gib


def right_kind(host: HostView, ask: Ask) -> bool:
    return host.kind == ask.kind


def right_zone(host: HostView, ask: Ask) -> bool:
    """A host without a zone serves all of them: the usual case at home."""
    return ask.zone is None or host.zone is None or host.zone == ask.zone


def room_left(host: HostView, ask: Ask) -> float:
    """Even load: the share of memory and processors that stays free, 0 to 2."""
    return (host.memory_free - ask.memory_mib) / host.memory_mib + (host.vcpus_free - ask.vcpus) / max(host.vcpus, 1)


def apart_from_siblings(host: HostView, ask: Ask) -> float:
    return -100.0 if host.id in ask.avoid else 0.0


FILTERS: tuple[Filter, ...] = (fits, right_kind, right_zone)
SCORES: tuple[Score, ...] = (room_left, apart_from_siblings)


class Board:
    """A view of all hosts that are up."""

    def __init__(self, hosts: Iterable[HostView], *, seed: int | None = None) -> None:
        self.hosts = list(hosts)
        self._random = random.Random(seed)  # noqa: S311 (spreads load; nothing to guess)

    def choose(self, ask: Ask) -> HostView | None:
        """The best of a sample of the hosts that pass the filters, or None when none does."""
        count = len(self.hosts)
        if not count:
            return None
        start = self._random.randrange(count)
        best: HostView | None = None
        best_score, found = float("-inf"), 0
        for offset in range(count):
            host = self.hosts[(start + offset) % count]
            if not all(passes(host, ask) for passes in FILTERS):
                continue
            score = sum(rate(host, ask) for rate in SCORES)
            if score > best_score:
                best, best_score = host, score
            found += 1
            if found >= _SAMPLE:
                break
        return best


class Placement:
    """Chooses and reserves. One a process; keeps the view of the hosts for a second."""

    def __init__(self) -> None:
        self._board: Board | None = None
        self._seen = 0.0

    async def reserve(self, db: Unit, machine: str, ask: Ask) -> str | None:
        """Hold capacity for a machine and answer its host, or None when no host has room. Asking again for the same
        machine answers the host that it has."""
        for _ in range(_ATTEMPTS):
            host = (await self._view(db)).choose(ask)
            if host is None:
                if self._age() < _FRESH_SECONDS:
                    break
            elif held := await db.fetchval(_RESERVE, machine, host.id, ask.vcpus, ask.memory_mib, ask.disk_gib):
                if held == host.id:
                    host.take(ask)
                return str(held)
            self._board = None
        return await host_of(db, machine)

    async def _view(self, db: Unit) -> Board:
        if self._board is None or self._age() > VIEW_SECONDS:
            self._board = Board(HostView(**row) for row in await db.fetch(_HOSTS, UP_SECONDS))
            self._seen = time.monotonic()
        return self._board

    def _age(self) -> float:
        return time.monotonic() - self._seen


async def all_hosts_up(db: Unit, kind: str = "hypervisor") -> bool:
    """Whether every known host has called lately, so that "no room" is the last word."""
    return bool(await db.fetchval(_ALL_UP, UP_SECONDS, kind))


async def host_of(db: Unit, machine: str) -> str | None:
    """The host that holds a machine's reservation."""
    return await db.fetchval(_HELD, machine)  # type: ignore[no-any-return]


async def release(db: Unit, machine: str) -> None:
    """Give a machine's capacity back. Nothing happens when it holds none."""
    await db.execute(_RELEASE, machine)


async def park(db: Unit, machine: str) -> None:
    """Give back the processors and memory of a stopped machine; its disk stays where it is."""
    await db.execute(_PARK, machine)


async def unpark(db: Unit, machine: str, ask: Ask) -> bool:
    """Hold processors and memory again on the host that has the machine's disk. False when there is no room."""
    if await db.fetchval(_RUNNING, machine):
        return True
    return bool(await db.fetchval(_UNPARK, machine, ask.vcpus, ask.memory_mib))

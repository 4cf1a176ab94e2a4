"""Worker and Postgres are killed, again and again, while hours are written to the ledger: in the end it says just what
was used."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from controlplane.settings import Settings
from tests.cloud import Cloud

RESOURCES = 600
KILLS = 8
HOUR = timedelta(hours=1)
END = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
BEGIN = END - 40 * HOUR
SETTLE_SECONDS = 120.0
_SPAN = """
INSERT INTO usage_spans (account_id, region, resource_id, metric, amount, facts, started_at, ended_at)
VALUES ($1, 'us-east-1', $2, $3, $4, '{"type": "t3.nano", "zone": "us-east-1a"}', $5, $6)
"""

Span = tuple[str, str, float, datetime, datetime]
"""Resource, metric, amount, from when until when."""


@pytest.fixture
def maltreated() -> Iterator[Cloud]:
    with tempfile.TemporaryDirectory(prefix="celaje-drill-") as folder:
        cloud = Cloud(Path(folder), agent=False)
        try:
            cloud.start()
            yield cloud
        finally:
            cloud.stop()


def spans() -> list[Span]:
    """Machines and disks that came and went at odd moments; each of them is gone."""
    chance = random.Random(7)
    found = []
    for number in range(RESOURCES):
        metric, amount = ("ec2.instances", 1.0) if number % 2 else ("ec2.volumes", float(1 + number % 9))
        at = BEGIN + timedelta(seconds=chance.uniform(0, 35 * 3600))
        for _ in range(2):
            until = at + timedelta(seconds=chance.uniform(1, 2 * 3600))
            found.append((f"r-{number}", metric, amount, at, until))
            at = until + timedelta(seconds=chance.uniform(1, 600))
    return found


def expected(used: list[Span]) -> dict[tuple[datetime, str], float]:
    """What the ledger must say, hour by hour."""
    found: dict[tuple[datetime, str], float] = {}
    for resource, _, amount, start, end in used:
        hour = start.replace(minute=0, second=0, microsecond=0)
        while hour < end:
            seconds = (min(end, hour + HOUR) - max(start, hour)).total_seconds()
            found[hour, resource] = found.get((hour, resource), 0.0) + amount * seconds
            hour += HOUR
    return found


async def _execute(cloud: Cloud, statement: str, *arguments: Any, many: Any = None) -> list[Any]:
    connection = await asyncpg.connect(Settings(home=cloud.home).database)
    try:
        if many is None:
            return list(await connection.fetch(statement, *arguments))
        async with connection.transaction():
            await connection.executemany(statement, many)
        return []
    finally:
        await connection.close()


def _kill(cloud: Cloud, victim: str) -> None:
    pid = cloud.process(victim)["pid"]
    if pid:
        os.kill(pid, signal.SIGKILL)


def _call(client: Any, tally: dict[str, int]) -> None:
    tally["tried"] += 1
    try:
        client.get_caller_identity()
        tally["answered"] += 1
    except (ClientError, BotoCoreError):
        pass


def test_the_ledger_says_what_was_used_whoever_is_killed(maltreated: Cloud) -> None:
    account, used, tally = maltreated.new_account(), spans(), {"tried": 0, "answered": 0}
    rows = [(account.id, *span) for span in used]
    asyncio.run(_execute(maltreated, _SPAN, many=rows))
    client, chance = account.client("sts"), random.Random(3)
    for number in range(KILLS):
        until = time.monotonic() + chance.uniform(0.2, 1.5)
        while time.monotonic() < until:
            _call(client, tally)
        _kill(maltreated, "worker" if number % 2 else "postgres")
    maltreated.wait_until(lambda: maltreated.status()["ready"])
    for _ in range(20):
        _call(client, tally)
    count = "SELECT count(*) FROM usage_periods WHERE period < $1"
    hours = round((END - min(span[3] for span in used).replace(minute=0, second=0, microsecond=0)) / HOUR)
    requests = "SELECT sum(quantity) FROM usage_ledger WHERE account_id = $1 AND metric = 'requests:sts'"

    def settled() -> bool:
        written = asyncio.run(_execute(maltreated, count, END))[0][0]
        counted = asyncio.run(_execute(maltreated, requests, account.id))[0][0]
        return bool(written == hours and counted and counted >= tally["answered"])

    maltreated.wait_until(settled, SETTLE_SECONDS)
    statement = "SELECT period, resource_id, quantity FROM usage_ledger WHERE account_id = $1 AND resource_id <> ''"
    ledger = {(row[0], row[1]): row[2] for row in asyncio.run(_execute(maltreated, statement, account.id))}
    wanted = expected(used)
    assert ledger.keys() == wanted.keys()
    assert all(ledger[key] == pytest.approx(wanted[key], abs=1e-3) for key in wanted)
    assert tally["answered"] <= asyncio.run(_execute(maltreated, requests, account.id))[0][0] <= tally["tried"]

"""The ledger: every hour of every resource just once, whoever dies and whoever comes second."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from controlplane.metering import ledger, pricing, spans
from controlplane.metering.meters import meters
from controlplane.metering.pricing import Prices
from controlplane.metering.reconcilers import keep_ledger
from controlplane.metering.requests import RequestCounts
from controlplane.state.database import Database
from controlplane.work.reconciler import Run

HOUR = timedelta(hours=1)
THIS_HOUR = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
ACCOUNT = "111111111111"


async def span(db: Any, resource: str, start: datetime, end: datetime | None, amount: float = 1) -> None:
    await db.insert(
        "usage_spans",
        account_id=ACCOUNT,
        region="us-east-1",
        resource_id=resource,
        metric="ec2.instances",
        amount=amount,
        facts={"type": "t3.nano", "zone": "us-east-1a"},
        started_at=start,
        ended_at=end,
    )


async def entries(database: Database) -> dict[tuple[datetime, str], float]:
    rows = await database.fetch("SELECT period, resource_id, quantity FROM usage_ledger")
    return {(row["period"], row["resource_id"]): row["quantity"] for row in rows}


async def test_hours_that_were_missed_are_caught_up(database: Database) -> None:
    start = THIS_HOUR - 3 * HOUR
    async with database.unit() as db:
        await span(db, "i-1", start + timedelta(minutes=30), None)
        await span(db, "i-2", start + timedelta(minutes=10), start + timedelta(minutes=15))
        await span(db, "i-2", start + timedelta(minutes=20), start + timedelta(minutes=21))
        await span(db, "vol-1", start, start + 2 * HOUR, amount=8)
    run = Run("*", "r", database)
    await keep_ledger(run, "*")
    found = await entries(database)
    if datetime.now(UTC) - THIS_HOUR < timedelta(minutes=2):
        pytest.skip("the hour has just begun")
    assert found[start, "i-1"] == 1800 and found[start + HOUR, "i-1"] == 3600
    assert found[start, "i-2"] == 360
    assert found[start, "vol-1"] == 8 * 3600 and (start + 2 * HOUR, "vol-1") not in found
    await keep_ledger(run, "*")
    assert await entries(database) == found


async def test_two_recorders_write_an_hour_once(database: Database) -> None:
    async with database.unit() as db:
        await span(db, "i-1", THIS_HOUR - HOUR, THIS_HOUR)

    async def record() -> bool:
        async with database.unit() as db:
            return await ledger.record(db, THIS_HOUR - HOUR)

    assert sorted(await asyncio.gather(*(record() for _ in range(6)))) == [False] * 5 + [True]
    assert await entries(database) == {(THIS_HOUR - HOUR, "i-1"): 3600}


KILLED = """
import asyncio, sys
from datetime import datetime
from controlplane.metering import ledger
from controlplane.state.database import Database
async def main():
    database = await Database.open(sys.argv[1], generations=None, size=1)
    async with database.unit() as db:
        print(await ledger.record(db, datetime.fromisoformat(sys.argv[2])), flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""


async def test_a_recorder_that_is_killed_leaves_nothing_half_done(database: Database) -> None:
    async with database.unit() as db:
        await span(db, "i-1", THIS_HOUR - HOUR, None)
    for _ in range(2):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", KILLED, database.url, (THIS_HOUR - HOUR).isoformat(), stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        assert await process.stdout.readline() == b"True\n"
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
        assert await entries(database) == {}
    async with database.unit() as db:
        assert await ledger.record(db, THIS_HOUR - HOUR)
    assert await entries(database) == {(THIS_HOUR - HOUR, "i-1"): 3600}


async def test_a_batch_whose_commit_was_not_heard_of_counts_once(database: Database) -> None:
    counts = RequestCounts(database)
    for _ in range(3):
        counts.count(ACCOUNT, "us-east-1", "ec2", 100)
    real = database.unit

    class Deaf:
        """Commits, and loses the answer."""

        def __init__(self) -> None:
            self.inner = real()

        async def __aenter__(self) -> Any:
            return await self.inner.__aenter__()

        async def __aexit__(self, *error: Any) -> None:
            await self.inner.__aexit__(*error)
            raise ConnectionError("no answer")

    database.unit = Deaf  # type: ignore[method-assign]
    await counts.flush()
    database.unit = real  # type: ignore[method-assign]
    counts.count(ACCOUNT, "us-east-1", "ec2", 100)
    await counts.flush()
    rows = await database.fetch("SELECT metric, sum(quantity) AS total FROM usage_ledger GROUP BY metric")
    assert {row["metric"]: row["total"] for row in rows} == {"requests:ec2": 4, "bytes-out:ec2": 400}


async def test_listings_open_and_close_spans(database: Database) -> None:
    meter = meters()["ec2.volumes"]
    async with database.unit() as db:
        await db.execute(
            "INSERT INTO ec2_volumes (id, account_id, region, zone, size_gib) "
            "VALUES ('vol-1', $1, 'us-east-1', 'us-east-1a', 8)",
            ACCOUNT,
        )
    for change, expected in (
        ("SELECT 1", [(8, False)]),
        ("UPDATE ec2_volumes SET size_gib = 10", [(8, True), (10, False)]),
        ("DELETE FROM ec2_volumes", [(8, True), (10, True)]),
    ):
        async with database.unit() as db:
            await db.execute(change)
        for _ in range(2):
            async with database.unit() as db:
                await spans.follow(db, meter)
        rows = await database.fetch("SELECT amount, ended_at FROM usage_spans ORDER BY id")
        assert [(row["amount"], row["ended_at"] is not None) for row in rows] == expected


def test_the_free_tier_is_used_up_in_order_and_anew_each_month() -> None:
    table = Prices({"BoxUsage:t3.micro": 1.0}, ((frozenset({"BoxUsage:t3.micro"}), 2.0),))

    def row(day: int, month: int, account: str = ACCOUNT) -> dict[str, Any]:
        facts = {"type": "t3.micro", "zone": "a"}
        return {
            "period": datetime(2026, month, day, tzinfo=UTC),
            "resource_id": "i-1",
            "metric": "ec2.instances",
            "account_id": account,
            "region": "us-east-1",
            "facts": facts,
            "tags": {},
            "quantity": 5400.0,
        }

    rows = [row(1, 1), row(2, 1), row(3, 1), row(3, 1, "2" * 12), row(1, 2)]
    assert [round(charge.cost, 6) for charge in pricing.charges(rows, table)] == [0, 1.0, 1.5, 0, 0]


def test_the_owners_prices_hold(tmp_path: Path) -> None:
    own = tmp_path / "prices.toml"
    assert pricing.prices(own).prices["BoxUsage:t3.nano"] == 0.0052
    own.write_text('[prices]\n"BoxUsage:t3.nano" = 2\n')
    assert pricing.prices(own) == Prices({"BoxUsage:t3.nano": 2.0}, ())

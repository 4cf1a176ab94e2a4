"""The ledger: what each resource used, by hour. Every hour is written once, whoever dies in the midst of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from controlplane.core.context import Unit

Counted = tuple[datetime, str, str, str, float, dict[str, str]]
"""Period, metric, account, region, quantity and facts of what was counted rather than measured."""

PERIOD = timedelta(hours=1)
_MOST_PERIODS = 48
"""So many periods are caught up in one go."""

# Whoever else records the same period waits here for the first to commit, and then does nothing.
_CLAIM = "INSERT INTO usage_periods (period) VALUES ($1) ON CONFLICT DO NOTHING RETURNING true"
_LAST = "SELECT max(period) FROM usage_periods"
_FIRST = "SELECT date_trunc('hour', min(started_at)) FROM usage_spans"
_EARLIEST = "SELECT min(started_at) FROM usage_spans WHERE account_id = ANY($1)"
_ACCRUED = """
SELECT {period} AS period, resource_id, metric, account_id, region,
  sum(amount * extract(epoch FROM least(coalesce(ended_at, $2), $2) - greatest(started_at, $1))) AS quantity,
  (array_agg(facts ORDER BY started_at DESC))[1] AS facts, (array_agg(tags ORDER BY started_at DESC))[1] AS tags
FROM usage_spans WHERE started_at < $2 AND (ended_at IS NULL OR ended_at > $1)
"""
_GROUP = " GROUP BY resource_id, metric, account_id, region"
_RECORD = f"""
INSERT INTO usage_ledger (period, resource_id, metric, account_id, region, quantity, facts, tags)
{_ACCRUED.format(period="$1::timestamptz")} {_GROUP} ON CONFLICT DO NOTHING
"""
_DROP_SPANS = "DELETE FROM usage_spans WHERE ended_at <= $1"
_ADD = """
INSERT INTO usage_ledger (period, resource_id, metric, account_id, region, quantity, facts)
VALUES ($1, '', $2, $3, $4, $5, $6)
ON CONFLICT (period, resource_id, metric, account_id, region)
DO UPDATE SET quantity = usage_ledger.quantity + excluded.quantity
"""
_FLUSHED = "INSERT INTO usage_flushes (id) VALUES ($1) ON CONFLICT DO NOTHING RETURNING true"
_FORGET_FLUSHES = "DELETE FROM usage_flushes WHERE at < now() - interval '1 day'"
_ENTRIES = """
SELECT date_trunc($4, period AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' AS period, resource_id, metric, account_id, region,
  facts, tags, sum(quantity) AS quantity
FROM usage_ledger WHERE account_id = ANY($1) AND period >= $2 AND period < $3
GROUP BY 1, resource_id, metric, account_id, region, facts, tags ORDER BY 1
"""
_PENDING = f"""
{_ACCRUED.format(period="$1::timestamptz")} AND account_id = ANY($3) {_GROUP}
"""


async def record(db: Unit, period: datetime) -> bool:
    """Write one period that is over, in the caller's transaction; False when it was written before."""
    if not await db.fetchval(_CLAIM, period):
        return False
    await db.execute(_RECORD, period, period + PERIOD)
    await db.execute(_DROP_SPANS, period + PERIOD)
    return True


async def due(db: Unit, now: datetime) -> list[datetime]:
    """The periods that are over and not yet written, oldest first."""
    last = await db.fetchval(_LAST)
    first = last + PERIOD if last is not None else await db.fetchval(_FIRST)
    found: list[datetime] = []
    while first is not None and first + PERIOD <= now and len(found) < _MOST_PERIODS:
        found.append(first)
        first += PERIOD
    return found


async def add_requests(db: Unit, flush: str, counted: list[Counted]) -> bool:
    """Add a batch; False when this batch was added before."""
    if not await db.fetchval(_FLUSHED, flush):
        return False
    await db.executemany(_ADD, sorted(counted, key=lambda item: (item[0], item[1], item[2], item[3])))
    return True


async def forget_flushes(db: Unit) -> None:
    """Drop the names of batches that nobody can send again."""
    await db.execute(_FORGET_FLUSHES)


async def used(db: Unit, accounts: list[str], start: datetime, end: datetime, unit: str) -> list[Any]:
    """What accounts used, by `unit` (hour or day) and resource, in order of time. What no period holds yet is worked
    out from the spans."""
    rows = [dict(row) for row in await db.fetch(_ENTRIES, accounts, start, end, unit)]
    last = await db.fetchval(_LAST)
    earliest = await db.fetchval(_EARLIEST, accounts)
    since = max(start, last + PERIOD) if last is not None else start
    since = max(since, earliest) if earliest is not None else end
    now = min(end, await db.fetchval("SELECT now()"))
    step = timedelta(hours=1) if unit == "hour" else timedelta(days=1)
    while since < now:
        floor = since.replace(minute=0, second=0, microsecond=0)
        floor = floor if unit == "hour" else floor.replace(hour=0)
        until = min(now, floor + step)
        for row in await db.fetch(_PENDING, since, until, accounts):
            rows.append({**row, "period": floor})
        since = until
    return sorted(rows, key=lambda row: row["period"])

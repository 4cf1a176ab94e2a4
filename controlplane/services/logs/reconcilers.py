"""What is kept no longer: events past their group's retention, and those of deleted streams and groups."""

from __future__ import annotations

from typing import Any

from controlplane.core import storage_clock as clock
from controlplane.services.logs.groups import now
from controlplane.work.reconciler import GONE, Again, Outcome, Run, reconciler

_PORTION = 1000
_EVERY_SECONDS = 3600.0
_REMAINS = """
DELETE FROM logs_batches WHERE id = ANY (ARRAY(SELECT id FROM logs_batches WHERE {} = $1 LIMIT $2)) RETURNING true
"""
_COLUMNS = {"group": "group_id", "stream": "stream_id"}
_EXPIRE = """
WITH old AS (
  SELECT b.id FROM logs_groups g CROSS JOIN LATERAL (
    SELECT id FROM logs_batches WHERE group_id = g.id AND first_at < $1 - (g.retention * $2)::bigint
    AND last_at < $1 - (g.retention * $2)::bigint LIMIT $3) b
  WHERE g.retention IS NOT NULL LIMIT $3
), gone AS (DELETE FROM logs_batches b USING old WHERE b.id = old.id RETURNING b.stream_id, b.size),
freed AS (
  UPDATE logs_streams s SET size = s.size - g.size
  FROM (SELECT stream_id, sum(size) AS size FROM gone GROUP BY stream_id) g WHERE s.id = g.stream_id)
SELECT true FROM gone
"""


# Each group's number is one step down the index. What a closed account's last requests wrote has no group any more.
_ORPHANS = """
WITH RECURSIVE held AS (
  SELECT min(group_id) AS id FROM logs_batches
  UNION ALL SELECT (SELECT min(group_id) FROM logs_batches WHERE group_id > held.id) FROM held WHERE id IS NOT NULL)
SELECT id FROM held WHERE id IS NOT NULL AND NOT EXISTS (SELECT FROM logs_groups WHERE logs_groups.id = held.id)
"""


@reconciler("logs.remains")
async def remains(run: Run, key: str) -> Outcome:
    """Delete the events of a deleted stream or group."""
    what, _, id = key.partition("/")
    await _by_portions(run, _REMAINS.format(_COLUMNS[what]), int(id))
    return GONE


async def _by_portions(run: Run, sql: str, *args: Any) -> None:
    """Run a statement that deletes a portion, in a transaction of its own each time, until nothing is left."""
    found = _PORTION
    while found == _PORTION:
        async with run.step() as db:
            found = len(await db.fetch(sql, *args, _PORTION))


@reconciler("logs.retention", every=_EVERY_SECONDS, standing=True)
async def expire(run: Run, key: str) -> Outcome:
    """Delete batches whose last event is past its group's retention, which readers see no more anyway, and those whose
    group is gone."""
    assert run.runtime is not None
    day = run.runtime.cloud.storage_day
    await _by_portions(run, _EXPIRE, now(), day * 1000)
    async with run.step() as db:
        orphans = [row["id"] for row in await db.fetch(_ORPHANS)]
    for id in orphans:
        await _by_portions(run, _REMAINS.format(_COLUMNS["group"]), id)
    return Again(clock.scaled(_EVERY_SECONDS, day).total_seconds() + 1)

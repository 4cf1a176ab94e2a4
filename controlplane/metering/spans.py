"""Spans: from when until when a resource costs something. Opened and closed in the transaction of the change itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controlplane.core.context import Unit
from controlplane.metering.meters import Meter, meters

_OPEN = """
INSERT INTO usage_spans (account_id, region, resource_id, metric, amount, facts, tags, started_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, now()) ON CONFLICT DO NOTHING
"""
_CLOSE = "UPDATE usage_spans SET ended_at = now() WHERE resource_id = $1 AND metric = $2 AND ended_at IS NULL"
# One statement a meter: what is new is opened, what changed its size is closed and opened, what is gone is closed.
_FOLLOW = """
WITH there AS ({listing}),
closed AS (
    UPDATE usage_spans s SET ended_at = now() WHERE s.metric = $1 AND s.ended_at IS NULL
    AND NOT EXISTS (SELECT FROM there t WHERE t.id = s.resource_id AND t.amount = s.amount) RETURNING s.resource_id
),
retagged AS (
    UPDATE usage_spans s SET tags = coalesce(t.tags, '{{}}') FROM there t
    WHERE s.metric = $1 AND s.ended_at IS NULL AND t.id = s.resource_id AND t.amount = s.amount
    AND s.tags <> coalesce(t.tags, '{{}}') RETURNING s.resource_id
)
INSERT INTO usage_spans (account_id, region, resource_id, metric, amount, facts, tags, started_at)
SELECT t.account_id, t.region, t.id, $1, t.amount, t.facts, coalesce(t.tags, '{{}}'),
    CASE WHEN EXISTS (SELECT FROM usage_spans s WHERE s.resource_id = t.id AND s.metric = $1)
    THEN now() ELSE t.since END
FROM there t
WHERE NOT EXISTS (
    SELECT FROM usage_spans s
    WHERE s.resource_id = t.id AND s.metric = $1 AND s.ended_at IS NULL AND s.amount = t.amount
)
ON CONFLICT DO NOTHING
"""


async def begin(
    db: Unit, metric: str, row: Mapping[str, Any], amount: float, facts: Mapping[str, str], tags: Mapping[str, str]
) -> None:
    """From now on a resource costs something; once more changes nothing. `row` has id, account_id and region."""
    await db.execute(_OPEN, row["account_id"], row["region"], row["id"], metric, amount, dict(facts), dict(tags))


async def end(db: Unit, metric: str, resource_id: str) -> None:
    """From now on it costs nothing; once more changes nothing."""
    await db.execute(_CLOSE, resource_id, metric)


async def follow(db: Unit, meter: Meter) -> None:
    """Open and close the spans of a meter as its listing says, precise to the time between two calls."""
    await db.execute(_FOLLOW.format(listing=meter.listing), meter.metric)


async def follow_all(db: Unit) -> None:
    """The same for all meters that have a listing."""
    for meter in meters().values():
        if meter.listing:
            await follow(db, meter)

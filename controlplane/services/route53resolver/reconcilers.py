"""Writes query logs, and gives up what nobody takes."""

from __future__ import annotations

import logging

from controlplane.core.errors import AwsError
from controlplane.fleet import queries
from controlplane.services.route53resolver import log_groups, query_logs
from controlplane.work.reconciler import GONE, Again, Outcome, Run, reconciler

log = logging.getLogger(__name__)

EVERY_SECONDS = 20.0
_MOST = 10_000
_KEPT_SECONDS = 86_400.0
"""So long are questions kept for a destination that does not take them."""
_MOST_KEPT = 100_000
"""And so many of a VPC."""
_FIND = """
SELECT a.*, c.destination FROM route53resolver_query_log_vpcs a JOIN route53resolver_query_logs c ON c.id = a.config_id
WHERE a.id = $1 FOR UPDATE OF a
"""
_DONE = """
UPDATE route53resolver_query_log_vpcs SET position = $2, error = 'NONE', message = NULL, dropped = 0
WHERE id = $1
"""
# One association's row is locked; another one of the VPC only moves on, so that what is deleted is logged by all.
_LOGGED = "SELECT min(position) FROM route53resolver_query_log_vpcs WHERE vpc_id = $1"
_VPCS = "SELECT DISTINCT vpc_id FROM route53resolver_query_log_vpcs"
_BEHIND = "SELECT id, position FROM route53resolver_query_log_vpcs WHERE vpc_id = $1 AND position < $2 FOR UPDATE"
_DROPPED = "UPDATE route53resolver_query_log_vpcs SET dropped = dropped + $2, position = $3 WHERE id = $1"
_MISSING = ("NoSuchBucket", "ResourceNotFoundException")
_FAILED = "UPDATE route53resolver_query_log_vpcs SET error = $2, message = $3 WHERE id = $1"


@reconciler(query_logs.DELIVER, every=EVERY_SECONDS)
async def deliver(run: Run, id: str) -> Outcome:
    """Write what a VPC's guests asked since the last time. Where that fails, the association says why."""
    try:
        async with run.step() as db:
            row = await db.fetchrow(_FIND, id)
            if row is None:
                return GONE
            found = await queries.after(db, row["vpc_id"], row["position"], row["created_at"], _MOST)
            if found:
                source = query_logs.source(row["region"], row["account_id"], row["config_id"])
                ctx = run.acting(db, query_logs.SERVICE, source)
                await query_logs.write(ctx, row, row["vpc_id"], [item["document"] for item in found])
                await db.execute(_DONE, id, found[-1]["id"])
                await queries.logged(db, row["vpc_id"], await db.fetchval(_LOGGED, row["vpc_id"]))
    except AwsError as error:
        if error.status >= 500:
            raise
        kind = "DESTINATION_NOT_FOUND" if error.code in _MISSING else "ACCESS_DENIED"
        told = "CloudWatch Logs" if log_groups.is_group(row["destination"]) else "S3"
        async with run.step() as db:
            await db.execute(_FAILED, id, kind, f"{told}: {error.code}")
        return None
    return Again(0.1) if len(found) == _MOST else None


@reconciler("route53resolver.old-queries", every=60.0, standing=True)
async def forget(run: Run, key: str) -> Outcome:
    """Drop questions that no destination took for a day, and the oldest of those that became too many."""
    async with run.step() as db:
        await queries.forget(db, _KEPT_SECONDS)
        vpcs = [row["vpc_id"] for row in await db.fetch(_VPCS)]
    for vpc in vpcs:
        async with run.step() as db:
            last = await queries.beyond(db, vpc, _MOST_KEPT)
            if last is None:
                continue
            for row in await db.fetch(_BEHIND, vpc, last):
                dropped = await queries.count(db, vpc, row["position"], last)
                await db.execute(_DROPPED, row["id"], dropped, last)
                log.warning("%d questions of %s were dropped: %s does not take them", dropped, vpc, row["id"])
            await queries.logged(db, vpc, last)
    return None

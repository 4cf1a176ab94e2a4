"""Writes query logs."""

from __future__ import annotations

from controlplane.core.errors import AwsError
from controlplane.fleet import queries
from controlplane.services.route53resolver import query_logs
from controlplane.work.reconciler import GONE, Again, Outcome, Run, reconciler

EVERY_SECONDS = 20.0
_MOST = 10_000
_KEPT_SECONDS = 86_400.0
"""So long are questions kept for a bucket that does not take them."""
_FIND = """
SELECT a.*, c.destination FROM route53resolver_query_log_vpcs a JOIN route53resolver_query_logs c ON c.id = a.config_id
WHERE a.id = $1 FOR UPDATE OF a
"""
_DONE = "UPDATE route53resolver_query_log_vpcs SET position = $2, error = 'NONE', message = NULL WHERE id = $1"
# One association's row is locked; another one of the VPC only moves on, so that what is deleted is logged by all.
_LOGGED = "SELECT min(position) FROM route53resolver_query_log_vpcs WHERE vpc_id = $1"
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
        kind = "DESTINATION_NOT_FOUND" if error.code == "NoSuchBucket" else "ACCESS_DENIED"
        async with run.step() as db:
            await db.execute(_FAILED, id, kind, f"S3: {error.code}")
        return None
    return Again(0.1) if len(found) == _MOST else None


@reconciler("route53resolver.old-queries", every=3600.0, standing=True)
async def forget(run: Run, key: str) -> Outcome:
    """Drop questions that are logged, or that no bucket took for a day."""
    async with run.step() as db:
        await queries.forget(db, _KEPT_SECONDS)
    return None

"""What Route 53 has outside its own tables: the zones of the engine."""

from __future__ import annotations

from controlplane.fleet import resolving
from controlplane.services.route53 import names, query_logs
from controlplane.services.route53.vpcs import PUBLISH
from controlplane.services.route53.zones import GONE_ZONE
from controlplane.work.closing import frees
from controlplane.work.reconciler import STANDING, Run
from controlplane.work.wake import wake

_ZONES = "SELECT id, name, private FROM route53_zones WHERE account_id = $1"
_ASSOCIATED = """
SELECT v.zone_id, v.vpc_id FROM route53_zone_vpcs v JOIN route53_zones z ON z.id = v.zone_id WHERE z.account_id = $1
"""


@frees("route53")
async def free(run: Run, account_id: str) -> bool:
    """Take the account's zones out of the engine."""
    engine = run.engine("dns")
    async with run.step() as db:
        zones = await db.fetch(_ZONES, account_id)
        for row in await db.fetch(_ASSOCIATED, account_id):
            await resolving.drop(db, row["vpc_id"], row["zone_id"])
            await wake(db, PUBLISH, row["vpc_id"])
        public = [zone for zone in zones if not zone["private"]]
        for zone in public:
            await engine.remove(db, names.served(zone["name"]), zone["id"])
        await db.execute("DELETE FROM route53_zones WHERE account_id = $1", account_id)
        await wake(db, query_logs.WATCH, STANDING)
        for zone in public:
            await wake(db, GONE_ZONE, names.served(zone["name"]))
    return True

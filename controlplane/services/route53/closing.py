"""What Route 53 has outside its own tables: the zones of the engine."""

from __future__ import annotations

from controlplane.services.route53 import names
from controlplane.services.route53.zones import GONE_ZONE
from controlplane.work.closing import frees
from controlplane.work.reconciler import Run
from controlplane.work.wake import wake

_ZONES = "SELECT id, name FROM route53_zones WHERE account_id = $1"


@frees("route53")
async def free(run: Run, account_id: str) -> bool:
    """Take the account's zones out of the engine."""
    engine = run.engine("dns")
    async with run.step() as db:
        zones = await db.fetch(_ZONES, account_id)
        for zone in zones:
            await engine.remove(db, names.served(zone["name"]), zone["id"])
        await db.execute("DELETE FROM route53_zones WHERE account_id = $1", account_id)
        for zone in zones:
            await wake(db, GONE_ZONE, names.served(zone["name"]))
    return True

"""Private zones and the VPCs in which they answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agents.contract.network import NameSet, PrivateZone
from controlplane.core.context import Context, Unit
from controlplane.fleet import resolving
from controlplane.services.route53 import aliases, names, places
from controlplane.services.route53.errors import ConflictingDomainExists, InvalidVPCId
from controlplane.services.route53.rendering import Renderer
from controlplane.services.route53.zones import arn
from controlplane.work.reconciler import Run

PUBLISH = "ec2.vpc"
"""EC2's kind of work that brings a VPC to its hosts."""
_SAME_NAME = """
SELECT z.id FROM route53_zone_vpcs v JOIN route53_zones z ON z.id = v.zone_id WHERE v.vpc_id = $1 AND z.name = $2
"""
_INSERT = "INSERT INTO route53_zone_vpcs (zone_id, vpc_id, vpc_region, account_id) VALUES ($1, $2, $3, $4)"
# One at a time for each VPC, so that two zones of one name cannot both be the first.
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended($1, 53))"
_REGIONS_OF = "SELECT vpc_id, vpc_region FROM route53_zone_vpcs WHERE zone_id = $1"


@dataclass(frozen=True, slots=True)
class Vpc:
    """A VPC that there is, and its owner."""

    id: str
    region: str
    owner: str

    def shown(self) -> dict[str, str]:
        """A VPC in the API's shape."""
        return {"VPCRegion": self.region, "VPCId": self.id}


def shown(row: Mapping[str, Any]) -> dict[str, str]:
    """A VPC in the API's shape, of a row."""
    return {"VPCRegion": row["vpc_region"], "VPCId": row["vpc_id"]}


async def named(ctx: Context, vpc: Mapping[str, Any]) -> Vpc:
    """The VPC that a request names, whoever has it. Raises InvalidVPCId."""
    id, region = vpc.get("VPCId") or "", vpc.get("VPCRegion") or ""
    found = await ctx.ask("ec2", "Vpc", {"VpcId": id, "Region": region})
    if found is None:
        raise InvalidVPCId
    return Vpc(id, region, found["AccountId"])


async def own(ctx: Context, vpc: Mapping[str, Any]) -> Vpc:
    """The same, of the caller's own. Raises InvalidVPCId."""
    found = await named(ctx, vpc)
    if found.owner != ctx.account_id:
        raise InvalidVPCId
    return found


async def associate(ctx: Context, zone: Any, vpc: Vpc) -> None:
    """Have a zone answer in a VPC, once it is brought there. Raises ConflictingDomainExists."""
    await ctx.db.execute(_LOCK, vpc.id)
    same = await ctx.db.fetchval(_SAME_NAME, vpc.id, zone["name"])
    if same is not None:
        raise ConflictingDomainExists(
            f"The VPC {vpc.id} in region {vpc.region} has already been associated with the hosted zone {same} with the "
            "same domain name."
        )
    await ctx.db.execute(_INSERT, zone["id"], vpc.id, vpc.region, vpc.owner)


async def withdraw(ctx: Context, zone_id: str, vpc_id: str) -> None:
    """Have a zone answer in a VPC no longer."""
    await ctx.db.execute("DELETE FROM route53_zone_vpcs WHERE zone_id = $1 AND vpc_id = $2", zone_id, vpc_id)
    await resolving.drop(ctx.db, vpc_id, zone_id)
    await ctx.ask("ec2", "PublishVpc", {"VpcId": vpc_id})


async def publish(
    run: Run, db: Unit, zone: Any, rows: list[Any], sick: set[str], targets: aliases.Targets
) -> list[str]:
    """Bring what a zone answers to its VPCs; their ids. Latency and geolocation go by the VPC's region."""
    ctx = run.acting(db, "route53.amazonaws.com", arn(zone["id"]), account_id=zone["account_id"])
    found = await db.fetch(_REGIONS_OF, zone["id"])
    rendered = {
        region: await asyncio.to_thread(_document, zone, Renderer(rows, sick, targets, places.place(region)))
        for region in {row["vpc_region"] for row in found}
    }
    for row in sorted(found, key=lambda row: str(row["vpc_id"])):
        await resolving.put(db, row["vpc_id"], rendered[row["vpc_region"]])
        await ctx.ask("ec2", "PublishVpc", {"VpcId": row["vpc_id"]})
    return [row["vpc_id"] for row in found]


def _document(zone: Any, renderer: Renderer) -> PrivateZone:
    sets = tuple(
        NameSet(name=name, type=type, ttl=answer.ttl, choices=answer.choices)
        for (name, type), answer in renderer.zone().items()
    )
    return PrivateZone(id=zone["id"], name=names.served(zone["name"]), sets=sets)

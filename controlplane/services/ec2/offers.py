"""What EC2 does for other services beside its API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controlplane.core.context import Context
from controlplane.core.offer import offer
from controlplane.services.ec2 import topology

_OWNER = "SELECT account_id, cidr FROM ec2_vpcs WHERE id = $1 AND region = $2"


@offer("Vpc")
async def vpc(ctx: Context, request: Mapping[str, Any]) -> dict[str, str] | None:
    """Whose a VPC is, and its range: `VpcId`, `Region`. Nothing is asked: the caller decides by the owner."""
    row = await ctx.db.fetchrow(_OWNER, request["VpcId"], request["Region"])
    return {"AccountId": row["account_id"], "Cidr": row["cidr"]} if row is not None else None


@offer("PublishVpc")
async def publish_vpc(ctx: Context, request: Mapping[str, Any]) -> None:
    """Bring a VPC to its hosts anew, after `fleet.resolving` changed: `VpcId`. Only what is stored is published."""
    await topology.publish(ctx.db, request["VpcId"])

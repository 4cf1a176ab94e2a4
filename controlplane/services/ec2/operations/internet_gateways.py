"""Internet gateways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.core.ids import resource_id
from controlplane.core.operation import ANY, operation
from controlplane.services.ec2 import defaults, describing, permissions, quotas, tagging
from controlplane.services.ec2.describing import column
from controlplane.services.ec2.errors import DependencyViolation, InvalidParameterValue, ResourceAlreadyAssociated
from controlplane.services.ec2.nouns import GATEWAY, VPC
from controlplane.services.ec2.operations.vpcs import locked
from controlplane.services.ec2.queries import networks
from controlplane.services.ec2.reconcilers import VPC as WORK

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import (
        AttachInternetGatewayRequestTypeDef,
        CreateInternetGatewayRequestTypeDef,
        DeleteInternetGatewayRequestTypeDef,
        DescribeInternetGatewaysRequestTypeDef,
        DetachInternetGatewayRequestTypeDef,
    )

_MAPPED = """
SELECT true FROM ec2_public_addresses p JOIN ec2_network_interfaces n ON n.id = p.network_interface_id
WHERE n.vpc_id = $1 LIMIT 1
"""
_TAKEN = "SELECT id FROM ec2_internet_gateways WHERE vpc_id = $1"
_ATTACH = "UPDATE ec2_internet_gateways SET vpc_id = $2 WHERE id = $1"
FILTERS: dict[str, describing.Extract] = {
    "internet-gateway-id": column("id"),
    "attachment.vpc-id": column("vpc_id"),
    "attachment.state": lambda row: "available" if row["vpc_id"] else None,
    "owner-id": column("account_id"),
}
on_gateway = permissions.named(GATEWAY, "InternetGatewayId")


@operation("CreateInternetGateway", on=permissions.new(GATEWAY))
async def create_internet_gateway(ctx: Context, request: CreateInternetGatewayRequestTypeDef) -> dict[str, Any]:
    """Create a gateway, attached to nothing yet. Raises InternetGatewayLimitExceeded."""
    tags = tagging.requested(request, GATEWAY)
    await quotas.room_for_one(ctx, quotas.GATEWAYS)
    id = resource_id("igw")
    await ctx.db.insert("ec2_internet_gateways", id=id, account_id=ctx.account_id, region=ctx.region)
    await tagging.create(ctx, GATEWAY, [id], tags)
    return {"InternetGateway": _shape((await networks.listing(ctx, GATEWAY.table, [id]))[0])}


@operation("DescribeInternetGateways", on=ANY)
async def describe_internet_gateways(ctx: Context, request: DescribeInternetGatewaysRequestTypeDef) -> dict[str, Any]:
    """Gateways and what they are attached to. Raises InvalidInternetGatewayID.NotFound."""
    await defaults.ensure_default_vpc(ctx)
    wanted = request.get("InternetGatewayIds")
    rows = await networks.listing(ctx, GATEWAY.table, wanted)
    describing.require(GATEWAY, wanted, rows)
    found, token = describing.page(describing.matching(rows, request, FILTERS), request, ids="InternetGatewayIds")
    return {"InternetGateways": [_shape(row) for row in found], "NextToken": token}


def _shape(row: Any) -> dict[str, Any]:
    return {
        "InternetGatewayId": row["id"],
        "OwnerId": row["account_id"],
        "Attachments": [{"State": "available", "VpcId": row["vpc_id"]}] if row["vpc_id"] else [],
        "Tags": tagging.shape(row["tags"]),
    }


async def _locked_gateway(ctx: Context, id: str) -> Any:
    GATEWAY.check([id])
    row = await networks.lock(ctx, GATEWAY.table, id)
    if row is None:
        raise GATEWAY.missing([id])
    return row


@operation("AttachInternetGateway", on=permissions.several(on_gateway, permissions.named(VPC, "VpcId")))
async def attach_internet_gateway(ctx: Context, request: AttachInternetGatewayRequestTypeDef) -> None:
    """Attach a gateway to a VPC that has none. Raises Resource.AlreadyAssociated."""
    gateway, vpc = await _locked_gateway(ctx, request["InternetGatewayId"]), await locked(ctx, request["VpcId"])
    if gateway["vpc_id"]:
        raise ResourceAlreadyAssociated(f"resource {gateway['id']} is already attached to network {gateway['vpc_id']}")
    if await ctx.db.fetchval(_TAKEN, vpc["id"]):
        raise InvalidParameterValue(f"Network {vpc['id']} already has an internet gateway attached")
    await ctx.db.execute(_ATTACH, gateway["id"], vpc["id"])
    await ctx.wake(WORK, vpc["id"])


@operation("DetachInternetGateway", on=permissions.several(on_gateway, permissions.named(VPC, "VpcId")))
async def detach_internet_gateway(ctx: Context, request: DetachInternetGatewayRequestTypeDef) -> None:
    """Detach a gateway. Raises Gateway.NotAttached, DependencyViolation while public addresses are in use."""
    gateway, vpc = await _locked_gateway(ctx, request["InternetGatewayId"]), await locked(ctx, request["VpcId"])
    if gateway["vpc_id"] != vpc["id"]:
        raise AwsError(f"resource {gateway['id']} is not attached to network {vpc['id']}", code="Gateway.NotAttached")
    if await ctx.db.fetchval(_MAPPED, vpc["id"]):
        raise DependencyViolation(
            f"Network {vpc['id']} has some mapped public address(es). Please unmap those public address(es) before "
            "detaching the gateway."
        )
    await ctx.db.execute(_ATTACH, gateway["id"], None)
    await ctx.wake(WORK, vpc["id"])


@operation("DeleteInternetGateway", on=on_gateway)
async def delete_internet_gateway(ctx: Context, request: DeleteInternetGatewayRequestTypeDef) -> None:
    """Delete a gateway that is attached to nothing. Raises DependencyViolation."""
    gateway = await _locked_gateway(ctx, request["InternetGatewayId"])
    if gateway["vpc_id"]:
        raise DependencyViolation(f"The internetGateway '{gateway['id']}' has dependencies and cannot be deleted.")
    await ctx.db.execute("DELETE FROM ec2_internet_gateways WHERE id = $1", gateway["id"])
    await tagging.forget(ctx.db, [gateway["id"]])

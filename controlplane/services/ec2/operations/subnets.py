"""Subnets."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any

from controlplane.core.arn import arn
from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.core.operation import ANY, operation
from controlplane.services.ec2 import addressing, defaults, describing, permissions, quotas, tagging
from controlplane.services.ec2.describing import column
from controlplane.services.ec2.errors import DependencyViolation, InvalidParameterValue, MissingParameter
from controlplane.services.ec2.nouns import SUBNET, VPC
from controlplane.services.ec2.operations.vpcs import check_block, locked
from controlplane.services.ec2.queries import networks
from controlplane.services.ec2.reconcilers import VPC as WORK

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import (
        CreateSubnetRequestTypeDef,
        DeleteSubnetRequestTypeDef,
        DescribeSubnetsRequestTypeDef,
        ModifySubnetAttributeRequestTypeDef,
    )

_SIBLINGS = "SELECT cidr FROM ec2_subnets WHERE vpc_id = $1"
_USED = "SELECT true FROM ec2_network_interfaces WHERE subnet_id = $1 LIMIT 1"
_COUNTS = """
SELECT subnet_id, count(*) AS used FROM ec2_network_interfaces WHERE subnet_id = ANY($1) GROUP BY subnet_id
"""
FILTERS: dict[str, describing.Extract] = {
    "subnet-id": column("id"),
    "vpc-id": column("vpc_id"),
    "availability-zone": column("zone"),
    "availabilityZone": column("zone"),
    "availability-zone-id": lambda row: defaults.zone_id(row["zone"]),
    "cidr-block": column("cidr"),
    "cidr": column("cidr"),
    "cidrBlock": column("cidr"),
    "default-for-az": column("is_default"),
    "defaultForAz": column("is_default"),
    "map-public-ip-on-launch": column("map_public"),
    "state": lambda _: "available",
    "owner-id": column("account_id"),
    "subnet-arn": lambda row: arn("ec2", row["region"], row["account_id"], f"subnet/{row['id']}"),
}


@operation("CreateSubnet", on=permissions.several(permissions.new(SUBNET), permissions.named(VPC, "VpcId")))
async def create_subnet(ctx: Context, request: CreateSubnetRequestTypeDef) -> dict[str, Any]:
    """Create a subnet. Raises InvalidSubnet.Range, InvalidSubnet.Conflict."""
    vpc = await locked(ctx, request["VpcId"])
    cidr = request.get("CidrBlock")
    if not cidr:
        raise MissingParameter("Either 'cidrBlock' or 'ipv4IpamPoolId' should be provided.")
    block = check_block(cidr)
    if not 16 <= block.prefixlen <= 28 or not block.subnet_of(IPv4Network(vpc["cidr"])):
        raise InvalidParameterValue(f"The CIDR '{cidr}' is invalid.", code="InvalidSubnet.Range")
    for sibling in await ctx.db.fetch(_SIBLINGS, vpc["id"]):
        if block.overlaps(IPv4Network(sibling["cidr"])):
            raise InvalidParameterValue(
                f"The CIDR '{cidr}' conflicts with another subnet", code="InvalidSubnet.Conflict"
            )
    tags = tagging.requested(request, SUBNET)
    await quotas.room_for_one(ctx, quotas.SUBNETS, vpc["id"])
    id = await defaults.create_subnet(ctx, vpc["id"], _zone(ctx, request), cidr)
    await tagging.create(ctx, SUBNET, [id], tags)
    return {"Subnet": _shape((await networks.listing(ctx, SUBNET.table, [id]))[0], {})}


def _zone(ctx: Context, request: Any) -> str:
    known = defaults.zones(ctx.region)
    if id := request.get("AvailabilityZoneId"):
        for zone in known:
            if defaults.zone_id(zone) == id:
                return zone
        raise InvalidParameterValue(f"Value ({id}) for parameter availabilityZoneId is invalid.")
    zone = request.get("AvailabilityZone") or known[0]
    if zone not in known:
        raise InvalidParameterValue(
            f"Value ({zone}) for parameter availabilityZone is invalid. Subnets can currently only be created in the "
            f"following availability zones: {', '.join(known)}."
        )
    return str(zone)


@operation("DescribeSubnets", on=ANY)
async def describe_subnets(ctx: Context, request: DescribeSubnetsRequestTypeDef) -> dict[str, Any]:
    """Subnets with the number of addresses they have left. Raises InvalidSubnetID.NotFound."""
    await defaults.ensure_default_vpc(ctx)
    wanted = request.get("SubnetIds")
    rows = await networks.listing(ctx, SUBNET.table, wanted)
    describing.require(SUBNET, wanted, rows)
    found, token = describing.page(describing.matching(rows, request, FILTERS), request, ids="SubnetIds")
    counts = await ctx.db.fetch(_COUNTS, [row["id"] for row in found])
    used = {row["subnet_id"]: row["used"] for row in counts}
    return {"Subnets": [_shape(row, used) for row in found], "NextToken": token}


def _shape(row: Any, used: dict[str, int]) -> dict[str, Any]:
    return {
        "SubnetId": row["id"],
        "SubnetArn": arn("ec2", row["region"], row["account_id"], f"subnet/{row['id']}"),
        "VpcId": row["vpc_id"],
        "OwnerId": row["account_id"],
        "State": "available",
        "CidrBlock": row["cidr"],
        "AvailabilityZone": row["zone"],
        "AvailabilityZoneId": defaults.zone_id(row["zone"]),
        "AvailableIpAddressCount": addressing.usable(row["cidr"]) - used.get(row["id"], 0),
        "DefaultForAz": row["is_default"],
        "MapPublicIpOnLaunch": row["map_public"],
        "MapCustomerOwnedIpOnLaunch": False,
        "AssignIpv6AddressOnCreation": False,
        "Ipv6CidrBlockAssociationSet": [],
        "Ipv6Native": False,
        "EnableDns64": False,
        "PrivateDnsNameOptionsOnLaunch": {
            "HostnameType": "ip-name",
            "EnableResourceNameDnsARecord": False,
            "EnableResourceNameDnsAAAARecord": False,
        },
        "Tags": tagging.shape(row["tags"]),
    }


@operation("DeleteSubnet", on=permissions.named(SUBNET, "SubnetId"))
async def delete_subnet(ctx: Context, request: DeleteSubnetRequestTypeDef) -> None:
    """Delete a subnet that no interface uses. Raises DependencyViolation."""
    id = request["SubnetId"]
    SUBNET.check([id])
    row = await networks.lock(ctx, SUBNET.table, id)
    if row is None:
        raise SUBNET.missing([id])
    if await ctx.db.fetchval(_USED, id):
        raise DependencyViolation(f"The subnet '{id}' has dependencies and cannot be deleted.")
    await ctx.db.execute("DELETE FROM ec2_route_table_associations WHERE subnet_id = $1", id)
    await ctx.db.execute("DELETE FROM ec2_subnets WHERE id = $1", id)
    await tagging.forget(ctx.db, [id])
    await ctx.wake(WORK, row["vpc_id"])


@operation("ModifySubnetAttribute", on=permissions.named(SUBNET, "SubnetId"))
async def modify_subnet_attribute(ctx: Context, request: ModifySubnetAttributeRequestTypeDef) -> None:
    """Change whether launched instances get a public address; other attributes are not offered."""
    id = request["SubnetId"]
    SUBNET.check([id])
    if await networks.one(ctx, SUBNET.table, id) is None:
        raise SUBNET.missing([id])
    value = (request.get("MapPublicIpOnLaunch") or {}).get("Value")
    if value is not None:
        await ctx.db.execute("UPDATE ec2_subnets SET map_public = $2 WHERE id = $1", id, value)
    elif set(request) - {"SubnetId"}:
        raise AwsError("This cloud offers only MapPublicIpOnLaunch.", code="UnsupportedOperation")

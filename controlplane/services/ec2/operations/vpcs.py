"""VPCs and their attributes."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Network, NetmaskValueError
from typing import TYPE_CHECKING, Any

from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.core.operation import ANY, operation
from controlplane.services.ec2 import defaults, describing, permissions, quotas, tagging
from controlplane.services.ec2.describing import column
from controlplane.services.ec2.errors import DependencyViolation, InvalidParameterValue
from controlplane.services.ec2.nouns import VPC
from controlplane.services.ec2.queries import networks
from controlplane.services.ec2.reconcilers import VPC as WORK

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import (
        CreateVpcRequestTypeDef,
        DeleteVpcRequestTypeDef,
        DescribeVpcAttributeRequestTypeDef,
        DescribeVpcsRequestTypeDef,
        ModifyVpcAttributeRequestTypeDef,
    )

on_vpc = permissions.named(VPC, "VpcId")

_USED = """
SELECT true WHERE EXISTS (SELECT FROM ec2_subnets WHERE vpc_id = $1)
OR EXISTS (SELECT FROM ec2_internet_gateways WHERE vpc_id = $1)
OR EXISTS (SELECT FROM ec2_security_groups WHERE vpc_id = $1 AND name <> 'default')
OR EXISTS (SELECT FROM ec2_route_tables WHERE vpc_id = $1 AND NOT main)
OR EXISTS (SELECT FROM ec2_network_interfaces WHERE vpc_id = $1)
"""
FILTERS: dict[str, describing.Extract] = {
    "vpc-id": column("id"),
    "cidr": column("cidr"),
    "cidr-block-association.cidr-block": column("cidr"),
    "cidr-block-association.association-id": column("cidr_association_id"),
    "is-default": column("is_default"),
    "isDefault": column("is_default"),
    "state": lambda _: "available",
    "owner-id": column("account_id"),
    "dhcp-options-id": column("dhcp_options_id"),
}


def check_block(cidr: str) -> IPv4Network:
    """A CIDR block of /16 to /28 without host bits. Raises InvalidParameterValue, InvalidVpc.Range."""
    try:
        block = IPv4Network(cidr)
    except (AddressValueError, NetmaskValueError, ValueError) as error:
        raise InvalidParameterValue(
            f"Value ({cidr}) for parameter cidrBlock is invalid. This is not a valid CIDR block."
        ) from error
    return block


@operation("CreateVpc", on=permissions.new(VPC))
async def create_vpc(ctx: Context, request: CreateVpcRequestTypeDef) -> dict[str, Any]:
    """Create a VPC with its main route table and default security group. Raises InvalidVpc.Range,
    VpcLimitExceeded."""
    await defaults.ensure_default_vpc(ctx)
    cidr = request.get("CidrBlock")
    if not cidr:
        raise AwsError("Either 'cidrBlock' or 'ipv4IpamPoolId' should be provided.", code="MissingParameter")
    block = check_block(cidr)
    if not 16 <= block.prefixlen <= 28:
        raise InvalidParameterValue(f"The CIDR '{cidr}' is invalid.", code="InvalidVpc.Range")
    tags = tagging.requested(request, VPC)
    await quotas.room_for_one(ctx, quotas.VPCS)
    id = await defaults.create_vpc(ctx, cidr, tenancy=request.get("InstanceTenancy") or "default")
    await tagging.create(ctx, VPC, [id], tags)
    row = (await networks.listing(ctx, VPC.table, [id]))[0]
    return {"Vpc": {**_shape(row), "State": "pending"}}


@operation("CreateDefaultVpc", on=permissions.new(VPC))
async def create_default_vpc(ctx: Context, request: Any) -> dict[str, Any]:
    """Create a default VPC again after it was deleted. Raises DefaultVpcAlreadyExists."""
    await defaults.ensure_default_vpc(ctx)
    await defaults.lock_default_vpc(ctx)
    rows = await networks.listing(ctx, VPC.table)
    if any(row["is_default"] for row in rows):
        raise AwsError("A Default VPC already exists for this account in this region.", code="DefaultVpcAlreadyExists")
    id = await defaults.create_default_vpc(ctx)
    return {"Vpc": _shape((await networks.listing(ctx, VPC.table, [id]))[0])}


@operation("DescribeVpcs", on=ANY)
async def describe_vpcs(ctx: Context, request: DescribeVpcsRequestTypeDef) -> dict[str, Any]:
    """VPCs, the default one included. Raises InvalidVpcID.NotFound."""
    await defaults.ensure_default_vpc(ctx)
    wanted = request.get("VpcIds")
    rows = await networks.listing(ctx, VPC.table, wanted)
    describing.require(VPC, wanted, rows)
    found, token = describing.page(describing.matching(rows, request, FILTERS), request, ids="VpcIds")
    return {"Vpcs": [_shape(row) for row in found], "NextToken": token}


def _shape(row: Any) -> dict[str, Any]:
    return {
        "VpcId": row["id"],
        "OwnerId": row["account_id"],
        "State": "available",
        "CidrBlock": row["cidr"],
        "DhcpOptionsId": row["dhcp_options_id"],
        "InstanceTenancy": row["tenancy"],
        "IsDefault": row["is_default"],
        "CidrBlockAssociationSet": [
            {
                "AssociationId": row["cidr_association_id"],
                "CidrBlock": row["cidr"],
                "CidrBlockState": {"State": "associated"},
            }
        ],
        "Ipv6CidrBlockAssociationSet": [],
        "Tags": tagging.shape(row["tags"]),
    }


async def locked(ctx: Context, id: str) -> Any:
    """A VPC, locked. Raises InvalidVpcID.NotFound."""
    VPC.check([id])
    row = await networks.lock(ctx, VPC.table, id)
    if row is None:
        raise VPC.missing([id])
    return row


@operation("DeleteVpc", on=on_vpc)
async def delete_vpc(ctx: Context, request: DeleteVpcRequestTypeDef) -> None:
    """Delete a VPC that holds nothing but what came with it. Raises DependencyViolation."""
    id = request["VpcId"]
    await locked(ctx, id)
    if await ctx.db.fetchval(_USED, id):
        raise DependencyViolation(f"The vpc '{id}' has dependencies and cannot be deleted.")
    groups = [row["id"] for row in await ctx.db.fetch("SELECT id FROM ec2_security_groups WHERE vpc_id = $1", id)]
    tables = await ctx.db.fetch("DELETE FROM ec2_route_tables WHERE vpc_id = $1 RETURNING id", id)
    rules = await ctx.db.fetch("DELETE FROM ec2_security_group_rules WHERE group_id = ANY($1) RETURNING id", groups)
    await ctx.db.execute("DELETE FROM ec2_security_groups WHERE vpc_id = $1", id)
    await ctx.db.execute("DELETE FROM ec2_vpcs WHERE id = $1", id)
    await tagging.forget(ctx.db, [id, *groups, *(row["id"] for row in (*tables, *rules))])
    await ctx.wake(WORK, id)


_ATTRIBUTES = {
    "enableDnsSupport": ("EnableDnsSupport", "dns_support"),
    "enableDnsHostnames": ("EnableDnsHostnames", "dns_hostnames"),
}


@operation("DescribeVpcAttribute", on=on_vpc)
async def describe_vpc_attribute(ctx: Context, request: DescribeVpcAttributeRequestTypeDef) -> dict[str, Any]:
    """One of the DNS attributes."""
    id, name = request["VpcId"], request["Attribute"]
    VPC.check([id])
    row = await networks.one(ctx, VPC.table, id)
    if row is None:
        raise VPC.missing([id])
    if name == "enableNetworkAddressUsageMetrics":
        return {"VpcId": id, "EnableNetworkAddressUsageMetrics": {"Value": False}}
    if name not in _ATTRIBUTES:
        raise InvalidParameterValue(f"Value ({name}) for parameter attribute is invalid. Unknown attribute.")
    member, stored = _ATTRIBUTES[name]
    return {"VpcId": id, member: {"Value": row[stored]}}


@operation("ModifyVpcAttribute", on=on_vpc)
async def modify_vpc_attribute(ctx: Context, request: ModifyVpcAttributeRequestTypeDef) -> None:
    """Change one of the DNS attributes."""
    row = await locked(ctx, request["VpcId"])
    for member, stored in _ATTRIBUTES.values():
        value = (request.get(member) or {}).get("Value")  # type: ignore[attr-defined]
        if value is not None:
            await ctx.db.execute(f"UPDATE ec2_vpcs SET {stored} = $2 WHERE id = $1", row["id"], value)
    await ctx.wake(WORK, row["id"])

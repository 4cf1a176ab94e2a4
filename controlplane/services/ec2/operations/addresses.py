"""Elastic IP addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.core.ids import resource_id
from controlplane.core.operation import ANY, Resource, operation
from controlplane.services.ec2 import addressing, describing, tagging
from controlplane.services.ec2.describing import column
from controlplane.services.ec2.errors import MissingParameter, ResourceAlreadyAssociated
from controlplane.services.ec2.nouns import ADDRESS, INSTANCE, INTERFACE
from controlplane.services.ec2.queries import instances as instance_queries
from controlplane.services.ec2.queries import networks
from controlplane.services.ec2.reconcilers import VPC as WORK
from controlplane.services.ec2.shapes import public_name

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import (
        AllocateAddressRequestTypeDef,
        AssociateAddressRequestTypeDef,
        DescribeAddressesRequestTypeDef,
        DisassociateAddressRequestTypeDef,
        ReleaseAddressRequestTypeDef,
    )

_LIST = f"""
SELECT p.*, p.allocation_id AS id, n.address AS private_address, n.instance_id, n.account_id AS interface_owner,
    n.vpc_id, {tagging.column("p").replace("p.id", "p.allocation_id")}
FROM ec2_public_addresses p LEFT JOIN ec2_network_interfaces n ON n.id = p.network_interface_id
WHERE p.account_id = $1 AND p.region = $2 AND p.allocation_id IS NOT NULL ORDER BY p.allocated_at, p.address
"""
_TIE = """
UPDATE ec2_public_addresses SET network_interface_id = $2, association_id = $3 WHERE allocation_id = $1
"""
_LENT = "DELETE FROM ec2_public_addresses WHERE network_interface_id = $1 AND allocation_id IS NULL"
_HELD = "SELECT allocation_id FROM ec2_public_addresses WHERE network_interface_id = $1 AND allocation_id IS NOT NULL"
FILTERS: dict[str, describing.Extract] = {
    "allocation-id": column("allocation_id"),
    "association-id": column("association_id"),
    "domain": lambda _: "vpc",
    "instance-id": column("instance_id"),
    "network-interface-id": column("network_interface_id"),
    "network-interface-owner-id": column("interface_owner"),
    "private-ip-address": column("private_address"),
    "public-ip": column("address"),
    "network-border-group": column("region"),
}


async def on_address(ctx: Context, request: Any) -> list[Resource]:
    """The allocation that a request names, or any."""
    id = request.get("AllocationId") or "*"
    return [Resource(tagging.resource_arn(ctx, ADDRESS, id), tags=(await tagging.of(ctx, [id])).get(id, {}))]


@operation("AllocateAddress", on=on_address)
async def allocate_address(ctx: Context, request: AllocateAddressRequestTypeDef) -> dict[str, Any]:
    """Take a public address for the account. Raises InsufficientAddressCapacity."""
    tags = tagging.requested(request, ADDRESS)
    id = resource_id("eipalloc")
    address = await addressing.take_public(ctx, ctx.cloud.public_range, allocation_id=id)
    await tagging.create(ctx, ADDRESS, [id], tags)
    return {
        "PublicIp": address,
        "AllocationId": id,
        "PublicIpv4Pool": "amazon",
        "NetworkBorderGroup": ctx.region,
        "Domain": "vpc",
    }


@operation("DescribeAddresses", on=ANY)
async def describe_addresses(ctx: Context, request: DescribeAddressesRequestTypeDef) -> dict[str, Any]:
    """The account's addresses. Raises InvalidAllocationID.NotFound, InvalidAddress.NotFound."""
    rows = await ctx.db.fetch(_LIST, ctx.account_id, ctx.region)
    if ids := request.get("AllocationIds"):
        describing.require(ADDRESS, ids, rows)
        rows = [row for row in rows if row["id"] in ids]
    if addresses := request.get("PublicIps"):
        if lacking := set(addresses) - {row["address"] for row in rows}:
            raise AwsError(f"Address '{sorted(lacking)[0]}' not found.", code="InvalidAddress.NotFound")
        rows = [row for row in rows if row["address"] in addresses]
    return {"Addresses": [_shape(row) for row in describing.matching(rows, request, FILTERS)]}


def _shape(row: Any) -> dict[str, Any]:
    shown = {
        "PublicIp": row["address"],
        "AllocationId": row["allocation_id"],
        "Domain": "vpc",
        "PublicIpv4Pool": "amazon",
        "NetworkBorderGroup": row["region"],
        "PublicDnsName": public_name(row["address"], row["region"]),
        "AssociationId": row["association_id"],
        "NetworkInterfaceId": row["network_interface_id"],
        "NetworkInterfaceOwnerId": row["interface_owner"],
        "PrivateIpAddress": row["private_address"],
        "InstanceId": row["instance_id"],
        "Tags": tagging.shape(row["tags"]),
    }
    return {name: value for name, value in shown.items() if value is not None}


async def _find(ctx: Context, request: Any) -> Any:
    """The address that a request names by allocation, association or address."""
    rows = await ctx.db.fetch(_LIST, ctx.account_id, ctx.region)
    for member, key, code, words in (
        ("AllocationId", "allocation_id", "InvalidAllocationID.NotFound", "The allocation ID '{}' does not exist"),
        ("AssociationId", "association_id", "InvalidAssociationID.NotFound", "The association ID '{}' does not exist"),
        ("PublicIp", "address", "InvalidAddress.NotFound", "Address '{}' not found."),
    ):
        if value := request.get(member):
            for row in rows:
                if row[key] == value:
                    return row
            raise AwsError(words.format(value), code=code)
    raise MissingParameter("Either public IP or allocation id must be specified")


@operation("AssociateAddress", on=on_address)
async def associate_address(ctx: Context, request: AssociateAddressRequestTypeDef) -> dict[str, Any]:
    """Tie an address to an instance or interface, in place of a lent one. Raises Resource.AlreadyAssociated."""
    address, interface = await _find(ctx, request), await _interface(ctx, request)
    if address["network_interface_id"] not in (None, interface["id"]) and not request.get("AllowReassociation", True):
        raise ResourceAlreadyAssociated(
            f"resource {address['allocation_id']} is already associated with {address['association_id']}"
        )
    held = await ctx.db.fetchval(_HELD, interface["id"])
    if held not in (None, address["allocation_id"]):
        await ctx.db.execute(_TIE, held, None, None)
    await ctx.db.execute(_LENT, interface["id"])
    association = resource_id("eipassoc")
    await ctx.db.execute(_TIE, address["allocation_id"], interface["id"], association)
    for vpc in {interface["vpc_id"], address["vpc_id"]} - {None}:
        await ctx.wake(WORK, vpc)
    return {"AssociationId": association}


async def _interface(ctx: Context, request: Any) -> Any:
    if id := request.get("NetworkInterfaceId"):
        INTERFACE.check([id])
        row = await networks.one(ctx, INTERFACE.table, id)
        if row is None:
            raise INTERFACE.missing([id])
        return row
    if instance := request.get("InstanceId"):
        INSTANCE.check([instance])
        found = await instance_queries.interfaces_of(ctx.db, [instance])
        if not found or found[0]["account_id"] != ctx.account_id or found[0]["region"] != ctx.region:
            raise INSTANCE.missing([instance])
        return found[0]
    raise MissingParameter("Either instance ID or network interface id must be specified")


@operation("DisassociateAddress", on=on_address)
async def disassociate_address(ctx: Context, request: DisassociateAddressRequestTypeDef) -> None:
    """Untie an address. Raises InvalidAssociationID.NotFound."""
    address = await _find(ctx, request)
    await ctx.db.execute(_TIE, address["allocation_id"], None, None)
    if address["vpc_id"]:
        await ctx.wake(WORK, address["vpc_id"])


@operation("ReleaseAddress", on=on_address)
async def release_address(ctx: Context, request: ReleaseAddressRequestTypeDef) -> None:
    """Give an address back. Raises InvalidIPAddress.InUse while it is associated."""
    address = await _find(ctx, request)
    if address["network_interface_id"]:
        raise AwsError(f"Address {address['address']} is in use.", code="InvalidIPAddress.InUse")
    await ctx.db.execute("DELETE FROM ec2_public_addresses WHERE address = $1", address["address"])
    await tagging.forget(ctx.db, [address["allocation_id"]])

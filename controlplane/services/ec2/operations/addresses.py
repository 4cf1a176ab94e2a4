"""Elastic IP addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.core.ids import resource_id
from controlplane.core.operation import ANY, Resource, operation
from controlplane.services.ec2 import addressing, describing, interfaces, permissions, quotas, tagging
from controlplane.services.ec2.describing import column
from controlplane.services.ec2.errors import MissingParameter, ResourceAlreadyAssociated
from controlplane.services.ec2.nouns import ADDRESS, INSTANCE, INTERFACE
from controlplane.services.ec2.queries import instances as instance_queries
from controlplane.services.ec2.queries import networks
from controlplane.services.ec2.reconcilers import VPC as WORK

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import (
        AllocateAddressRequestTypeDef,
        AssociateAddressRequestTypeDef,
        DescribeAddressesAttributeRequestTypeDef,
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
# As AWS does it: for the only interface of an instance that asked for a public address and runs.
_LENDS_AGAIN = """
SELECT true FROM ec2_network_interfaces n JOIN ec2_instances i ON i.id = n.instance_id
WHERE n.id = $1 AND i.public_wanted AND i.goal = 'running'
AND NOT EXISTS (SELECT FROM ec2_network_interfaces o WHERE o.instance_id = i.id AND o.id <> n.id)
"""
_UNTIE_INTERFACE = """
UPDATE ec2_public_addresses SET network_interface_id = NULL, association_id = NULL
WHERE network_interface_id = $1 AND allocation_id IS NOT NULL
"""
_LOCK = """
SELECT * FROM ec2_public_addresses
WHERE account_id = $1 AND region = $2 AND allocation_id IS NOT NULL AND {key} = $3 FOR UPDATE
"""
_REACHABLE = "SELECT true FROM ec2_internet_gateways WHERE vpc_id = $1"
_NAMED = """
SELECT allocation_id FROM ec2_public_addresses WHERE account_id = $1 AND region = $2 AND allocation_id IS NOT NULL
AND (allocation_id = $3 OR association_id = $4 OR address = $5)
"""
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
    """The allocation that a request names by its id, its association or its address."""
    names = [request.get(name) for name in ("AllocationId", "AssociationId", "PublicIp")]
    row = await ctx.db.fetchrow(_NAMED, ctx.account_id, ctx.region, *names)
    return await permissions.of(ctx, ADDRESS, [row["allocation_id"]] if row else [])


on_named_addresses = permissions.named(ADDRESS, "AllocationIds")


async def on_target(ctx: Context, request: Any) -> list[Resource]:
    """The interface or instance that an address is to be tied to."""
    if id := request.get("NetworkInterfaceId"):
        return await permissions.of(ctx, INTERFACE, [id])
    return await permissions.of(ctx, INSTANCE, [request["InstanceId"]]) if request.get("InstanceId") else []


@operation("AllocateAddress", on=permissions.new(ADDRESS))
async def allocate_address(ctx: Context, request: AllocateAddressRequestTypeDef) -> dict[str, Any]:
    """Take a public address for the account. Raises AddressLimitExceeded, InsufficientAddressCapacity."""
    tags = tagging.requested(request, ADDRESS)
    await quotas.room_for_one(ctx, quotas.ADDRESSES)
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
        "AssociationId": row["association_id"],
        "NetworkInterfaceId": row["network_interface_id"],
        "NetworkInterfaceOwnerId": row["interface_owner"],
        "PrivateIpAddress": row["private_address"],
        "InstanceId": row["instance_id"],
        "Tags": tagging.shape(row["tags"]),
    }
    return {name: value for name, value in shown.items() if value is not None}


@operation("DescribeAddressesAttribute", on=on_named_addresses)
async def describe_addresses_attribute(
    ctx: Context, request: DescribeAddressesAttributeRequestTypeDef
) -> dict[str, Any]:
    """The reverse names of the account's addresses: none of them has one."""
    rows = await ctx.db.fetch(_LIST, ctx.account_id, ctx.region)
    wanted = request.get("AllocationIds")
    describing.require(ADDRESS, wanted, rows)
    found, token = describing.page([row for row in rows if not wanted or row["id"] in wanted], request)
    shown = [{"PublicIp": row["address"], "AllocationId": row["id"]} for row in found]
    return {"Addresses": shown, "NextToken": token}


async def _locked(ctx: Context, request: Any) -> Any:
    """The address that a request names by allocation, association or address, locked."""
    for member, key, code, words in (
        ("AllocationId", "allocation_id", "InvalidAllocationID.NotFound", "The allocation ID '{}' does not exist"),
        ("AssociationId", "association_id", "InvalidAssociationID.NotFound", "The association ID '{}' does not exist"),
        ("PublicIp", "address", "InvalidAddress.NotFound", "Address '{}' not found."),
    ):
        if value := request.get(member):
            row = await ctx.db.fetchrow(_LOCK.format(key=key), ctx.account_id, ctx.region, value)
            if row is None:
                raise AwsError(words.format(value), code=code)
            return row
    raise MissingParameter("Either public IP or allocation id must be specified")


@operation("AssociateAddress", on=permissions.several(on_address, on_target))
async def associate_address(ctx: Context, request: AssociateAddressRequestTypeDef) -> dict[str, Any]:
    """Tie an address to an instance or interface, in place of a lent one. Raises Resource.AlreadyAssociated."""
    interface, address = await _locked_interface(ctx, request), await _locked(ctx, request)
    moved = address["network_interface_id"] not in (None, interface["id"])
    if moved and not request.get("AllowReassociation", True):
        raise ResourceAlreadyAssociated(
            f"resource {address['allocation_id']} is already associated with {address['association_id']}"
        )
    if address["network_interface_id"] == interface["id"]:
        return {"AssociationId": address["association_id"]}
    await ctx.db.execute(_UNTIE_INTERFACE, interface["id"])
    await ctx.db.execute(_LENT, interface["id"])
    if not await ctx.db.fetchval(_REACHABLE, interface["vpc_id"]):
        raise AwsError(
            f"Network {interface['vpc_id']} is not attached to any internet gateway", code="Gateway.NotAttached"
        )
    association = resource_id("eipassoc")
    await ctx.db.execute(_TIE, address["allocation_id"], interface["id"], association)
    await _wake(ctx, address["network_interface_id"])
    await _wake(ctx, interface["id"])
    return {"AssociationId": association}


async def _wake(ctx: Context, interface: str | None) -> None:
    vpc = await ctx.db.fetchval("SELECT vpc_id FROM ec2_network_interfaces WHERE id = $1", interface)
    if vpc:
        await ctx.wake(WORK, vpc)


async def _locked_interface(ctx: Context, request: Any) -> Any:
    """The interface to tie to. Locked before the address, as everywhere."""
    id = request.get("NetworkInterfaceId")
    if instance := not id and request.get("InstanceId"):
        INSTANCE.check([instance])
        found = await instance_queries.interfaces_of(ctx.db, [instance])
        if not found or (found[0]["account_id"], found[0]["region"]) != (ctx.account_id, ctx.region):
            raise INSTANCE.missing([instance])
        id = found[0]["id"]
    if not id:
        raise MissingParameter("Either instance ID or network interface id must be specified")
    INTERFACE.check([id])
    row = await networks.lock(ctx, INTERFACE.table, id)
    if row is None:
        raise INSTANCE.missing([instance]) if instance else INTERFACE.missing([id])
    return row


@operation("DisassociateAddress", on=on_address)
async def disassociate_address(ctx: Context, request: DisassociateAddressRequestTypeDef) -> None:
    """Untie an address; an instance that was launched with a public address is lent one again. Raises
    InvalidAssociationID.NotFound."""
    address = await _locked(ctx, request)
    await ctx.db.execute(_TIE, address["allocation_id"], None, None)
    interface = address["network_interface_id"]
    if interface and await ctx.db.fetchval(_LENDS_AGAIN, interface):
        await interfaces.lend_public_address(ctx, interface, ctx.cloud.public_range)
    await _wake(ctx, address["network_interface_id"])


@operation("ReleaseAddress", on=on_address)
async def release_address(ctx: Context, request: ReleaseAddressRequestTypeDef) -> None:
    """Give an address back. Raises InvalidIPAddress.InUse while it is associated."""
    address = await _locked(ctx, request)
    if address["network_interface_id"]:
        raise AwsError(f"Address {address['address']} is in use.", code="InvalidIPAddress.InUse")
    await ctx.db.execute("DELETE FROM ec2_public_addresses WHERE address = $1", address["address"])
    await tagging.forget(ctx.db, [address["allocation_id"]])

"""Elastic network interfaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controlplane.core.context import Context
from controlplane.core.operation import ANY, operation
from controlplane.services.ec2 import describing, interfaces, permissions, quotas, shapes, tagging
from controlplane.services.ec2.describing import column
from controlplane.services.ec2.errors import InvalidGroupNotFound, InvalidParameterValue
from controlplane.services.ec2.nouns import GROUP, INTERFACE, SUBNET
from controlplane.services.ec2.queries import instances as instance_queries
from controlplane.services.ec2.queries import networks
from controlplane.services.ec2.reconcilers import VPC as WORK
from controlplane.services.ec2.topology import private_name

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import (
        CreateNetworkInterfaceRequestTypeDef,
        DeleteNetworkInterfaceRequestTypeDef,
        DescribeNetworkInterfacesRequestTypeDef,
        ModifyNetworkInterfaceAttributeRequestTypeDef,
    )

_LIST = f"""
SELECT n.*, p.address AS public_address, p.allocation_id, p.association_id, p.account_id AS public_owner,
    {tagging.column("n")}
FROM ec2_network_interfaces n LEFT JOIN ec2_public_addresses p ON p.network_interface_id = n.id
WHERE n.account_id = $1 AND n.region = $2 AND ($3::text[] IS NULL OR n.id = ANY($3)) ORDER BY n.created_at, n.id
"""
_GROUPS = "SELECT id FROM ec2_security_groups WHERE id = ANY($1) AND vpc_id = $2 ORDER BY id FOR KEY SHARE"
FILTERS: dict[str, describing.Extract] = {
    "network-interface-id": column("id"),
    "vpc-id": column("vpc_id"),
    "subnet-id": column("subnet_id"),
    "availability-zone": column("zone"),
    "description": column("description"),
    "group-id": column("group_ids"),
    "mac-address": column("mac"),
    "owner-id": column("account_id"),
    "private-ip-address": column("address"),
    "addresses.private-ip-address": column("address"),
    "private-dns-name": lambda row: private_name(row["address"], row["region"]),
    "association.public-ip": column("public_address"),
    "association.allocation-id": column("allocation_id"),
    "association.association-id": column("association_id"),
    "attachment.instance-id": column("instance_id"),
    "attachment.attachment-id": column("attachment_id"),
    "attachment.device-index": column("device_index"),
    "attachment.status": lambda row: "attached" if row["instance_id"] else None,
    "status": lambda row: _status(row),
    "source-dest-check": column("source_dest_check"),
    "interface-type": lambda _: "interface",
}
on_interface = permissions.named(INTERFACE, "NetworkInterfaceId")


def _status(row: Any) -> str:
    return "in-use" if row["instance_id"] else "available"


async def _checked_groups(ctx: Context, given: Any, vpc: str) -> list[str]:
    wanted = list(dict.fromkeys(given or ()))
    if not wanted:
        return [await networks.default_group(ctx.db, vpc)]
    GROUP.check(wanted)
    found = {row["id"] for row in await ctx.db.fetch(_GROUPS, wanted, vpc)}
    if lacking := set(wanted) - found:
        raise InvalidGroupNotFound(f"The security group '{sorted(lacking)[0]}' does not exist")
    return wanted


@operation(
    "CreateNetworkInterface",
    on=permissions.several(
        permissions.new(INTERFACE), permissions.named(SUBNET, "SubnetId"), permissions.named(GROUP, "Groups")
    ),
)
async def create_network_interface(ctx: Context, request: CreateNetworkInterfaceRequestTypeDef) -> dict[str, Any]:
    """Create an interface with one address. Raises InvalidIPAddress.InUse."""
    SUBNET.check([request["SubnetId"]])
    subnet = await networks.lock(ctx, SUBNET.table, request["SubnetId"], "NO KEY UPDATE")
    if subnet is None:
        raise SUBNET.missing([request["SubnetId"]])
    groups = await _checked_groups(ctx, request.get("Groups"), subnet["vpc_id"])
    tags = tagging.requested(request, INTERFACE)
    await quotas.room_for_one(ctx, quotas.INTERFACES)
    addresses = await interfaces.candidates(ctx, subnet, request.get("PrivateIpAddress"))
    id = await interfaces.create(ctx, subnet, groups, addresses, description=request.get("Description") or "")
    await tagging.create(ctx, INTERFACE, [id], tags)
    return {"NetworkInterface": (await _shown(ctx, await _rows(ctx, [id])))[0]}


async def _rows(ctx: Context, ids: Any) -> list[Any]:
    return await ctx.db.fetch(_LIST, ctx.account_id, ctx.region, list(ids) if ids else None)


@operation("DescribeNetworkInterfaces", on=ANY)
async def describe_network_interfaces(ctx: Context, request: DescribeNetworkInterfacesRequestTypeDef) -> dict[str, Any]:
    """Interfaces with their addresses and attachments. Raises InvalidNetworkInterfaceID.NotFound."""
    wanted = request.get("NetworkInterfaceIds")
    rows = await _rows(ctx, wanted)
    describing.require(INTERFACE, wanted, rows)
    found, token = describing.page(describing.matching(rows, request, FILTERS), request, ids="NetworkInterfaceIds")
    return {"NetworkInterfaces": await _shown(ctx, found), "NextToken": token}


async def _shown(ctx: Context, rows: Any) -> list[dict[str, Any]]:
    names = await instance_queries.group_names(ctx.db, [group for row in rows for group in row["group_ids"]])
    return [_shape(row, names) for row in rows]


def _shape(row: Any, group_names: dict[str, str]) -> dict[str, Any]:
    shown = shapes.interface(row, group_names)
    attachment = shown.pop("Attachment")
    if row["instance_id"]:
        shown["Attachment"] = {**attachment, "InstanceId": row["instance_id"], "InstanceOwnerId": row["account_id"]}
    if row["allocation_id"]:
        shown["Association"] |= {"AllocationId": row["allocation_id"], "AssociationId": row["association_id"]}
    return {
        **shown,
        "Status": _status(row),
        "AvailabilityZone": row["zone"],
        "RequesterManaged": row["requester_managed"],
        "TagSet": tagging.shape(row["tags"]),
    }


async def _locked(ctx: Context, id: str) -> Any:
    INTERFACE.check([id])
    row = await networks.lock(ctx, INTERFACE.table, id)
    if row is None:
        raise INTERFACE.missing([id])
    return row


@operation("ModifyNetworkInterfaceAttribute", on=on_interface)
async def modify_network_interface_attribute(
    ctx: Context, request: ModifyNetworkInterfaceAttributeRequestTypeDef
) -> None:
    """Change the description, the groups or the source/destination check."""
    row = await _locked(ctx, request["NetworkInterfaceId"])
    if "Groups" in request:
        groups = await _checked_groups(ctx, request["Groups"], row["vpc_id"])
        await _set(ctx, row, "group_ids", groups)
    elif "Description" in request:
        await _set(ctx, row, "description", request["Description"].get("Value", ""))
    elif "SourceDestCheck" in request:
        await _set(ctx, row, "source_dest_check", request["SourceDestCheck"].get("Value", True))
    elif "Attachment" in request:
        keep = request["Attachment"].get("DeleteOnTermination")
        await _set(ctx, row, "delete_on_termination", bool(keep))
    else:
        raise InvalidParameterValue("No attributes specified.", code="InvalidParameterCombination")
    await ctx.wake(WORK, row["vpc_id"])


async def _set(ctx: Context, row: Any, column: str, value: Any) -> None:
    await ctx.db.execute(f"UPDATE ec2_network_interfaces SET {column} = $2 WHERE id = $1", row["id"], value)


@operation("DeleteNetworkInterface", on=on_interface)
async def delete_network_interface(ctx: Context, request: DeleteNetworkInterfaceRequestTypeDef) -> None:
    """Delete an interface that is attached to nothing. Raises InvalidNetworkInterface.InUse."""
    row = await _locked(ctx, request["NetworkInterfaceId"])
    if row["instance_id"]:
        raise InvalidParameterValue(
            f"Network interface '{row['id']}' is currently in use.", code="InvalidNetworkInterface.InUse"
        )
    await interfaces.delete(ctx.db, row["id"])

"""Endpoints: addresses in a VPC through which questions come in or go out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents.contract.network import Inbound
from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.core.operation import ANY, operation
from controlplane.fleet import resolving
from controlplane.services.route53resolver.errors import (
    InvalidParameterException,
    InvalidRequestException,
    ResourceExistsException,
    ResourceInUseException,
    ResourceNotFoundException,
)
from controlplane.services.route53resolver.listing import arn, new_id, on, page, tags, time, told
from controlplane.services.route53resolver.vpcs import publish

_DESCRIPTION = "Route 53 Resolver endpoint"
_KINDS = {"INBOUND": "in", "OUTBOUND": "out"}
_INSERT = """
INSERT INTO route53resolver_endpoints
    (id, account_id, region, request_id, name, direction, vpc_id, groups, addresses, tags)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING RETURNING *
"""
_FIND = "SELECT * FROM route53resolver_endpoints WHERE id = $1 AND account_id = $2 AND region = $3"
_LIST = "SELECT * FROM route53resolver_endpoints WHERE account_id = $1 AND region = $2 ORDER BY id"
_ASKED = "SELECT true FROM route53resolver_endpoints WHERE account_id = $1 AND region = $2 AND request_id = $3"
_NAME = "UPDATE route53resolver_endpoints SET name = $2, modified_at = now() WHERE id = $1 RETURNING *"
_USED = "SELECT EXISTS (SELECT FROM route53resolver_rules WHERE endpoint_id = $1)"
_on = on("resolver-endpoint", "ResolverEndpointId")


async def find(ctx: Context, id: str) -> Any:
    """Raises ResourceNotFoundException."""
    row = await ctx.db.fetchrow(_FIND, id, ctx.account_id, ctx.region)
    if row is None:
        raise ResourceNotFoundException(f'[RSLVR-00501] Resolver endpoint with ID "{id[:64]}" does not exist.')
    return row


def _shown(ctx: Context, row: Any, status: str = "OPERATIONAL") -> dict[str, Any]:
    shown = {
        "Id": row["id"],
        "CreatorRequestId": row["request_id"],
        "Arn": arn(ctx, "resolver-endpoint", row["id"]),
        "SecurityGroupIds": row["groups"],
        "Direction": row["direction"],
        "IpAddressCount": len(row["addresses"]),
        "HostVPCId": row["vpc_id"],
        "Status": status,
        "StatusMessage": told(ctx, "This Resolver Endpoint is operational." if status == "OPERATIONAL" else status),
        "CreationTime": time(row["created_at"]),
        "ModificationTime": time(row["modified_at"]),
        "ResolverEndpointType": "IPV4",
    }
    return {**shown, "Name": row["name"]} if row["name"] else shown


@operation("CreateResolverEndpoint", on=ANY)
async def create_resolver_endpoint(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises InvalidParameterException, InvalidRequestException, ResourceExistsException."""
    for group in request["SecurityGroupIds"]:
        if not group.startswith("sg-"):
            raise InvalidParameterException(
                f'[RSLVR-00408] Malformed security group ID: "Invalid id: "{group[:64]}" (expecting "sg-...")".'
            )
    if request["Direction"] not in _KINDS:
        raise InvalidParameterException("[RSLVR-00401] The direction must be INBOUND or OUTBOUND.")
    if len(request["IpAddresses"]) < 2:
        raise InvalidRequestException("[RSLVR-00403] Resolver endpoint needs at least 2 IP addresses.")
    own = (ctx.account_id, ctx.region, request["CreatorRequestId"])
    exists = ResourceExistsException(
        f"[RSLVR-00402] Resolver endpoint with creator request ID {own[2]} already exists."
    )
    if await ctx.db.fetchval(_ASKED, *own):
        raise exists
    vpc, addresses = await _addresses(ctx, request)
    id = new_id(_KINDS[request["Direction"]])
    settings = (request.get("Name"), request["Direction"], vpc, list(request["SecurityGroupIds"]), addresses)
    row = await ctx.db.fetchrow(_INSERT, id, *own, *settings, tags(request.get("Tags")))
    if row is None:
        raise exists
    if row["direction"] == "INBOUND":
        inbound = Inbound(id=id, addresses=tuple(item["Ip"] for item in addresses))
        await resolving.put(ctx.db, vpc, inbound)
        await publish(ctx, vpc)
    return {"ResolverEndpoint": _shown(ctx, row, "CREATING")}


async def _addresses(ctx: Context, request: Any) -> tuple[str, list[dict[str, Any]]]:
    """The VPC, and the addresses, each with a network interface that keeps it from others."""
    ids = [item["SubnetId"] for item in request["IpAddresses"]]
    try:
        found = await ctx.call("ec2", "DescribeSubnets", {"SubnetIds": sorted(set(ids))})
        await ctx.call("ec2", "DescribeSecurityGroups", {"GroupIds": list(request["SecurityGroupIds"])})
    except AwsError as error:
        if error.status >= 500 or error.code == "UnauthorizedOperation":
            raise
        raise InvalidParameterException(f"[RSLVR-00404] {error.message}") from error
    subnets: Mapping[str, Any] = {subnet["SubnetId"]: subnet for subnet in found["Subnets"]}
    vpcs = {subnet["VpcId"] for subnet in subnets.values()}
    if len(vpcs) != 1:
        raise InvalidParameterException("[RSLVR-00406] All subnets must be of one VPC.")
    chosen: list[dict[str, Any]] = []
    for item in request["IpAddresses"]:
        wanted = {"PrivateIpAddress": item["Ip"]} if item.get("Ip") else {}
        made = {"SubnetId": item["SubnetId"], "Groups": list(request["SecurityGroupIds"]), **wanted}
        try:
            answer = await ctx.call("ec2", "CreateNetworkInterface", {**made, "Description": _DESCRIPTION})
        except AwsError as error:
            if error.status >= 500 or error.code == "UnauthorizedOperation":
                raise
            raise InvalidParameterException(f"[RSLVR-00407] {error.message}") from error
        interface = answer["NetworkInterface"]
        address = {"SubnetId": item["SubnetId"], "Ip": interface["PrivateIpAddress"]}
        id = new_id("ip").replace("rslvr-", "rni-")
        chosen.append({"IpId": id, **address, "NetworkInterfaceId": interface["NetworkInterfaceId"]})
    return vpcs.pop(), chosen


@operation("GetResolverEndpoint", on=_on)
async def get_resolver_endpoint(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourceNotFoundException."""
    return {"ResolverEndpoint": _shown(ctx, await find(ctx, request["ResolverEndpointId"]))}


@operation("UpdateResolverEndpoint", on=_on)
async def update_resolver_endpoint(ctx: Context, request: Any) -> dict[str, Any]:
    """Give it another name. Raises ResourceNotFoundException."""
    row = await find(ctx, request["ResolverEndpointId"])
    return {"ResolverEndpoint": _shown(ctx, await ctx.db.fetchrow(_NAME, row["id"], request.get("Name")))}


@operation("DeleteResolverEndpoint", on=_on)
async def delete_resolver_endpoint(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourceNotFoundException, ResourceInUseException."""
    row = await find(ctx, request["ResolverEndpointId"])
    if await ctx.db.fetchval(_USED, row["id"]):
        raise ResourceInUseException(f"[RSLVR-00502] Resolver endpoint {row['id']} is used by Resolver rules.")
    await ctx.db.execute("DELETE FROM route53resolver_endpoints WHERE id = $1", row["id"])
    await resolving.drop(ctx.db, row["vpc_id"], row["id"])
    for item in row["addresses"]:
        await _release(ctx, item.get("NetworkInterfaceId"))
    await publish(ctx, row["vpc_id"])
    return {"ResolverEndpoint": _shown(ctx, row, "DELETING")}


async def _release(ctx: Context, interface: str | None) -> None:
    try:
        if interface:
            await ctx.call("ec2", "DeleteNetworkInterface", {"NetworkInterfaceId": interface})
    except AwsError as error:
        if error.code != "InvalidNetworkInterfaceID.NotFound":
            raise


@operation("ListResolverEndpoints", on=ANY)
async def list_resolver_endpoints(ctx: Context, request: Any) -> dict[str, Any]:
    """By id."""
    rows = await ctx.db.fetch(_LIST, ctx.account_id, ctx.region)
    return page(request, rows, lambda row: _shown(ctx, row), "ResolverEndpoints")


@operation("ListResolverEndpointIpAddresses", on=_on)
async def list_resolver_endpoint_ip_addresses(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourceNotFoundException."""
    row = await find(ctx, request["ResolverEndpointId"])
    times = {"CreationTime": time(row["created_at"]), "ModificationTime": time(row["modified_at"])}
    state = {"Status": "ATTACHED", "StatusMessage": told(ctx, "attached"), **times}
    found = [{name: item[name] for name in ("IpId", "SubnetId", "Ip")} | state for item in row["addresses"]]
    return {"IpAddresses": found, "MaxResults": len(found)}

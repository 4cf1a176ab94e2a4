"""Route tables, routes and associations."""

from __future__ import annotations

from collections import defaultdict
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any

from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.core.ids import resource_id
from controlplane.core.operation import ANY, Resource, operation
from controlplane.services.ec2 import defaults, describing, permissions, quotas, tagging
from controlplane.services.ec2.describing import column
from controlplane.services.ec2.errors import DependencyViolation, InvalidParameterValue, MissingParameter
from controlplane.services.ec2.nouns import GATEWAY, INSTANCE, INTERFACE, ROUTE_TABLE, SUBNET, VPC
from controlplane.services.ec2.operations.vpcs import locked
from controlplane.services.ec2.queries import instances as instance_queries
from controlplane.services.ec2.queries import networks
from controlplane.services.ec2.reconcilers import VPC as WORK

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import (
        AssociateRouteTableRequestTypeDef,
        CreateRouteRequestTypeDef,
        CreateRouteTableRequestTypeDef,
        DeleteRouteRequestTypeDef,
        DeleteRouteTableRequestTypeDef,
        DescribeRouteTablesRequestTypeDef,
        DisassociateRouteTableRequestTypeDef,
        ReplaceRouteRequestTypeDef,
        ReplaceRouteTableAssociationRequestTypeDef,
    )

_INSERT_ROUTE = """
INSERT INTO ec2_routes (route_table_id, cidr, gateway_id, network_interface_id, instance_id)
VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING true
"""
_REPLACE_ROUTE = """
UPDATE ec2_routes SET gateway_id = $3, network_interface_id = $4, instance_id = $5
WHERE route_table_id = $1 AND cidr = $2 RETURNING true
"""
_DELETE_ROUTE = "DELETE FROM ec2_routes WHERE route_table_id = $1 AND cidr = $2 RETURNING true"
_ASSOCIATE = """
INSERT INTO ec2_route_table_associations (id, route_table_id, subnet_id) VALUES ($1, $2, $3)
ON CONFLICT (subnet_id) DO NOTHING RETURNING id
"""
_ASSOCIATION = """
SELECT a.*, t.vpc_id FROM ec2_route_table_associations a JOIN ec2_route_tables t ON t.id = a.route_table_id
WHERE a.id = $1 AND t.account_id = $2 AND t.region = $3
"""
_MAIN_ASSOCIATION = """
SELECT * FROM ec2_route_tables WHERE main_association_id = $1 AND account_id = $2 AND region = $3
"""
_USED = "SELECT true FROM ec2_route_table_associations WHERE route_table_id = $1 LIMIT 1"
_GATEWAYS = "SELECT id FROM ec2_internet_gateways WHERE vpc_id = ANY($1)"
_ATTACHED = "SELECT id FROM ec2_network_interfaces WHERE id = ANY($1) AND instance_id IS NOT NULL"
FILTERS: dict[str, describing.Extract] = {
    "route-table-id": column("id"),
    "vpc-id": column("vpc_id"),
    "owner-id": column("account_id"),
    "association.main": lambda row: [item["Main"] for item in row["shown"]["Associations"]] or [False],
    "association.route-table-association-id": lambda row: [
        item["RouteTableAssociationId"] for item in row["shown"]["Associations"]
    ],
    "association.route-table-id": column("id"),
    "association.subnet-id": lambda row: [item.get("SubnetId") for item in row["shown"]["Associations"]],
    "route.destination-cidr-block": lambda row: [item["DestinationCidrBlock"] for item in row["shown"]["Routes"]],
    "route.gateway-id": lambda row: [item.get("GatewayId") for item in row["shown"]["Routes"]],
    "route.state": lambda row: [item["State"] for item in row["shown"]["Routes"]],
    "route.origin": lambda row: [item["Origin"] for item in row["shown"]["Routes"]],
}
on_table = permissions.named(ROUTE_TABLE, "RouteTableId")


@operation("CreateRouteTable", on=permissions.several(permissions.new(ROUTE_TABLE), permissions.named(VPC, "VpcId")))
async def create_route_table(ctx: Context, request: CreateRouteTableRequestTypeDef) -> dict[str, Any]:
    """Create a table that holds the local route only."""
    vpc = await locked(ctx, request["VpcId"])
    tags = tagging.requested(request, ROUTE_TABLE)
    await quotas.room_for_one(ctx, quotas.TABLES, vpc["id"])
    id = resource_id("rtb")
    await ctx.db.insert("ec2_route_tables", id=id, account_id=ctx.account_id, region=ctx.region, vpc_id=vpc["id"])
    await tagging.create(ctx, ROUTE_TABLE, [id], tags)
    rows = await _full(ctx, await networks.listing(ctx, ROUTE_TABLE.table, [id]))
    return {"RouteTable": rows[0]["shown"]}


@operation("DescribeRouteTables", on=ANY)
async def describe_route_tables(ctx: Context, request: DescribeRouteTablesRequestTypeDef) -> dict[str, Any]:
    """Tables with their routes and associations. Raises InvalidRouteTableID.NotFound."""
    await defaults.ensure_default_vpc(ctx)
    wanted = request.get("RouteTableIds")
    rows = await networks.listing(ctx, ROUTE_TABLE.table, wanted)
    describing.require(ROUTE_TABLE, wanted, rows)
    full = await _full(ctx, rows)
    found, token = describing.page(describing.matching(full, request, FILTERS), request, ids="RouteTableIds")
    return {"RouteTables": [row["shown"] for row in found], "NextToken": token}


async def _full(ctx: Context, rows: Any) -> list[dict[str, Any]]:
    """Rows with `shown`, the shape of the API."""
    ids, vpcs = [row["id"] for row in rows], list({row["vpc_id"] for row in rows})
    blocks = {row["id"]: row["cidr"] for row in await networks.listing(ctx, VPC.table, vpcs)} if vpcs else {}
    attached = {row["id"] for row in await ctx.db.fetch(_GATEWAYS, vpcs)}
    routes, associations = defaultdict(list), defaultdict(list)
    for route in await networks.routes_of(ctx.db, ids):
        routes[route["route_table_id"]].append(route)
    named = [route["network_interface_id"] for of in routes.values() for route in of if route["network_interface_id"]]
    if named:
        attached |= {row["id"] for row in await ctx.db.fetch(_ATTACHED, named)}
    for association in await networks.associations_of(ctx.db, ids):
        associations[association["route_table_id"]].append(association)
    return [
        {
            **row,
            "shown": {
                "RouteTableId": row["id"],
                "VpcId": row["vpc_id"],
                "OwnerId": row["account_id"],
                "Routes": [_local(blocks[row["vpc_id"]]), *(_route(item, attached) for item in routes[row["id"]])],
                "Associations": _associations(row, associations[row["id"]]),
                "PropagatingVgws": [],
                "Tags": tagging.shape(row["tags"]),
            },
        }
        for row in rows
    ]


def _local(cidr: str) -> dict[str, Any]:
    return {"DestinationCidrBlock": cidr, "GatewayId": "local", "State": "active", "Origin": "CreateRouteTable"}


def _route(row: Any, attached: set[str]) -> dict[str, Any]:
    dangling = (row["gateway_id"] or row["network_interface_id"]) not in attached
    shown = {
        "DestinationCidrBlock": row["cidr"],
        "GatewayId": row["gateway_id"],
        "NetworkInterfaceId": row["network_interface_id"],
        "InstanceId": row["instance_id"],
        "State": "blackhole" if dangling else "active",
        "Origin": "CreateRoute",
    }
    return {name: value for name, value in shown.items() if value is not None}


def _associations(row: Any, explicit: Any) -> list[dict[str, Any]]:
    state = {"State": "associated"}
    main = [
        {
            "Main": True,
            "RouteTableAssociationId": row["main_association_id"],
            "RouteTableId": row["id"],
            "AssociationState": state,
        }
    ]
    return (main if row["main"] else []) + [
        {
            "Main": False,
            "RouteTableAssociationId": item["id"],
            "RouteTableId": row["id"],
            "SubnetId": item["subnet_id"],
            "AssociationState": state,
        }
        for item in explicit
    ]


async def _locked_table(ctx: Context, id: str) -> Any:
    ROUTE_TABLE.check([id])
    row = await networks.lock(ctx, ROUTE_TABLE.table, id)
    if row is None:
        raise ROUTE_TABLE.missing([id])
    return row


async def _target(ctx: Context, request: Any, vpc: str) -> tuple[str | None, str | None, str | None]:
    """(gateway, network interface, instance) of a route. Raises when the request names none that is there."""
    if gateway := request.get("GatewayId"):
        row = await networks.one(ctx, GATEWAY.table, gateway)
        if row is None:
            raise GATEWAY.missing([gateway])
        if row["vpc_id"] != vpc:
            raise InvalidParameterValue(f"route table and network gateway {gateway} belong to different networks")
        return gateway, None, None
    if interface := request.get("NetworkInterfaceId"):
        row = await networks.one(ctx, INTERFACE.table, interface)
        if row is None:
            raise INTERFACE.missing([interface])
        _require_network(row, vpc)
        return None, interface, row["instance_id"]
    if instance := request.get("InstanceId"):
        found = await instance_queries.interfaces_of(ctx.db, [instance])
        if not found or (found[0]["account_id"], found[0]["region"]) != (ctx.account_id, ctx.region):
            raise INSTANCE.missing([instance])
        _require_network(found[0], vpc)
        return None, found[0]["id"], instance
    raise MissingParameter("The request must contain exactly one of gatewayId, networkInterfaceId, instanceId")


def _require_network(interface: Any, vpc: str) -> None:
    if interface["vpc_id"] != vpc:
        raise InvalidParameterValue(f"route table and interface {interface['id']} belong to different networks")


def _destination(request: Any) -> str:
    cidr = request.get("DestinationCidrBlock")
    if not cidr:
        raise MissingParameter("The request must contain the parameter destinationCidrBlock")
    try:
        return str(IPv4Network(cidr, strict=False))
    except ValueError as error:
        raise InvalidParameterValue(
            f"Value ({cidr}) for parameter destinationCidrBlock is invalid. This is not a valid CIDR block."
        ) from error


@operation("CreateRoute", on=on_table)
async def create_route(ctx: Context, request: CreateRouteRequestTypeDef) -> dict[str, Any]:
    """Add a route. Raises RouteAlreadyExists."""
    table, cidr = await _locked_table(ctx, request["RouteTableId"]), _destination(request)
    target = await _target(ctx, request, table["vpc_id"])
    if not await ctx.db.fetchval(_INSERT_ROUTE, table["id"], cidr, *target):
        raise AwsError(f"The route identified by {cidr} already exists.", code="RouteAlreadyExists")
    await ctx.wake(WORK, table["vpc_id"])
    return {"Return": True}


@operation("ReplaceRoute", on=on_table)
async def replace_route(ctx: Context, request: ReplaceRouteRequestTypeDef) -> None:
    """Point a route elsewhere. Raises InvalidRoute.NotFound."""
    table, cidr = await _locked_table(ctx, request["RouteTableId"]), _destination(request)
    target = await _target(ctx, request, table["vpc_id"])
    if not await ctx.db.fetchval(_REPLACE_ROUTE, table["id"], cidr, *target):
        raise _no_route(table, cidr)
    await ctx.wake(WORK, table["vpc_id"])


@operation("DeleteRoute", on=on_table)
async def delete_route(ctx: Context, request: DeleteRouteRequestTypeDef) -> None:
    """Take a route away. Raises InvalidRoute.NotFound."""
    table, cidr = await _locked_table(ctx, request["RouteTableId"]), _destination(request)
    if not await ctx.db.fetchval(_DELETE_ROUTE, table["id"], cidr):
        raise _no_route(table, cidr)
    await ctx.wake(WORK, table["vpc_id"])


def _no_route(table: Any, cidr: str) -> AwsError:
    return AwsError(
        f"no route with destination-cidr-block {cidr} in route table {table['id']}", code="InvalidRoute.NotFound"
    )


@operation("AssociateRouteTable", on=permissions.several(on_table, permissions.named(SUBNET, "SubnetId")))
async def associate_route_table(ctx: Context, request: AssociateRouteTableRequestTypeDef) -> dict[str, Any]:
    """Have a subnet use a table. Raises Resource.AlreadyAssociated."""
    table = await _locked_table(ctx, request["RouteTableId"])
    subnet = request.get("SubnetId")
    if not subnet:
        raise MissingParameter("The request must contain the parameter subnetId")
    SUBNET.check([subnet])
    row = await networks.lock(ctx, SUBNET.table, subnet, "KEY SHARE")
    if row is None:
        raise SUBNET.missing([subnet])
    if row["vpc_id"] != table["vpc_id"]:
        raise InvalidParameterValue(f"Route table {table['id']} and subnet {subnet} belong to different networks")
    id = await ctx.db.fetchval(_ASSOCIATE, resource_id("rtbassoc"), table["id"], subnet)
    if id is None:
        raise AwsError(
            f"the specified association for route table {table['id']} conflicts with an existing association",
            code="Resource.AlreadyAssociated",
        )
    await ctx.wake(WORK, table["vpc_id"])
    return {"AssociationId": id, "AssociationState": {"State": "associated"}}


async def _association(ctx: Context, id: str) -> Any:
    row = await ctx.db.fetchrow(_ASSOCIATION, id, ctx.account_id, ctx.region)
    if row is None:
        raise AwsError(f"The association ID '{id}' does not exist", code="InvalidAssociationID.NotFound")
    return row


async def on_association(ctx: Context, request: Any) -> list[Resource]:
    """The table and, unless it is the main association, the subnet that an association ties."""
    id = request["AssociationId"]
    found = await ctx.db.fetchrow(_ASSOCIATION, id, ctx.account_id, ctx.region)
    if found is None:
        main = await ctx.db.fetchrow(_MAIN_ASSOCIATION, id, ctx.account_id, ctx.region)
        return await permissions.of(ctx, ROUTE_TABLE, [main["id"]] if main else [])
    tables = await permissions.of(ctx, ROUTE_TABLE, [found["route_table_id"]])
    return [*tables, *await permissions.of(ctx, SUBNET, [found["subnet_id"]])]


@operation("DisassociateRouteTable", on=on_association)
async def disassociate_route_table(ctx: Context, request: DisassociateRouteTableRequestTypeDef) -> None:
    """Have a subnet use the main table again. Raises InvalidAssociationID.NotFound."""
    if await ctx.db.fetchval(_MAIN_ASSOCIATION, request["AssociationId"], ctx.account_id, ctx.region):
        raise InvalidParameterValue("cannot disassociate the main route table association")
    row = await _association(ctx, request["AssociationId"])
    await ctx.db.execute("DELETE FROM ec2_route_table_associations WHERE id = $1", row["id"])
    await ctx.wake(WORK, row["vpc_id"])


@operation("ReplaceRouteTableAssociation", on=permissions.several(on_table, on_association))
async def replace_route_table_association(
    ctx: Context, request: ReplaceRouteTableAssociationRequestTypeDef
) -> dict[str, Any]:
    """Have a subnet, or with the main association the whole VPC, use another table."""
    table, old = await _locked_table(ctx, request["RouteTableId"]), request["AssociationId"]
    await locked(ctx, table["vpc_id"])
    id = resource_id("rtbassoc")
    main = await ctx.db.fetchrow(_MAIN_ASSOCIATION, old, ctx.account_id, ctx.region)
    if main is not None:
        _require_same_vpc(main, table)
        await ctx.db.execute(
            "UPDATE ec2_route_tables SET main = false, main_association_id = NULL WHERE id = $1", main["id"]
        )
        await ctx.db.execute(
            "UPDATE ec2_route_tables SET main = true, main_association_id = $2 WHERE id = $1", table["id"], id
        )
    else:
        row = await _association(ctx, old)
        _require_same_vpc(row, table)
        await ctx.db.execute(
            "UPDATE ec2_route_table_associations SET id = $2, route_table_id = $3 WHERE id = $1",
            row["id"],
            id,
            table["id"],
        )
    await ctx.wake(WORK, table["vpc_id"])
    return {"NewAssociationId": id, "AssociationState": {"State": "associated"}}


def _require_same_vpc(association: Any, table: Any) -> None:
    if association["vpc_id"] != table["vpc_id"]:
        raise InvalidParameterValue("cannot replace the association with a route table of another network")


@operation("DeleteRouteTable", on=on_table)
async def delete_route_table(ctx: Context, request: DeleteRouteTableRequestTypeDef) -> None:
    """Delete a table that no subnet uses. Raises DependencyViolation."""
    table = await _locked_table(ctx, request["RouteTableId"])
    if table["main"] or await ctx.db.fetchval(_USED, table["id"]):
        raise DependencyViolation(f"The routeTable '{table['id']}' has dependencies and cannot be deleted.")
    await ctx.db.execute("DELETE FROM ec2_route_tables WHERE id = $1", table["id"])
    await tagging.forget(ctx.db, [table["id"]])

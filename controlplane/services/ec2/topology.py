"""A VPC as its hosts must have it: from rows to the agents' document, published to every host with a port in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from ipaddress import IPv4Network
from typing import Any

from agents.contract import network
from controlplane.core.context import Unit
from controlplane.fleet import desired, resolving
from controlplane.services.ec2.queries.networks import associations_of, routes_of, rules_of

LIVE = ("pending", "running", "stopping", "shutting-down")
"""States in which an instance's port exists on its host."""

# NO KEY, so that launches, which refer to the VPC, need not wait.
_LOCK = "SELECT * FROM ec2_vpcs WHERE id = $1 FOR NO KEY UPDATE"
_SUBNETS = "SELECT * FROM ec2_subnets WHERE vpc_id = $1 ORDER BY id"
_TABLES = "SELECT * FROM ec2_route_tables WHERE vpc_id = $1 ORDER BY id"
_GROUPS = "SELECT id, name FROM ec2_security_groups WHERE vpc_id = $1 ORDER BY id"
_PORTS = """
SELECT n.*, i.host_id, i.state AS instance_state, p.address AS public_address, h.address AS host_address
FROM ec2_network_interfaces n
LEFT JOIN ec2_instances i ON i.id = n.instance_id
LEFT JOIN ec2_public_addresses p ON p.network_interface_id = n.id
LEFT JOIN fleet_hosts h ON h.id = i.host_id
WHERE n.vpc_id = $1 ORDER BY n.id
"""
_ATTACHED_GATEWAYS = "SELECT id FROM ec2_internet_gateways WHERE vpc_id = $1"


async def publish(db: Unit, vpc: str) -> None:
    """Make the hosts have the VPC as it is now. The row lock puts concurrent publications in order.

    Locks the VPC, then hosts by id; whoever calls this holds neither an instance nor a host.
    """
    row = await db.fetchrow(_LOCK, vpc)
    if row is None:
        await resolving.forget(db, vpc)
    ports = await db.fetch(_PORTS, vpc)
    by_host: dict[str, list[Any]] = defaultdict(list)
    for port in ports:
        if port["host_id"] and port["instance_state"] in LIVE:
            by_host[port["host_id"]].append(port)
    shared = await _shared_parts(db, row, ports) if by_host else {}
    for host in sorted({*await desired.hosts_with(db, "vpc", vpc), *by_host}):
        if host not in by_host:
            await desired.remove(db, host, "vpc", vpc)
            continue
        remote = [port for other, found in by_host.items() if other != host for port in found]
        await desired.put(db, host, _document(row, shared, by_host[host], remote))


async def _shared_parts(db: Unit, vpc: Any, ports: Sequence[Any]) -> dict[str, Any]:
    subnets = await db.fetch(_SUBNETS, vpc["id"])
    return {
        **await resolving.of(db, vpc["id"]),
        "subnets": tuple(_subnet(row) for row in subnets),
        "route_tables": await _route_tables(db, vpc, subnets, {port["id"] for port in ports if port["instance_id"]}),
        "groups": await _groups(db, vpc["id"], ports),
    }


def _document(vpc: Any, shared: dict[str, Any], own: Sequence[Any], remote: Sequence[Any]) -> network.Vpc:
    return network.Vpc(
        id=vpc["id"],
        cidrs=(vpc["cidr"],),
        dns_domain=internal_domain(vpc["region"]),
        ports=tuple(_port(row, vpc["region"]) for row in own),
        remote_ports=tuple(
            network.RemotePort(
                subnet=row["subnet_id"], mac=row["mac"], address=row["address"], host_address=row["host_address"]
            )
            for row in remote
        ),
        **shared,
    )


def internal_domain(region: str) -> str:
    """The domain of private names, as AWS has it."""
    return "ec2.internal" if region == "us-east-1" else f"{region}.compute.internal"


def private_name(address: str, region: str) -> str:
    """An instance's private DNS name."""
    return f"ip-{address.replace('.', '-')}.{internal_domain(region)}"


def _subnet(row: Any) -> network.Subnet:
    first = IPv4Network(row["cidr"]).network_address + 1
    # Derived from the overlay's number, so that the gateway has the same MAC address on every host.
    mac = "0a:ce:" + ":".join(f"{byte:02x}" for byte in int(row["vni"]).to_bytes(4, "big"))
    return network.Subnet(id=row["id"], cidr=row["cidr"], gateway=str(first), vni=row["vni"], mac=mac)


def _port(row: Any, region: str) -> network.Port:
    return network.Port(
        id=row["id"],
        subnet=row["subnet_id"],
        mac=row["mac"],
        address=row["address"],
        public_address=row["public_address"],
        groups=tuple(row["group_ids"]),
        hostname=private_name(row["address"], region).partition(".")[0],
        instance=row["instance_id"],
        source_dest_check=row["source_dest_check"],
    )


async def _route_tables(
    db: Unit, vpc: Any, subnets: Sequence[Any], attached: set[str]
) -> tuple[network.RouteTable, ...]:
    tables = await db.fetch(_TABLES, vpc["id"])
    ids = [table["id"] for table in tables]
    gateways = {row["id"] for row in await db.fetch(_ATTACHED_GATEWAYS, vpc["id"])}
    explicit = {row["subnet_id"]: row["route_table_id"] for row in await associations_of(db, ids)}
    routes: dict[str, list[network.Route]] = defaultdict(list)
    for row in await routes_of(db, ids):
        routes[row["route_table_id"]].append(network.Route(cidr=row["cidr"], target=_target(row, gateways, attached)))
    main = next(table["id"] for table in tables if table["main"])
    members: dict[str, list[str]] = defaultdict(list)
    for subnet in subnets:
        members[explicit.get(subnet["id"], main)].append(subnet["id"])
    local = network.Route(cidr=vpc["cidr"], target="local")
    return tuple(
        network.RouteTable(id=id, subnets=tuple(members[id]), routes=(local, *routes[id])) for id in ids if members[id]
    )


def _target(route: Any, gateways: set[str], attached: set[str]) -> str:
    if route["gateway_id"] in gateways:
        return "internet"
    return str(route["network_interface_id"]) if route["network_interface_id"] in attached else "none"


async def _groups(db: Unit, vpc: str, ports: Sequence[Any]) -> tuple[network.SecurityGroup, ...]:
    names = {row["id"]: row["name"] for row in await db.fetch(_GROUPS, vpc)}
    ids = list(names)
    rules: dict[tuple[str, bool], list[network.Rule]] = defaultdict(list)
    for row in await rules_of(db, ids):
        if row["cidr6"] is None:
            rules[row["group_id"], row["egress"]].append(_rule(row))
    members: dict[str, list[str]] = defaultdict(list)
    for port in ports:
        for group in port["group_ids"]:
            members[group].append(port["address"])
    return tuple(
        network.SecurityGroup(
            id=id,
            name=names[id],
            ingress=tuple(rules[id, False]),
            egress=tuple(rules[id, True]),
            members=tuple(sorted(members[id])),
        )
        for id in ids
    )


def _rule(row: Any) -> network.Rule:
    return network.Rule(
        protocol=row["protocol"],
        from_port=row["from_port"],
        to_port=row["to_port"],
        cidr=row["cidr"],
        group=row["source_group_id"],
    )

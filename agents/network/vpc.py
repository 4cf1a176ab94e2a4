"""One VPC on one host: a namespace with a router, a bridge a subnet, a tap a port. A sync is complete and idempotent.

Ports are isolated on their bridge and the bridge answers ARP for them (`proxy_arp_pvlan`): what one guest sends to
another always passes the router, where the security groups are (docs/decisions/vpc-ports.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from agents.contract.network import METADATA, Port, RouteTable, Subnet, Vpc
from agents.names import Names, bridge
from agents.network.dhcp import Dhcp
from agents.network.firewall import UPLINK, ruleset
from agents.network.namespace import Namespace
from agents.network.overlay import Overlay
from agents.network.uplink import Uplink

MTU = 1450
"""Leaves room for VXLAN's headers from the beginning: a guest's MTU cannot be lowered when a second host joins."""

_TIME_AND_NAMES = "169.254.169.253"
_FIRST_TABLE, _RULE = 1000, 1000
_SYSCTLS = (
    ("ipv4/ip_forward", "1"),
    ("ipv4/conf/all/send_redirects", "0"),
    ("ipv4/conf/default/send_redirects", "0"),
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
    ("ipv6/conf/all/disable_ipv6", "1"),
    ("ipv6/conf/default/disable_ipv6", "1"),
)


def resolvers(document: Vpc) -> list[str]:
    """The addresses at which guests ask for names."""
    inbound = sorted({address for each in document.inbounds for address in each.addresses})
    return [str(IPv4Network(document.cidrs[0])[2]), _TIME_AND_NAMES, *inbound]


class VpcNetwork:
    """The data plane of one VPC on this host, which other hosts reach at `address`.

    `services` are TCP ports of the router that guests may reach.
    """

    def __init__(
        self, vpc: str, names: Names, uplink: Uplink, folder: Path, address: str, services: Iterable[int]
    ) -> None:
        self.id = vpc
        self.namespace = Namespace(names.namespace(vpc))
        self._names = names
        self._uplink = uplink
        self._services = tuple(services)
        self._host = Namespace(None)
        self._overlay = Overlay(names, self.namespace, address)
        self._dhcp = Dhcp(folder, self.namespace, uplink.gateway, MTU)
        self._lock = asyncio.Lock()
        self._rules_in_place: str | None = None
        self._routes_in_place: tuple[list[str], list[str]] | None = None
        self.document: Vpc | None = None

    @property
    def leases(self) -> Path:
        """The file in which the DHCP server records its leases."""
        return self._dhcp.leases

    async def sync(self, document: Vpc) -> bool:
        """Make the host's part of the VPC as described. True when sockets in it must be opened (again)."""
        async with self._lock:
            fresh = await self.namespace.create()
            if fresh:
                self._routes_in_place = None
                await self.namespace.sysctl(_SYSCTLS)
                await self.namespace.ip(
                    "link set lo up",
                    f"address replace {METADATA}/32 dev lo",
                    f"address replace {_TIME_AND_NAMES}/32 dev lo",
                )
            # The rules come first: no bridge may forward a packet before they are there.
            rules = ruleset(document, self._names, self._services)
            if fresh or rules != self._rules_in_place:
                await self.namespace.nft(rules)
                self._rules_in_place = rules
            await self._uplink.connect(self.id, self.namespace)
            await self._sync_bridges(document)
            await self._sync_ports(document)
            await self._uplink.admit(self.id, {port.host_address for port in document.remote_ports})
            await self._overlay.sync(document)
            public = {port.public_address for port in document.ports if port.public_address}
            await asyncio.gather(
                self._sync_routes(document), self._dhcp.sync(document), self._uplink.publish(self.id, public)
            )
            first, self.document = self.document is None, document
            return fresh or first

    async def remove(self) -> None:
        """Remove all of the VPC from the host."""
        async with self._lock:
            self._dhcp.stop()
            await self._uplink.disconnect(self.id)
            await self.namespace.delete()
            self._dhcp.remove()

    async def in_use(self) -> bool:
        """True while a machine is plugged in."""
        links = await self._links(self.namespace)
        return any(n.startswith(self._names.tap_prefix) and "LOWER_UP" in link["flags"] for n, link in links.items())

    async def prepare_tap(self, port: Port) -> None:
        """Make a port's tap anew on the host, where libvirt can open it."""
        tap = self._names.tap(port.id)
        await self.drop_tap(port.id)
        await self._host.ip(f"tuntap add dev {tap} mode tap vnet_hdr", f"link set {tap} mtu {MTU}")

    async def plug(self, port: Port, subnet: Subnet) -> None:
        """Move a tap that a machine has opened into the VPC and onto its subnet's bridge; again is harmless."""
        tap, name = self._names.tap(port.id), bridge(subnet.id)
        inside = await self._links(self.namespace)
        if tap not in inside:
            await self._host.ip(f"link set {tap} netns {self.namespace.name}")
        await self.namespace.ip(
            f"link set {tap} master {name} up",
            # Nobody learns and nothing is flooded: where an address is, is known from the document alone.
            f"link set {tap} type bridge_slave isolated on learning off flood off mcast_flood off",
        )
        await self._pin(port, name)

    async def drop_tap(self, port: str) -> None:
        """Remove a port's tap wherever it is."""
        tap = self._names.tap(port)
        for place in (self._host, self.namespace):
            if tap in await self._links(place):
                await place.ip(f"link delete {tap}")

    async def _pin(self, port: Port, name: str) -> None:
        await self.namespace.ip(f"neighbor replace {port.address} lladdr {port.mac} dev {name} nud permanent")
        await self.namespace.bridge(f"fdb replace {port.mac} dev {self._names.tap(port.id)} master static")

    async def _links(self, place: Namespace) -> dict[str, dict[str, Any]]:
        return {link["ifname"]: link for link in await place.show("link")}

    async def _sync_bridges(self, document: Vpc) -> None:
        present = {name for name in await self._links(self.namespace) if name.startswith("br")}
        wanted = {bridge(subnet.id): subnet for subnet in document.subnets}
        lines = [f"link delete {name}" for name in present - wanted.keys()]
        for name, subnet in wanted.items():
            if name in present:
                continue
            network = IPv4Network(subnet.cidr)
            lines += [
                f"link add {name} address {subnet.mac} mtu {MTU} type bridge stp_state 0 mcast_snooping 0",
                f"address add {subnet.gateway}/{network.prefixlen} dev {name}",
            ]
        created = wanted.keys() - present
        await self.namespace.ip(*lines, *await self._own_addresses(document))
        # The one answers for addresses on the bridge itself, the other for those on other hosts.
        for setting in ("proxy_arp_pvlan", "proxy_arp"):
            await self.namespace.sysctl((f"ipv4/conf/{name}/{setting}", "1") for name in created)
        await self.namespace.ip(*(f"link set {name} up" for name in created))

    async def _own_addresses(self, document: Vpc) -> list[str]:
        """Commands that give the router the resolver's addresses, and take those of endpoints that are gone."""
        wanted = resolvers(document)
        if self.document is not None and resolvers(self.document) == wanted:
            return []
        shown = await self.namespace.show("address", "show", "dev", "lo")
        there = {each["local"] for link in shown for each in link.get("addr_info", ()) if each["family"] == "inet"}
        stale = there - {*wanted, METADATA, "127.0.0.1"}
        return [
            *(f"address delete {address}/32 dev lo" for address in sorted(stale)),
            *(f"address replace {address}/32 dev lo" for address in wanted),
        ]

    async def _sync_ports(self, document: Vpc) -> None:
        """Plug what is open but not plugged, as after a crash between the two; unplug what is no longer wanted."""
        inside = {name for name in await self._links(self.namespace) if name.startswith(self._names.tap_prefix)}
        outside = await self._links(self._host)
        subnets = {subnet.id: subnet for subnet in document.subnets}
        for port in document.ports:
            tap = self._names.tap(port.id)
            if tap in inside or "LOWER_UP" in outside.get(tap, {}).get("flags", ()):
                await self.plug(port, subnets[port.subnet])
        stale = inside - {self._names.tap(port.id) for port in document.ports}
        await self.namespace.ip(*(f"link delete {tap}" for tap in stale))

    async def _sync_routes(self, document: Vpc) -> None:
        """A routing table a route table, chosen by the bridge that a packet came in by.

        Each begins with the VPC's subnets and ends with "unreachable": the main table, with its way to the host, is for
        the router itself and for what comes in from the host.
        """
        addresses = {port.id: port for port in document.ports}
        bridges = {port.id: bridge(port.subnet) for port in document.ports}
        rules: list[str] = []
        routes: list[str] = []
        for index, table in enumerate(document.route_tables):
            number = _FIRST_TABLE + index
            rules += [f"rule add pref {_RULE} iif {bridge(id)} lookup {number}" for id in table.subnets]
            routes.append(f"route add unreachable default metric 4096 table {number}")
            routes += self._routes(table, number, addresses, bridges)
            routes += [f"route replace {s.cidr} dev {bridge(s.id)} table {number}" for s in document.subnets]
            routes += self._overlay.routes(document.remote_ports, number)
        if self._routes_in_place == (routes, rules):
            return
        present = await self.namespace.show("rule", "show")
        old = [f"rule delete pref {_RULE}" for rule in present if rule["priority"] == _RULE]
        tables = {int(rule["table"]) for rule in present if str(rule.get("table", "")).isdigit()}
        flush = [f"route flush table {table}" for table in sorted(tables)]
        await self.namespace.ip(*flush, *old, *routes, *rules)
        self._routes_in_place = (routes, rules)

    def _routes(
        self, table: RouteTable, number: int, addresses: dict[str, Port], bridges: dict[str, str]
    ) -> Iterable[str]:
        for route in table.routes:
            network = IPv4Network(route.cidr)
            if route.target == "internet":
                yield f"route replace {network} via {self._uplink.gateway} dev {UPLINK} table {number}"
            elif route.target == "none":
                yield f"route replace blackhole {network} table {number}"
            elif route.target in addresses:
                port = addresses[route.target]
                yield f"route replace {network} via {port.address} dev {bridges[port.id]} table {number}"

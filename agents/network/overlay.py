"""A VPC on several hosts: a VXLAN device a subnet carries routed packets between the VPC's routers.

Nothing is learnt or flooded. What is for a port on another host is routed to that host's router, whose MAC address
follows from the subnet and the host's address, so that both ends know it without a word. Security groups are kept on
both: egress where a packet leaves, ingress where it arrives.
"""

from __future__ import annotations

from collections.abc import Iterable

from agents.contract.network import RemotePort, Subnet, Vpc
from agents.names import Names, link_address
from agents.network.namespace import Namespace

_MTU = 1450


class Overlay:
    """The VXLAN devices of one VPC on this host, which other hosts reach at `address`."""

    def __init__(self, names: Names, namespace: Namespace, address: str) -> None:
        self._names = names
        self._namespace = namespace
        self._address = address
        self._host = Namespace(None)

    async def sync(self, document: Vpc) -> None:
        """Have a device for every subnet while the VPC is on more than one host, and an entry for every other host."""
        links = {link["ifname"] for link in await self._namespace.show("link")}
        present = {name for name in links if name.startswith(self._names.overlay_prefix)}
        wanted = {self._names.overlay(subnet.id): subnet for subnet in document.subnets if document.remote_ports}
        await self._namespace.ip(*(f"link delete {name}" for name in present - wanted.keys()))
        # The device is made from the host's namespace, where its packets go in and out, but never shows there.
        await self._host.ip(*(self._create(name, wanted[name]) for name in wanted.keys() - present))
        await self._namespace.ip(*(f"link set {name} up" for name in wanted))
        for subnet, host in {(port.subnet, port.host_address) for port in document.remote_ports}:
            name, mac = self._names.overlay(subnet), _router(subnet, host)
            await self._namespace.ip(f"neighbor replace {host} lladdr {mac} dev {name} nud permanent")
            await self._namespace.bridge(f"fdb replace {mac} dev {name} dst {host} self permanent")

    def routes(self, ports: Iterable[RemotePort], table: int) -> list[str]:
        """The routes to ports on other hosts, for one routing table."""
        return [
            f"route replace {port.address}/32 via {port.host_address} dev {self._names.overlay(port.subnet)}"
            f" onlink table {table}"
            for port in ports
        ]

    def _create(self, name: str, subnet: Subnet) -> str:
        mac = _router(subnet.id, self._address)
        return (
            f"link add {name} address {mac} mtu {_MTU} netns {self._namespace.name} type vxlan id {subnet.vni}"
            f" local {self._address} dstport {self._names.overlay_port} nolearning"
        )


def _router(subnet: str, host: str) -> str:
    return link_address("overlay", subnet, host)

"""Where this cloud's own processes may go for the sake of its accounts: not to this machine, nor to another host's
address that this cloud goes by. What further addresses another host has is not known here: its own firewall guards
these.

Whoever subscribes an address to a topic, has its health checked, or names an identity provider there, chooses what a
process inside the owner's network calls. Loopback, addresses of metadata services and the known addresses of hosts are
refused, unless the owner has named their network in `reachable`. A name is looked up once, and the address that was
checked is the one to connect to, so that a name server which answers differently the second time wins nothing.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from controlplane.state.database import Database

_HOSTS = "SELECT DISTINCT address FROM fleet_hosts"
_NOWHERE = ip_network("0.0.0.0/8")
_METADATA = ip_network("fd00:ec2::/32")
"""Where EC2's metadata service is by IPv6, which is not link-local."""
_TRANSLATED = ip_network("64:ff9b::/96")


class ForbiddenAddress(ValueError):
    """An address that accounts may not let this cloud call."""


class Outbound:
    """Decides. `reachable` are networks that are open although they lead to hosts."""

    def __init__(self, database: Database, reachable: Sequence[IPv4Network | IPv6Network]) -> None:
        self._database = database
        self._reachable = reachable

    async def resolve(self, host: str, port: int) -> str:
        """An address of a host, to connect to as it is. Raises ForbiddenAddress, OSError when there is none."""
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        for *_, place in found:
            if not await self.forbids(str(place[0])):
                return str(place[0])
        raise ForbiddenAddress(f"{host} leads to no address that may be called")

    async def forbids(self, text: str) -> bool:
        """Whether an address may not be called."""
        address = _plain(ip_address(text.partition("%")[0]))
        if any(address in network for network in self._reachable if network.version == address.version):
            return False
        return leads_nowhere(address) or _is_own(address) or str(address) in await self._hosts()

    async def _hosts(self) -> set[str]:
        async with self._database.unit() as db:
            return {row["address"] for row in await db.cached(_HOSTS)}


def leads_nowhere(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is nobody's, or the same machine's wherever it is used."""
    if address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified:
        return True
    return address.is_reserved or address in (_NOWHERE if address.version == 4 else _METADATA)


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 address stands for, or the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_own(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is one of this machine's: only such a one can be bound."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True

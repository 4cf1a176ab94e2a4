"""All VPCs of a host: their data planes, their metadata listeners, and who has which address."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

from agents.contract.machine import Machine
from agents.contract.network import METADATA, Port, Subnet, Vpc
from agents.names import Names
from agents.network import namespace
from agents.network.guard import Guard, Told
from agents.network.metadata.http import Request, Response, serve
from agents.network.metadata.service import MetadataService
from agents.network.relay import Endpoint, relay
from agents.network.uplink import Uplink
from agents.network.vpc import VpcNetwork, resolvers
from agents.network.zones import ZoneServer


class PortsMissing(Exception):
    """The host has not been told of a machine's ports yet."""


class Vpcs:
    """`endpoint` is the cloud's API; guests find it at 169.254.169.254 under the same port.

    Other hosts reach this one at `address`. `told` is given what guests ask where that is logged.
    """

    def __init__(
        self, names: Names, uplink: Uplink, runtime: Path, address: str, endpoint: Endpoint, told: Told
    ) -> None:
        self._names = names
        self._uplink = uplink
        self._runtime = runtime
        self._address = address
        self._endpoint = endpoint
        self._networks: dict[str, VpcNetwork] = {}
        self._listeners: dict[str, list[asyncio.Server]] = {}
        self._zones: dict[str, ZoneServer] = {}
        self._told = told
        self._guards: dict[str, Guard] = {}
        self._changed = asyncio.Condition()
        self.metadata: MetadataService | None = None

    def network(self, vpc: str) -> VpcNetwork:
        """The data plane of a VPC, which need not be there on the host yet."""
        if vpc not in self._networks:
            folder = self._runtime / "vpcs" / vpc
            services = [self._endpoint.port]
            self._networks[vpc] = VpcNetwork(vpc, self._names, self._uplink, folder, self._address, services)
        return self._networks[vpc]

    async def sync(self, document: Vpc) -> None:
        """Make the host's part of a VPC as described, and answer its machines' questions."""
        network = self.network(document.id)
        server = self._zones.setdefault(document.id, ZoneServer(self._uplink.gateway))
        server.load(document.zones)
        guard = self._guards.setdefault(document.id, Guard(self._told))
        guard.load(document)
        if not document.guarded:
            guard.close()  # dnsmasq is about to take its place
        fresh = await network.sync(document)
        if fresh:
            await self._listen(network)
        if document.guarded and (fresh or guard.addresses != resolvers(document)):
            await guard.listen(network.namespace, resolvers(document))
        async with self._changed:
            self._changed.notify_all()

    async def remove(self, vpc: str) -> None:
        """Remove a VPC from the host."""
        network = self.network(vpc)
        self._close_listeners(vpc)
        await network.remove()
        del self._networks[vpc]
        self._zones.pop(vpc, None)
        if vpc in self._guards:
            self._guards.pop(vpc).close()

    async def remove_stray(self) -> None:
        """Remove VPCs that this agent knows nothing of and that no running machine is plugged into."""
        prefix = self._names.namespace_prefix
        for vpc in {name[len(prefix) :] for name in namespace.names(prefix)} - self._networks.keys():
            if not await self.network(vpc).in_use():
                await self.remove(vpc)

    async def ports(self, machine: Machine, limit: float) -> list[tuple[Port, Subnet]]:
        """A machine's ports once their network is in place. Raises PortsMissing after `limit` seconds."""
        network = self.network(machine.vpc)

        def find() -> list[tuple[Port, Subnet]] | None:
            if network.document is None:
                return None
            ports = {port.id: port for port in network.document.ports}
            subnets = {subnet.id: subnet for subnet in network.document.subnets}
            if any(id not in ports for id in machine.ports):
                return None
            return [(ports[id], subnets[ports[id].subnet]) for id in machine.ports]

        async with self._changed:
            try:
                await asyncio.wait_for(self._changed.wait_for(lambda: find() is not None), limit)
            except TimeoutError:
                raise PortsMissing(f"{machine.vpc} does not have the ports of {machine.id} on this host") from None
        return find() or []

    def port_at(self, vpc: str, address: str) -> tuple[Vpc, Port] | None:
        """Who has a private address."""
        document = self._networks[vpc].document if vpc in self._networks else None
        if document is None:
            return None
        return next(((document, port) for port in document.ports if port.address == address), None)

    async def _listen(self, network: VpcNetwork) -> None:
        """Open the sockets inside the VPC's namespace; the agent itself stays outside."""
        self._close_listeners(network.id)

        def open_sockets() -> list[socket.socket]:
            return [socket.create_server((METADATA, port), backlog=256) for port in ports]

        async def answer(request: Request) -> Response:
            assert self.metadata is not None
            return await self.metadata.handle(network.id, request)

        ports = [80] if self._endpoint.port == 80 else [80, self._endpoint.port]
        sockets = await network.namespace.within(open_sockets)
        listeners = self._listeners[network.id] = [await serve(sockets[0], answer)]
        listeners += [await relay(socket, network.id, self._endpoint) for socket in sockets[1:]]
        await self._zones[network.id].listen(network.namespace)

    def _close_listeners(self, vpc: str) -> None:
        for listener in self._listeners.pop(vpc, []):
            listener.close()
        if vpc in self._zones:
            self._zones[vpc].close()

"""All VPCs of a host: their data planes, their metadata listeners, and who has which address."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from pathlib import Path

from agents.contract.machine import Machine
from agents.contract.network import Port, Subnet, Vpc
from agents.names import Names
from agents.network import namespace
from agents.network.firewall import METADATA
from agents.network.metadata.http import Request, Response, serve
from agents.network.metadata.service import MetadataService
from agents.network.uplink import Uplink
from agents.network.vpc import VpcNetwork


class PortsMissing(Exception):
    """The host has not been told of a machine's ports yet."""


class Vpcs:
    """`services` are TCP ports that guests may reach on their router, besides DNS and metadata."""

    def __init__(self, names: Names, uplink: Uplink, runtime: Path, services: Iterable[int] = ()) -> None:
        self._names = names
        self._uplink = uplink
        self._runtime = runtime
        self._services = tuple(services)
        self._networks: dict[str, VpcNetwork] = {}
        self._listeners: dict[str, asyncio.Server] = {}
        self._changed = asyncio.Condition()
        self.metadata: MetadataService | None = None

    def network(self, vpc: str) -> VpcNetwork:
        """The data plane of a VPC, which need not be there on the host yet."""
        if vpc not in self._networks:
            folder = self._runtime / "vpcs" / vpc
            self._networks[vpc] = VpcNetwork(vpc, self._names, self._uplink, folder, self._services)
        return self._networks[vpc]

    async def sync(self, document: Vpc) -> None:
        """Make the host's part of a VPC as described, and answer its machines' questions."""
        network = self.network(document.id)
        if await network.sync(document):
            await self._listen(network)
        async with self._changed:
            self._changed.notify_all()

    async def remove(self, vpc: str) -> None:
        """Remove a VPC from the host."""
        network = self.network(vpc)
        if (listener := self._listeners.pop(vpc, None)) is not None:
            listener.close()
        await network.remove()
        del self._networks[vpc]

    async def stray(self) -> set[str]:
        """VPCs that have a namespace on the host and that nobody has asked for since the agent started."""
        prefix = self._names.namespace_prefix
        return {name[len(prefix) :] for name in namespace.names(prefix)} - self._networks.keys()

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
        if (old := self._listeners.pop(network.id, None)) is not None:
            old.close()

        def open_socket() -> socket.socket:
            return socket.create_server((METADATA, 80), backlog=256)

        async def answer(request: Request) -> Response:
            assert self.metadata is not None
            return await self.metadata.handle(network.id, request)

        self._listeners[network.id] = await serve(await network.namespace.within(open_socket), answer)

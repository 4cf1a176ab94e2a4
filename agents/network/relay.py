"""Carries connections from inside a VPC to the cloud's own API, which guests have no route to.

The control plane is told for whom, with a proof (`agents.contract.relayed`): who may do what can depend on where a
request comes from.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from dataclasses import dataclass

from agents.contract.relayed import Guest, header

_PIECE = 64 << 10
_CONNECTIONS = 256


@dataclass(frozen=True)
class Endpoint:
    """The cloud's API, the host that relays to it, and the key that proves it."""

    host: str
    port: int
    relay: str
    key: bytes


async def relay(listener: socket.socket, vpc: str, endpoint: Endpoint) -> asyncio.Server:
    """Hand every connection that comes in on `listener` inside a VPC on to the endpoint, until the server is closed."""
    places = asyncio.Semaphore(_CONNECTIONS)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with places:
            with contextlib.suppress(OSError):
                address, port = writer.get_extra_info("peername")
                onward_reader, onward_writer = await asyncio.open_connection(endpoint.host, endpoint.port)
                onward_writer.write(header(Guest(endpoint.relay, vpc, address, port), endpoint.key, time.time()))
                await asyncio.gather(_copy(reader, onward_writer), _copy(onward_reader, writer))
                onward_writer.close()
            writer.close()

    return await asyncio.start_server(connected, sock=listener)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until the sender has no more to say; the other direction goes on."""
    try:
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.transport.abort()

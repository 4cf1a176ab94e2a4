"""Questions by datagram and over streams, answered by a function: what the servers of a VPC have in common."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable, Sequence
from typing import cast

UDP, TCP = "UDP", "TCP"
_MOST_WAITING, _CONNECTIONS, _IDLE = 2000, 64, 10.0
_BACKLOG = 64

Address = tuple[str, int]
Answer = Callable[[bytes, Address, str], Awaitable[bytes | None]]
"""The reply to a message of somebody's, by UDP or TCP; None to what gets none."""
Sockets = tuple[list[socket.socket], list[socket.socket]]


def open_sockets(addresses: Sequence[Address]) -> Sockets:
    """For datagrams and for streams, bound where it is called: in a namespace, perhaps."""
    datagrams = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) for _ in addresses]
    for each, address in zip(datagrams, addresses, strict=True):
        each.bind(address)
    return datagrams, [socket.create_server(address, backlog=_BACKLOG) for address in addresses]


class DnsServer:
    """Answers on sockets until it is closed. Of more questions than it can bear it leaves the rest unanswered."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._transports: list[asyncio.DatagramTransport] = []
        self._servers: list[asyncio.Server] = []
        self._running: set[asyncio.Task[None]] = set()
        self._open = 0

    async def listen(self, sockets: Sockets) -> None:
        """Answer on these from now on."""
        datagrams, streams = sockets
        loop = asyncio.get_running_loop()
        for each in datagrams:
            transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self._received), sock=each)
            self._transports.append(transport)
        self._servers = [await asyncio.start_server(self._converse, sock=each) for each in streams]

    def close(self) -> None:
        """Listen no longer."""
        for transport in self._transports:
            transport.close()
        for server in self._servers:
            server.close()
        self._transports, self._servers = [], []

    def _received(self, data: bytes, sender: Address, transport: asyncio.DatagramTransport) -> None:
        if len(self._running) >= _MOST_WAITING:
            return

        async def reply() -> None:
            answer = await self._answer(data, sender, UDP)
            if answer is not None and not transport.is_closing():
                transport.sendto(answer, sender)

        task = asyncio.ensure_future(reply())
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                while self._open <= _CONNECTIONS:
                    async with asyncio.timeout(_IDLE):
                        data = await read(reader)
                    answer = await self._answer(data, writer.get_extra_info("peername"), TCP)
                    if answer is None:
                        return
                    writer.write(framed(answer))
                    async with asyncio.timeout(_IDLE):
                        await writer.drain()
        finally:
            self._open -= 1
            writer.close()


async def read(reader: asyncio.StreamReader) -> bytes:
    """A message of a stream."""
    (length,) = struct.unpack("!H", await reader.readexactly(2))
    return await reader.readexactly(length)


def framed(message: bytes) -> bytes:
    """A message as it goes over a stream."""
    return struct.pack("!H", len(message)) + message


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, received: Callable[[bytes, Address, asyncio.DatagramTransport], None]) -> None:
        self._received = received
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        assert self._transport is not None
        self._received(data, addr, self._transport)

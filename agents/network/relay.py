"""Carries connections from inside a VPC to the cloud's own API, which guests have no route to."""

from __future__ import annotations

import asyncio
import contextlib
import socket

_PIECE = 64 << 10
_CONNECTIONS = 256


async def relay(listener: socket.socket, host: str, port: int) -> asyncio.Server:
    """Hand every connection that comes in on `listener` on to `host:port`, until the server is closed."""
    places = asyncio.Semaphore(_CONNECTIONS)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with places:
            with contextlib.suppress(OSError):
                onward_reader, onward_writer = await asyncio.open_connection(host, port)
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

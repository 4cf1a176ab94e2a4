"""What a connection does between its requests."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn

from controlplane.gateway import connection
from controlplane.gateway.connection import BoundedConnection

KEEP_ALIVE_SECONDS = 1
_REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def _empty(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


async def _served(use: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> None:
    config = uvicorn.Config(
        _empty, http=BoundedConnection, lifespan="off", log_config=None, timeout_keep_alive=KEEP_ALIVE_SECONDS
    )
    config.load()
    state = uvicorn.server.ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: BoundedConnection(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            await use(reader, writer)
        finally:
            writer.close()


def test_who_asks_now_and_then_stays_connected_and_who_stops_asking_is_not() -> None:
    async def use(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(4):  # for longer than the time in all
            writer.write(_REQUEST)
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
            await asyncio.sleep(0.4)
        began = time.monotonic()
        assert await asyncio.wait_for(reader.read(), 5) == b""
        assert 0.4 < time.monotonic() - began < 1.5  # a second after the last answer, which was 0.4 ago

    asyncio.run(_served(use))


@pytest.mark.parametrize("end", [b"", b"Connection: close\r\n"])
def test_nobody_keeps_a_connection_by_leaving_the_end_of_an_answer(end: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """An end so small that the server does not wait before it writes on."""
    monkeypatch.setattr(connection, "READ_SECONDS", 0.5)
    body = b"x" * 60_000

    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def served() -> None:
        config = uvicorn.Config(
            app, http=BoundedConnection, lifespan="off", log_config=None, timeout_keep_alive=KEEP_ALIVE_SECONDS
        )
        config.load()
        state = uvicorn.server.ServerState()
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as client:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            server = await loop.create_server(
                lambda: BoundedConnection(config=config, server_state=state, app_state={}), sock=listening
            )
            async with server:
                client.setblocking(False)
                await loop.sock_connect(client, listening.getsockname())
                await loop.sock_sendall(client, b"GET / HTTP/1.1\r\nHost: x\r\n" + end + b"\r\n")
                await asyncio.sleep(0.3)
                assert len(state.connections) == 1
                await asyncio.sleep(KEEP_ALIVE_SECONDS + 1)
                assert not state.connections

    asyncio.run(served())

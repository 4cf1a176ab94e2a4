"""Clients that send too much, too slowly or too little: they get a clear answer, and others are served meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from controlplane.gateway import connection, incoming
from tests.cloud import Account, Cloud

HALF_OPEN = 2000


def address(cloud: Cloud) -> tuple[str, int]:
    parts = urlsplit(cloud.endpoint)
    return str(parts.hostname), int(parts.port or 80)


def exchange(cloud: Cloud, request: bytes, body: bytes = b"") -> bytes:
    """All that the cloud sends until it closes the connection."""
    with socket.create_connection(address(cloud), timeout=10) as link:
        link.sendall(request)
        link.sendall(body)
        received = b""
        while chunk := link.recv(65536):
            received += chunk
        return received


def head(path: str, size: int, *more: str) -> bytes:
    fixed = ["Host: localhost", "Connection: close", "Content-Type: application/json", f"Content-Length: {size}"]
    return ("\r\n".join([f"POST {path} HTTP/1.1", *fixed, *more]) + "\r\n\r\n").encode()


@pytest.mark.parametrize(
    ("target", "size", "status"),
    [
        ("DynamoDB_20120810.PutItem", 1 << 20, b"501"),
        ("AmazonSQS.SendMessage", incoming.MAX_BODY + 1, b"413"),
        ("Nonsense.Nothing", 1 << 20, b"4"),
    ],
)
def test_refused_client_that_still_sends_gets_the_answer(cloud: Cloud, target: str, size: int, status: bytes) -> None:
    for _ in range(5):
        answer = exchange(cloud, head("/", size, f"X-Amz-Target: {target}"), bytes(size))
        assert answer.startswith(b"HTTP/1.1 " + status), answer[:200]
        assert b"\r\nconnection: close\r\n" in answer.lower()
        assert answer.rstrip().endswith(b"}")


def test_refused_client_that_never_sends_is_let_go(cloud: Cloud) -> None:
    began = time.monotonic()
    answer = exchange(cloud, head("/", incoming.MAX_BODY + 1, "X-Amz-Target: AmazonSQS.SendMessage"))
    assert answer.startswith(b"HTTP/1.1 413")
    assert time.monotonic() - began < incoming.DRAIN_SECONDS + 3


def test_client_that_expects_continue_is_refused_before_it_sends(cloud: Cloud) -> None:
    answer = exchange(cloud, head("/", 1 << 30, "X-Amz-Target: AmazonSQS.SendMessage", "Expect: 100-continue"))
    assert answer.startswith(b"HTTP/1.1 413") and b"100 Continue" not in answer


def test_too_many_headers_are_refused(cloud: Cloud) -> None:
    lines = [f"X-Header-{n}: {'x' * 1000}" for n in range(100)]
    request = ("\r\n".join(["GET / HTTP/1.1", "Host: localhost", *lines]) + "\r\n\r\n").encode()
    assert exchange(cloud, request).startswith(b"HTTP/1.1 431")


@pytest.fixture
def half_open(cloud: Cloud) -> Iterator[None]:
    """Connections of a client that began requests and sends no more."""
    links = []
    try:
        for _ in range(HALF_OPEN):
            links.append(link := socket.create_connection(address(cloud), timeout=10))
            link.sendall(b"POST / HTTP/1.1\r\nHost: local")
        yield
    finally:
        for link in links:
            link.close()


@pytest.mark.usefixtures("half_open")
def test_others_are_served_beside_half_open_connections(account: Account) -> None:
    sts = account.client("sts")
    for _ in range(20):
        began = time.monotonic()
        assert sts.get_caller_identity()["Account"] == account.id
        assert time.monotonic() - began < 5


async def _serve(seconds: float, monkeypatch: pytest.MonkeyPatch) -> tuple[asyncio.Server, int]:
    import uvicorn

    async def application(scope: object, receive: object, send: object) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]
        for _ in range(64):
            await send({"type": "http.response.body", "body": bytes(1 << 20), "more_body": True})  # type: ignore[operator]
        await send({"type": "http.response.body", "body": b""})  # type: ignore[operator]

    monkeypatch.setattr(connection, "HEADER_SECONDS", seconds)
    monkeypatch.setattr(connection, "READ_SECONDS", seconds)
    config = uvicorn.Config(application, http=connection.BoundedConnection, log_config=None)  # type: ignore[arg-type]
    config.load()
    state = uvicorn.server.ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: connection.BoundedConnection(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    return server, server.sockets[0].getsockname()[1]


@pytest.mark.parametrize("sent", [b"", b"\r\n", b"G", b"GET / HTTP/1.1\r\nHost: a", b"GET / HTTP/1.1\r\n"])
async def test_headers_that_do_not_end_are_given_up(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    server, port = await _serve(0.3, monkeypatch)
    async with server:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        async with asyncio.timeout(5):
            # One more byte now and then does not prolong it.
            while sent.startswith(b"GET / HTTP/1.1\r\n") and not reader.at_eof():
                with contextlib.suppress(ConnectionError):
                    writer.write(b"x")
                    await writer.drain()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.05):
                        assert (await reader.read(100)).startswith(b"HTTP/1.1 408")
                        break
            else:
                assert (await reader.read()).startswith(b"HTTP/1.1 408")
        writer.close()


async def test_client_that_does_not_read_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    server, port = await _serve(0.3, monkeypatch)
    async with server:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await asyncio.sleep(1.0)
        received = 0
        with pytest.raises(ConnectionResetError):
            while chunk := await reader.read(1 << 20):
                received += len(chunk)
            raise ConnectionResetError  # cut off without a reset
        assert received < 60 << 20
        writer.close()

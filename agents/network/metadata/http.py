"""A small HTTP/1.1 server for listening sockets of any namespace, on httptools' parser."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus

import httptools

_IDLE = 30.0
_LARGEST_REQUEST = 16 << 10
_CONNECTIONS = 64


@dataclass(frozen=True)
class Request:
    """A request without its body, which the metadata service has no use for. Header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    peer: str


@dataclass(frozen=True)
class Response:
    """A reply. `hops` limits how far its packets travel (the IP TTL)."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "text/plain"
    hops: int | None = None


Handler = Callable[[Request], Awaitable[Response]]


async def serve(listener: socket.socket, handler: Handler) -> asyncio.Server:
    """Answer what comes in on a listening socket until the server is closed."""
    peers: dict[str, int] = {}

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")[0]
        peers[peer] = peers.get(peer, 0) + 1
        try:
            # One guest must not be able to use up the service of the others.
            if peers[peer] <= _CONNECTIONS:
                with contextlib.suppress(OSError, TimeoutError):
                    await _converse(reader, writer, peer, handler)
        finally:
            peers[peer] -= 1
            if not peers[peer]:
                del peers[peer]
            writer.close()

    return await asyncio.start_server(connected, sock=listener)


class _Collector:
    """Receives the parser's callbacks; complete requests gather in `requests`."""

    def __init__(self, peer: str) -> None:
        self.requests: list[tuple[Request, bool]] = []
        self.parser = httptools.HttpRequestParser(self)
        self._peer = peer
        self._path = b""
        self._headers: dict[str, str] = {}

    def on_message_begin(self) -> None:
        self._path = b""
        self._headers = {}

    def on_url(self, part: bytes) -> None:
        self._path += part

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_message_complete(self) -> None:
        method = self.parser.get_method().decode("latin-1")
        path = self._path.decode("latin-1").partition("?")[0]
        request = Request(method, path, self._headers, self._peer)
        self.requests.append((request, self.parser.should_keep_alive()))


async def _converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str, handler: Handler) -> None:
    collector = _Collector(peer)
    unanswered = 0
    while data := await asyncio.wait_for(reader.read(4096), _IDLE):
        unanswered += len(data)
        try:
            collector.parser.feed_data(data)
        except httptools.HttpParserError:
            unanswered = _LARGEST_REQUEST + 1
        requests, collector.requests = collector.requests, []
        for request, keep_alive in requests:
            unanswered = 0
            await _answer(writer, await handler(request), request.method, keep_alive)
            if not keep_alive:
                return
        if unanswered > _LARGEST_REQUEST:
            await _answer(writer, Response(HTTPStatus.BAD_REQUEST, b"Bad Request"), "GET", False)
            return


async def _answer(writer: asyncio.StreamWriter, response: Response, method: str, keep_alive: bool) -> None:
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, response.hops or 64)
    headers = {
        "Server": "EC2ws",
        "Content-Type": response.content_type,
        "Content-Length": str(len(response.body)),
        "Connection": "keep-alive" if keep_alive else "close",
        **response.headers,
    }
    head = f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(head.encode("latin-1") + b"\r\n" + (b"" if method == "HEAD" else response.body))
    await asyncio.wait_for(writer.drain(), _IDLE)

"""HTTP connections with bounds that the server's own protocol lacks.

On the size of headers, on the time that they take to come, and on the time that a client takes to read an answer.
Connections that a host relays for its guests begin with a header that says so (`agents.contract.relayed`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, ClassVar
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from agents.contract import relayed
from controlplane.gateway.cycle import Cycle
from controlplane.gateway.incoming import ARRIVED

MAX_HEADERS = 64 * 1024
HEADER_SECONDS = 20.0
"""From the first byte of a request, or from the opening of the connection, to the end of the headers."""
READ_SECONDS = 60.0
"""So long a client may take to read an answer that waits for it, or what waits still when the connection closes."""
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_UNPROVEN = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class BoundedConnection(HttpToolsProtocol):
    """One connection of a client. Timers run only while something is due from it, none across a whole request."""

    _deadline: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None
    _in_headers = False
    _header_bytes = 0
    _idle_since: float | None = None
    """When the last answer was out; None while a request is under way."""
    _beginning: bytes | None = b""
    """What has come of a relay's header; None once it is known that there is none, or after it."""
    relay_key: ClassVar[Callable[[str], bytes] | None] = None
    """(host) → its key; set when the application starts."""
    counted: ClassVar[Callable[[int], None]] = staticmethod(lambda by: None)
    """Told of each connection more (1) and less (-1)."""

    def connection_made(self, transport: Any) -> None:
        type(self).counted(1)
        super().connection_made(transport)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._headers_came()
        self._reads_again()
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
        type(self).counted(-1)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._beginning is not None:
            data = self._after_relay(self._beginning + data)
            if not data:
                return
        super().data_received(data)
        idle = self._in_headers or self.cycle is None or self.cycle.response_complete
        if idle and self._deadline is None and not self.transport.is_closing():
            self._expect_headers()

    def _after_relay(self, data: bytes) -> bytes:
        """What follows the header of a relay, which tells the true client; nothing while the header is not whole."""
        if relayed.SIGNATURE[: len(data)] != data[: len(relayed.SIGNATURE)]:
            self._beginning = None
            return data
        try:
            found = relayed.read(data, type(self).relay_key or _no_key, time.time())
        except relayed.Unproven:
            self._refuse(_UNPROVEN)
            return b""
        if found is None:
            self._beginning = data
            return b""
        self._beginning = None
        guest, rest = found
        self.client, self.app_state = (guest.address, guest.port), {**self.app_state, "vpc": guest.vpc}
        return rest

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_headers, self._header_bytes = True, 0

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """As uvicorn's, without what it can do and nobody asks for here."""
        self._in_headers = False
        self._headers_came()
        version, url = self.parser.get_http_version(), httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        before, came = self.cycle, asyncio.Event()
        self.scope |= {
            "method": self.parser.get_method().decode("ascii"),
            "http_version": version,
            "path": unquote(path) if "%" in path else path,
            "raw_path": url.path,
            "query_string": url.query or b"",
            "extensions": {ARRIVED: {"yet": came.is_set}},
        }
        self.cycle = Cycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=came,
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def on_response_complete(self) -> None:
        """As uvicorn's, but with one timer for all the pauses between requests: it looks how long this one lasts."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            self._expect_reading()
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self._close_idle)

    def _unset_keepalive_if_required(self) -> None:
        self._idle_since = None

    def _close_idle(self) -> None:
        self.timeout_keep_alive_task = None
        if self._idle_since is None:
            return
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left <= 0:
            self.timeout_keep_alive_handler()
            self._expect_reading()
        else:
            self.timeout_keep_alive_task = self.loop.call_later(left, self._close_idle)

    def send_400_response(self, msg: str) -> None:
        cycle = self.cycle
        if cycle is not None and not (cycle.more_body or cycle.response_complete):
            # A whole request and then something that is none: the request has its answer, then the connection ends.
            cycle.keep_alive = False
        elif self._header_bytes > MAX_HEADERS:
            self._refuse(_TOO_LARGE)
        else:
            super().send_400_response(msg)
            self._expect_reading()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._expect_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._reads_again()
        if self.transport.is_closing():  # which it is not before the rest has gone, too
            self._expect_reading()

    def _expect_reading(self) -> None:
        if self._stalled is None and self.transport.get_write_buffer_size():
            self._stalled = self.loop.call_later(READ_SECONDS, self.transport.abort)

    def _reads_again(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _count(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > MAX_HEADERS:
            raise ValueError("the headers are too large")  # ends the parsing, whereupon `send_400_response` is called

    def _expect_headers(self) -> None:
        self._deadline = self.loop.call_later(HEADER_SECONDS, self._refuse, _TOO_SLOW)

    def _headers_came(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, answer: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(answer)
            self.transport.close()
            self._expect_reading()


def _no_key(_host: str) -> bytes:
    raise relayed.Unproven("no host may relay yet")

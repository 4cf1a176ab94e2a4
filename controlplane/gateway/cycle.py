"""One request on a connection and its answer, as ASGI has them."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

WHOLE = "celaje.response.whole"
"""A message with `status`, `headers` and `body` of an answer that is all there, for which ASGI has two. The headers are
text by names in lower case; the body's length is among them."""
_JOINED_BYTES = 64 * 1024
_NO_BODY = frozenset({204, 304})
_CONTROLS = bytes([*range(9), *range(10, 32), 127])
_NOT_IN_NAMES = bytes(range(33)) + b'\x7f()<>@,;:[]={}\\"'


class Cycle(RequestResponseCycle):
    """uvicorn's, but for how it writes: headers are looked at and joined all at once, and go out together with the
    first of the body, because a write to a socket costs as much as a policy decision. A head whose body is not there
    yet goes at the end of the loop's round."""

    _head = b""
    """What waits to be written."""

    async def send(self, message: MutableMapping[str, Any]) -> None:  # type: ignore[override]
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if message["type"] == WHOLE and not self.response_started:
            self._send_whole(message["status"], message["headers"], message["body"])
            return
        wanted = "http.response.body" if self.response_started else "http.response.start"
        if self.response_complete or message["type"] != wanted:
            raise RuntimeError(f"unexpected ASGI message {message['type']!r}")
        if self.response_started:
            self._send_body(message.get("body", b""), more=message.get("more_body", False))
        else:
            self._send_head(message["status"], [*self.default_headers, *message.get("headers", ())])

    def _send_whole(self, status: int, headers: dict[str, str], body: bytes) -> None:
        if not self.keep_alive:
            headers["connection"] = "close"
        if self.scope["method"] == "HEAD":
            body = b""
        elif int(headers.get("content-length", 0)) != len(body):
            raise RuntimeError("the body is not as long as its Content-Length")
        _check("".join(headers).encode("latin-1"), "".join(headers.values()).encode("latin-1"))
        own = b"".join([b"%b: %b\r\n" % header for header in self.default_headers])
        text = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        self._head = b"%b%b%b\r\n" % (STATUS_LINE[status], own, text.encode("latin-1"))
        self.response_started = True
        self.waiting_for_100_continue = False
        self._write(body)
        self._complete()

    def _send_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.response_started = True
        self.waiting_for_100_continue = False
        given = dict(headers)
        if b"content-length" in given:
            self.expected_content_length = int(given[b"content-length"])
            self.chunked_encoding = False
        elif given.get(b"transfer-encoding") == b"chunked":
            self.chunked_encoding = True
        elif self.scope["method"] != "HEAD" and status not in _NO_BODY:
            self.chunked_encoding = True
            headers.append((b"transfer-encoding", b"chunked"))
        if b"close" in given.get(b"connection", b"").lower():
            self.keep_alive = False
        elif not self.keep_alive:
            headers.append((b"connection", b"close"))
        _check(b"".join([name for name, _ in headers]), b"".join([value for _, value in headers]))
        self._head = STATUS_LINE[status] + b"".join([b"%b: %b\r\n" % header for header in headers]) + b"\r\n"
        asyncio.get_running_loop().call_soon(self._write, b"")

    def _send_body(self, body: bytes, *, more: bool) -> None:
        if self.scope["method"] == "HEAD":
            body, self.expected_content_length = b"", 0
        elif self.chunked_encoding:
            framed = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            body = framed if more else framed + b"0\r\n\r\n"
        else:
            self.expected_content_length -= len(body)
            if self.expected_content_length < 0:
                raise RuntimeError("the body is longer than its Content-Length")
        self._write(body)
        if more:
            return
        if self.expected_content_length:
            raise RuntimeError("the body is shorter than its Content-Length")
        self._complete()

    def _complete(self) -> None:
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()

    def _write(self, data: bytes) -> None:
        head, self._head = self._head, b""
        if head and len(data) > _JOINED_BYTES:  # not worth copying
            self.transport.writelines([head, data])
        elif head or data:
            self.transport.write(head + data)


def _check(names: bytes, values: bytes) -> None:
    """Raises RuntimeError for what would not come out as the headers that went in."""
    if names.translate(None, _NOT_IN_NAMES) != names or values.translate(None, _CONTROLS) != values:
        raise RuntimeError("a header holds what none may hold")

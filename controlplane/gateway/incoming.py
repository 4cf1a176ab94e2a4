"""The body of a request on its way in: held whole, streamed, or thrown away when the request is refused before."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from types import MappingProxyType
from typing import Any, ClassVar, Self

from controlplane.core.errors import AwsError, ServiceUnavailable
from controlplane.core.http import HttpRequest

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

ARRIVED = "celaje.arrived"
"""The extension of an ASGI scope whose `yet()` tells whether `receive` would answer at once. Then no timer is needed
for it: a timer costs as much as reading what is there."""
MAX_BODY = 16 * 1024 * 1024
PAUSE_SECONDS = 60.0
"""How long a client may pause while it streams a body."""
WHOLE_SECONDS = 60.0
SLOWEST = 64 * 1024
"""A body that is held in memory must come within `WHOLE_SECONDS` and one second for every so many bytes of it."""
MAX_UNFINISHED = 512 * 1024 * 1024
"""Memory that slow clients together may take."""
DRAIN_SECONDS = 1.0
DRAIN_BYTES = 32 * 1024 * 1024


class RequestTooLarge(AwsError):
    """A body over the limit of requests that are held in memory."""

    code = "RequestEntityTooLarge"
    status = 413


class RequestTimeout(AwsError):
    """The client stopped sending before its body was whole."""

    code = "RequestTimeout"
    status = 400


class ClientGone(Exception):
    """The client closed the connection; there is nobody to answer."""


class Incoming:
    """Reads one body: whole, or piece by piece as the iterator that it is (a generator would cost more to make than to
    run). `ended` tells that all of it has been read, so that the connection can serve a next request."""

    __slots__ = ("_arrived", "_declared", "_receive", "ended")
    unfinished: ClassVar[int] = 0
    """Bytes of bodies that have come in part, of all connections of this process."""

    def __init__(
        self, request: HttpRequest, receive: Receive, extensions: Mapping[str, Any] = MappingProxyType({})
    ) -> None:
        self._receive = receive
        self._arrived: Callable[[], bool] = extensions.get(ARRIVED, {}).get("yet", _unknown)
        length = request.headers.get("content-length", "0")
        self._declared = int(length) if length.isdecimal() else 0
        self.ended = not self._declared and "transfer-encoding" not in request.headers

    async def whole(self, limit: int = MAX_BODY) -> bytes:
        """The body in memory, of at most `limit` bytes. Raises RequestTooLarge, RequestTimeout, ClientGone."""
        if self.ended:
            return b""
        if self._declared > limit:
            raise _too_large(limit)
        body = await self._next() if self._arrived() else b""
        if self.ended and len(body) <= limit:
            return body
        try:
            async with asyncio.timeout(WHOLE_SECONDS + (self._declared or limit) / SLOWEST):
                return await self._collect(body, limit)
        except TimeoutError as error:
            raise _timeout() from error

    async def _collect(self, body: bytes, limit: int) -> bytes:
        parts, size = [body], len(body)
        Incoming.unfinished += size
        try:
            if size > limit:
                raise _too_large(limit)
            while not self.ended:
                parts.append(await self._next())
                size += len(parts[-1])
                Incoming.unfinished += len(parts[-1])
                if size > limit:
                    raise _too_large(limit)
                if Incoming.unfinished > MAX_UNFINISHED:
                    raise ServiceUnavailable("Please reduce your request rate.", detail="too many unfinished bodies")
        finally:
            Incoming.unfinished -= size
        return b"".join(parts)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """The next piece of the body. Raises RequestTimeout, ClientGone."""
        while not self.ended:
            if self._arrived():
                chunk = await self._next()
            else:
                try:
                    async with asyncio.timeout(PAUSE_SECONDS):
                        chunk = await self._next()
                except TimeoutError as error:
                    raise _timeout() from error
            if chunk:
                return chunk
        raise StopAsyncIteration

    async def drain(self) -> None:
        """Throw away what a client still sends after it was answered, within bounds: a connection that is closed on
        unread bytes is reset, and the client may never see the answer."""
        left = DRAIN_BYTES
        with contextlib.suppress(TimeoutError, ClientGone):
            async with asyncio.timeout(DRAIN_SECONDS):
                while not self.ended and left > 0:
                    left -= len(await self._next())

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        self.ended = not message.get("more_body", False)
        body: bytes = message.get("body", b"")
        return body


def _unknown() -> bool:
    return False


def _too_large(limit: int) -> RequestTooLarge:
    return RequestTooLarge(f"Request body is larger than {limit} bytes.")


def _timeout() -> RequestTimeout:
    return RequestTimeout(
        "Your socket connection to the server was not read from or written to within the timeout period."
    )

"""The gateway as an ASGI application: bytes in, bytes out. Kept bare, because every API call passes here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

from controlplane.core import log
from controlplane.core.errors import AwsError
from controlplane.core.http import HttpRequest, HttpResponse
from controlplane.core.ids import request_id as new_request_id
from controlplane.gateway.exchange import Exchange
from controlplane.gateway.pipeline import Pipeline
from controlplane.wire.encode import encode_error
from controlplane.wire.form import body_names_action
from controlplane.wire.index import Index
from controlplane.wire.route import identify

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MAX_BODY = 16 * 1024 * 1024
MAX_HEADERS = 64 * 1024
BODY_SECONDS = 60.0
"""How long a client may pause while it sends a body."""


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


class Gateway:
    """Decodes HTTP, finds the route and hands the exchange to the pipeline."""

    def __init__(self, pipeline: Pipeline, index: Index) -> None:
        self._pipeline = pipeline
        self._index = index

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = _request(scope)
        exchange = Exchange(request, new_request_id())
        log.request_id.set(exchange.request_id)
        try:
            response = await self._answer(exchange, receive)
        except ClientGone:
            return
        await _send(send, response, exchange.request_id, head=request.method == "HEAD")

    async def _answer(self, exchange: Exchange, receive: Receive) -> HttpResponse:
        request = exchange.request
        try:
            if body_names_action(request):
                request.body = await _read_body(request, receive)
                exchange.route = identify(request, self._index)
            else:
                exchange.route = identify(request, self._index)
                operation = exchange.route.operation
                if operation is not None and operation.streams_input:
                    request.stream = _stream(receive)
                else:
                    request.body = await _read_body(request, receive)
        except AwsError as error:
            return encode_error(getattr(error, "route", None) or exchange.route, error, exchange.request_id)
        return await self._pipeline.answer(exchange)


def _request(scope: Scope) -> HttpRequest:
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    client = scope.get("client")
    return HttpRequest(
        method=scope["method"],
        raw_path=scope["raw_path"],
        query_string=scope["query_string"],
        headers=headers,
        client=client[0] if client else "127.0.0.1",
        scheme=scope["scheme"],
    )


async def _read_body(request: HttpRequest, receive: Receive) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > MAX_BODY:
        raise RequestTooLarge(f"Request body is larger than {MAX_BODY} bytes.")
    message = await _receive(receive)
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        return body
    parts, size = [body], len(body)
    while message.get("more_body"):
        message = await _receive(receive)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY:
            raise RequestTooLarge(f"Request body is larger than {MAX_BODY} bytes.")
    return b"".join(parts)


async def _stream(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await _receive(receive)
        more = message.get("more_body", False)
        if chunk := message.get("body", b""):
            yield chunk


async def _receive(receive: Receive) -> MutableMapping[str, Any]:
    try:
        async with asyncio.timeout(BODY_SECONDS):
            message = await receive()
    except TimeoutError as error:
        raise RequestTimeout(
            "Your socket connection to the server was not read from or written to within the timeout period."
        ) from error
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message


async def _send(send: Send, response: HttpResponse, request_id: str, *, head: bool) -> None:
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.headers.items()]
    body = response.body
    if isinstance(body, bytes) and "content-length" not in {name.lower() for name in response.headers}:
        headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if isinstance(body, bytes):
        await send({"type": "http.response.body", "body": b"" if head else body})
        return
    async for chunk in body:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})

"""The gateway as an ASGI application: bytes in, bytes out. Kept bare, because every API call passes here."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from controlplane.core import log
from controlplane.core.context import Answered
from controlplane.core.errors import AwsError
from controlplane.core.http import HttpRequest, HttpResponse
from controlplane.core.ids import request_id as new_request_id
from controlplane.gateway import origins
from controlplane.gateway.cycle import WHOLE
from controlplane.gateway.exchange import Exchange
from controlplane.gateway.incoming import ClientGone, Incoming, Receive
from controlplane.gateway.meter import Meter
from controlplane.gateway.pipeline import Pipeline
from controlplane.gateway.sites import Sites
from controlplane.metering.requests import RequestCounts
from controlplane.wire.encode import encode_error
from controlplane.wire.form import body_names_action
from controlplane.wire.index import Index
from controlplane.wire.route import identify

access = logging.getLogger("celaje.access")
_NO_CONTENT = 204
log_of_bugs = logging.getLogger("celaje.gateway")

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Gateway:
    """Decodes HTTP, finds the route and hands the exchange to the pipeline. `endpoint_hosts` are the cloud's own names,
    under which `bucket.name` addresses a bucket; `sites` shows the pages of hosts that are not; `access_log` has a line
    logged for every request."""

    def __init__(
        self,
        pipeline: Pipeline,
        index: Index,
        endpoint_hosts: Sequence[str] = (),
        *,
        meter: Meter,
        requests: RequestCounts,
        sites: Sites,
        access_log: bool = False,
    ) -> None:
        self._sites = sites
        self._meter = meter
        self._requests = requests
        self._access_log = access_log
        self._pipeline = pipeline
        self._index = index
        self._endpoint_hosts = endpoint_hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        request = _request(scope)
        incoming = Incoming(request, receive, scope.get("extensions") or {})
        exchange = Exchange(request, new_request_id())
        log.request_id.set(exchange.request_id)
        try:
            response = await self._answer(exchange, incoming)
        except ClientGone:
            return
        if origins.needs_sandbox(exchange, response) and not origins.is_of_bucket(
            request, self._index, self._endpoint_hosts
        ):
            response.headers["Content-Security-Policy"] = origins.SANDBOX
        seconds = time.perf_counter() - began
        self._meter.count(exchange, response.status, seconds)
        if self._access_log:
            _log_access(exchange, response.status, seconds)
        try:
            await _send_answer(send, receive, exchange, response, incoming)
        finally:
            size = exchange.sent
            if exchange.entry is not None and (account := exchange.principal.account_id):
                self._requests.count(account, exchange.route.region or "", exchange.entry.name, size)  # type: ignore[union-attr]
            if exchange.context is not None and exchange.context.when_answered:
                _tell(exchange, response.status, size, time.perf_counter() - began)

    async def is_host_of_others(self, scope: Scope) -> bool:
        """Whether the pages of a request's host are a bucket's: nothing of the cloud's own may be shown beside them."""
        request = _request(scope)
        if origins.is_of_bucket(request, self._index, self._endpoint_hosts):
            return True
        try:
            return await self._sites.has(request.headers.get("host", ""))
        except AwsError:
            return True

    async def _answer(self, exchange: Exchange, incoming: Incoming) -> HttpResponse:
        request = exchange.request
        try:
            if body_names_action(request):
                request.body = await incoming.whole()
                exchange.route = identify(request, self._index, self._endpoint_hosts)
            else:
                exchange.route = await self._sites.route(request)
                if exchange.route is None:
                    exchange.route = identify(request, self._index, self._endpoint_hosts)
                operation = exchange.route.operation
                if operation is not None and operation.streams_input:
                    request.stream = incoming
                else:
                    request.body = await incoming.whole()
        except AwsError as error:
            return encode_error(getattr(error, "route", None) or exchange.route, error, exchange.request_id)
        return await self._pipeline.answer(exchange)


def _tell(exchange: Exchange, status: int, size: int, seconds: float) -> None:
    """Tell those services that want to know how a request ended."""
    request, code = exchange.request, exchange.error.code if exchange.error else None
    target = request.raw_path + (b"?" + request.query_string if request.query_string else b"")
    answered = Answered(request.method, target.decode("latin-1"), status, code, size, seconds)
    for call in exchange.context.when_answered:  # type: ignore[union-attr]
        try:
            call(answered)
        except Exception:
            log_of_bugs.exception("what is to be done behind an answer failed")


def _log_access(exchange: Exchange, status: int, seconds: float) -> None:
    """Who called what, how it ended and how long it took; nothing of parameters, headers or query strings."""
    route = exchange.route
    facts = {
        "service": route.service.name if route else None,
        "operation": route.operation_name if route else None,
        "principal": exchange.principal.arn,
        "client": exchange.request.client,
        "status": status,
        "error": exchange.error.code if exchange.error else None,
        "ms": round(seconds * 1000, 2),
    }
    access.info("request", extra={name: value for name, value in facts.items() if value is not None})


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
        vpc=scope["state"].get("vpc") if "state" in scope else None,
        scheme=scope["scheme"],
    )


async def _send_answer(
    send: Send, receive: Receive, exchange: Exchange, response: HttpResponse, incoming: Incoming
) -> None:
    """Send an answer; `exchange.sent` tells how many bytes of its body went out, a piece at a time."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    body = response.body
    if isinstance(body, bytes):
        exchange.sent = 0 if exchange.request.method == "HEAD" else len(body)
        if response.status != _NO_CONTENT:
            headers.setdefault("content-length", str(len(body)))
        if incoming.ended:
            await send({"type": WHOLE, "status": response.status, "headers": headers, "body": body})
            return
    if not incoming.ended:
        # What is left of the body stands where the next request would begin.
        headers["connection"] = "close"
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": raw})
    if isinstance(body, bytes):
        body = b"" if exchange.request.method == "HEAD" else body
        await send({"type": "http.response.body", "body": body, "more_body": True})
    else:
        await _stream(send, receive, exchange, body, incoming)
    if not incoming.ended:
        await incoming.drain()
    await send({"type": "http.response.body", "body": b""})


async def _stream(
    send: Send, receive: Receive, exchange: Exchange, body: AsyncIterator[bytes], incoming: Incoming
) -> None:
    """Send pieces until there are no more, or nobody is there to take them: the server would swallow them all."""
    gone = asyncio.ensure_future(_disconnected(receive)) if incoming.ended else None
    try:
        async for chunk in body:
            if gone is not None and gone.done():
                return
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            exchange.sent += len(chunk)
    finally:
        if gone is not None:
            gone.cancel()
        if isinstance(body, AsyncGenerator):
            await body.aclose()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass

"""The cloud's own API under `/_celaje/`, within bounds: who may reach it at all, and how large a body may be.

FastAPI reads a body before it looks at a token, so what may be sent is bounded here, before.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson

from agents.contract.exchange import PREFIX as FLEET
from controlplane.core.errors import AwsError
from controlplane.core.http import HttpRequest
from controlplane.gateway.incoming import MAX_BODY, ClientGone, Incoming, Receive

PREFIX = "/_celaje/"
MAX_OWN_BODY = 128 * 1024
"""Of everything but reports, which tell of all machines of a host at once."""
LARGE = {f"{FLEET}/observed": MAX_BODY}

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class OwnPaths:
    """An ASGI application around the own API."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        incoming = Incoming(HttpRequest(scope["method"], b"", b"", headers), receive)
        if scope.get("state", {}).get("vpc") is not None:
            return await _refuse(send, incoming, 403, "not from inside a VPC")
        try:
            body = await incoming.whole(LARGE.get(scope["path"], MAX_OWN_BODY))
        except AwsError as error:
            return await _refuse(send, incoming, error.status, error.message)
        except ClientGone:
            return None
        given = False

        async def replay() -> MutableMapping[str, Any]:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        return await self._app(scope, replay, send)


async def _refuse(send: Send, incoming: Incoming, status: int, reason: str) -> None:
    body = orjson.dumps({"detail": reason})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if not incoming.ended:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    await incoming.drain()
    await send({"type": "http.response.body", "body": b""})

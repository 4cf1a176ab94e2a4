"""Serves the console's files, and sends browsers there that open the endpoint itself."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

PATH = "/_celaje/console"
FILES = Path(__file__).with_name("static")

_HEADERS = {
    # Signing happens in the page, so nothing from elsewhere may run in it or be reached by it.
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # The files keep their names when they change; the ETag makes asking again cheap.
    "Cache-Control": "no-cache",
}


class ConsoleFiles(StaticFiles):
    """The files under `static/`, each answer with the headers that shield the page."""

    def __init__(self) -> None:
        super().__init__(directory=FILES, html=True)

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(_HEADERS)
        return response


def console_routes(region: str) -> APIRouter:
    """`GET /_celaje/console/cloud.json`: the region of this cloud, which the page must know before it can sign."""
    routes = APIRouter(prefix=PATH, tags=["console"])

    async def cloud() -> dict[str, str]:
        return {"region": region}

    routes.add_api_route("/cloud.json", cloud)
    return routes


def is_browser_at_the_door(scope: Scope) -> bool:
    """Whether somebody typed a host into a browser: a bare `GET /` for HTML, which no AWS client sends."""
    if scope["method"] != "GET" or scope["path"] != "/" or scope["query_string"]:
        return False
    accept = b""
    for name, value in scope["headers"]:
        if name == b"authorization" or name.startswith(b"x-amz-"):
            return False
        if name == b"accept":
            accept = value
    return b"text/html" in accept

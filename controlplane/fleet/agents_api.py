"""The API that agents call. The documents are in `agents.contract`; every call but `join` carries the host's token."""

import asyncio
import contextlib
import hmac
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request, Response
from fastapi.responses import StreamingResponse

from agents.contract.exchange import PREFIX, Credentials, Desired, Join, Joined, Noted, Observed
from agents.contract.queries import Queries
from controlplane.core.context import Unit
from controlplane.core.errors import EngineMissing
from controlplane.engines.blobs.contract import Blobs
from controlplane.fleet import consoles, desired, hosts, observed, queries
from controlplane.fleet.waiting import Waiting
from controlplane.state.database import Database

MAX_WAIT = 30.0
LOOK_SECONDS = 5.0
MAX_CONSOLE = 64 * 1024

IssueCredentials = Callable[[Unit, str, str], Awaitable[Credentials | None]]
"""(unit, host, machine) → credentials of the machine's role; None when it has none or is not on that host."""


@dataclass(frozen=True, slots=True)
class FleetApi:
    """What the routes need."""

    database: Database
    waiting: Waiting
    blobs: Blobs
    join_token: str
    cloud: str
    public_range: str
    cpu_overcommit: float
    issue_credentials: IssueCredentials
    relay_key: Callable[[str], bytes]
    """(host) → the key with which it proves for whom it relays."""


def router(api: FleetApi) -> APIRouter:
    """The routes of the agents' API."""
    routes = APIRouter(prefix=PREFIX, tags=["fleet"])

    async def calling_host(authorization: Annotated[str, Header()] = "") -> str:
        token = authorization.removeprefix("Bearer ")
        async with api.database.unit() as db:
            host = await hosts.by_token(db, token) if token else None
        if host is None:
            raise HTTPException(401, "unknown host token")
        return host

    CallingHost = Annotated[str, Depends(calling_host)]

    @routes.post("/join")
    async def join(request: Join, authorization: Annotated[str, Header()] = "") -> Joined:
        if not hmac.compare_digest(authorization.encode(), f"Bearer {api.join_token}".encode()):
            raise HTTPException(401, "wrong join token")
        async with api.database.unit() as db:
            host, token = await hosts.join(db, request, api.cpu_overcommit)
        return Joined(
            host=host,
            token=token,
            cloud=api.cloud,
            public_range=api.public_range,
            relay_key=api.relay_key(host).hex(),
        )

    @routes.get("/desired")
    async def get_desired(
        host: CallingHost, after: Annotated[int, Query(ge=0)] = 0, wait: Annotated[float, Query(ge=0)] = 0.0
    ) -> Desired:
        deadline = time.monotonic() + min(wait, MAX_WAIT)
        while True:
            event = api.waiting.expect(host)
            try:
                found = await _look(host, after)
                left = deadline - time.monotonic()
                if found.changes or after == 0 or left <= 0:
                    return found
                # Looking again now and then also tells that the host is there.
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(event.wait(), min(left, LOOK_SECONDS))
            finally:
                api.waiting.done(host, event)

    async def _look(host: str, after: int) -> Desired:
        async with api.database.unit() as db:
            await hosts.seen(db, host)
            return await desired.changes(db, host, after)

    @routes.post("/observed")
    async def post_observed(report: Observed, host: CallingHost) -> Noted:
        async with api.database.unit() as db:
            await hosts.seen(db, host)
            await hosts.refresh(db, host, report, api.cpu_overcommit)
            return await observed.note(db, host, report)

    @routes.get("/blobs/{id}")
    async def get_blob(id: str, host: CallingHost) -> StreamingResponse:
        async with api.database.unit() as db:
            if not await desired.needs_blob(db, host, id):
                raise HTTPException(404, "no such blob")
        try:
            size = await api.blobs.size(id)
        except EngineMissing as error:
            raise HTTPException(404, "no such blob") from error
        return StreamingResponse(
            api.blobs.read(id), media_type="application/octet-stream", headers={"content-length": str(size)}
        )

    @routes.get("/machines/{machine}/credentials")
    async def get_credentials(machine: str, host: CallingHost) -> Credentials:
        async with api.database.unit() as db:
            credentials = await api.issue_credentials(db, host, machine)
        if credentials is None:
            raise HTTPException(404, "no role")
        return credentials

    @routes.put("/machines/{machine}/console", status_code=204)
    async def put_console(machine: str, host: CallingHost, request: Request) -> Response:
        output = b""
        async for chunk in request.stream():
            output = (output + chunk)[-MAX_CONSOLE:]
        async with api.database.unit() as db:
            if not await desired.wants_machine(db, host, machine):
                raise HTTPException(404, "no such machine")
            await consoles.keep(db, machine, output)
        return Response(status_code=204)

    @routes.post("/queries", status_code=204)
    async def post_queries(told: Queries, host: CallingHost) -> Response:
        async with api.database.unit() as db:
            await queries.note(db, host, told)
        return Response(status_code=204)

    return routes

"""The ASGI application of a gateway worker: API calls go to the bare gateway, `/_celaje/…` to FastAPI."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from typing import Any

from fastapi import FastAPI
from starlette.responses import RedirectResponse

from controlplane import settings as configuration
from controlplane.access import facts
from controlplane.access.credentials import Authenticator
from controlplane.console import routes as console
from controlplane.core import log as logs
from controlplane.fleet.agents_api import FleetApi, router
from controlplane.fleet.waiting import Waiting
from controlplane.gateway import own_paths, sign_in
from controlplane.gateway.assembly import Assembly
from controlplane.gateway.connection import BoundedConnection
from controlplane.gateway.health import health_routes
from controlplane.gateway.incoming import Receive
from controlplane.gateway.machine_credentials import issuer
from controlplane.gateway.meter import Meter
from controlplane.gateway.own_paths import OwnPaths
from controlplane.gateway.own_services import OwnServices
from controlplane.gateway.pipeline import Pipeline
from controlplane.gateway.server import Gateway, Scope, Send
from controlplane.gateway.sites import Sites
from controlplane.metering.requests import RequestCounts
from controlplane.settings import Settings
from controlplane.state.database import Database
from controlplane.state.sealing import Sealer
from controlplane.wire.index import Index
from controlplane.work.broker import make_celery, publisher
from controlplane.work.hints import hints

log = logging.getLogger("celaje.app")

_OF_PEOPLE = (console.PATH, sign_in.PATH)
"""Paths at which somebody types secrets into a browser."""


class Application:
    """Wires the layers together when the worker starts, and takes them apart when it stops."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._gateway: Gateway | None = None
        self._own: OwnPaths | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        assert self._gateway is not None and self._own is not None
        path = scope["path"]
        own = path.startswith(own_paths.PREFIX)
        at_the_door = not own and console.is_browser_at_the_door(scope)
        of_people = at_the_door or path.startswith(_OF_PEOPLE)
        if not (own or at_the_door) or (of_people and await self._gateway.is_host_of_others(scope)):
            await self._gateway(scope, receive, send)
        elif own:
            await self._own(scope, receive, send)
        else:
            await RedirectResponse(f"{console.PATH}/", 302, {"vary": "accept"})(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    await self.start(configuration.load())
                except Exception as error:
                    log.exception("the gateway could not start")
                    await send({"type": "lifespan.startup.failed", "message": repr(error)})
                    return
                await send({"type": "lifespan.startup.complete"})
            else:
                await self._stack.aclose()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def start(self, settings: Settings) -> None:
        """Open what the worker needs and build its layers."""
        database = await Database.open(
            settings.database, generations=settings.generations, size=settings.database_connections
        )
        self._stack.push_async_callback(database.close)
        assembly = Assembly(settings, database)
        waiting = Waiting(assembly.listener)
        assembly.start()
        self._stack.push_async_callback(assembly.stop)
        hints.start(publisher(make_celery(settings.broker)))
        facts.require(assembly.registry.actions())
        index = Index.open(
            settings.cache,
            {e.model: e.extra_protocols for e in assembly.registry.services.values() if e.extra_protocols},
        )
        authenticator = Authenticator(assembly.principals, assembly.sealer, settings.regions, assembly.recorder)
        pipeline = Pipeline(database, assembly.dispatcher, authenticator, assembly.trail)
        meter = Meter(settings.run / "metrics", logs.process())
        self._counting = asyncio.create_task(meter.run())
        self._stack.callback(self._counting.cancel)
        requests = RequestCounts(database)
        requests.start()
        self._stack.push_async_callback(requests.stop)
        names = assembly.engines["public_names"]
        self._gateway = Gateway(
            pipeline,
            index,
            settings.own_names,
            meter=meter,
            requests=requests,
            sites=Sites(database, names, index, settings.guarded_names, settings.machine_names),
            access_log=settings.access_log,
        )
        BoundedConnection.relay_key = relay_key = RelayKeys(assembly.sealer)
        own = _own_application(
            database,
            meter,
            FleetApi(
                database=database,
                waiting=waiting,
                blobs=assembly.blobs,
                join_token=settings.join_token.read_text(),
                cloud=cloud_id(assembly.sealer),
                public_range=str(settings.public_range),
                cpu_overcommit=settings.cpu_overcommit,
                issue_credentials=issuer(assembly.sealer),
                relay_key=relay_key,
            ),
            settings.region,
            assembly.sealer,
        )
        own.include_router(OwnServices(database, assembly.dispatcher, authenticator, settings.region).routes())
        self._own = OwnPaths(own)


class RelayKeys:
    """The key of each host, with which it proves for whom it relays."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def __call__(self, host: str) -> bytes:
        return self._sealer.derive(f"relay:{host}")


def cloud_id(sealer: Sealer) -> str:
    """Six characters that tell this cloud's machines and networks from another's on the same host."""
    return sealer.derive("cloud-id").hex()[:6]


def _own_application(database: Database, meter: Meter, fleet: FleetApi, region: str, sealer: Sealer) -> FastAPI:
    own: Any = FastAPI(title="Celaje", docs_url=None, redoc_url=None, openapi_url="/_celaje/openapi.json")
    own.include_router(health_routes(database, meter))
    own.include_router(router(fleet))
    own.include_router(sign_in.sign_in_routes(database, sealer))
    own.include_router(console.console_routes(region))
    own.mount(console.PATH, console.ConsoleFiles())
    return own  # type: ignore[no-any-return]


app = Application()

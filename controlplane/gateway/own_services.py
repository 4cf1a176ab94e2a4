"""Serves what services declare in their `own_paths.py`, with the gateway's own signatures and permissions."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from controlplane.access.credentials import Authenticator
from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.core.http import HttpRequest, HttpResponse
from controlplane.core.ids import request_id
from controlplane.core.own_path import OwnPathSpec
from controlplane.core.principal import ANONYMOUS
from controlplane.gateway.dispatch import Dispatcher
from controlplane.gateway.registry import ServiceEntry
from controlplane.gateway.translate import translate
from controlplane.state.database import Database
from controlplane.wire.encode import encode_error
from controlplane.wire.route import Route
from controlplane.wire.scope import credential_scope
from controlplane.wire.service import load

_PREFIX = "/_celaje"


class OwnServices:
    """Answers own paths of services; what fails is answered in the words of the service's API."""

    def __init__(self, database: Database, dispatcher: Dispatcher, authenticator: Authenticator, region: str) -> None:
        self._database = database
        self._dispatcher = dispatcher
        self._authenticator = authenticator
        self._region = region

    def routes(self) -> APIRouter:
        """A route for each path that a service declares."""
        routes = APIRouter(tags=["services"])
        for entry in self._dispatcher.registry.services.values():
            for spec in entry.own_paths:
                name = f"{entry.name} {spec.path}"
                endpoint = self._endpoint(entry, spec)
                routes.add_api_route(_PREFIX + spec.path, endpoint, methods=["GET"], name=name, response_model=None)
        return routes

    def _endpoint(self, entry: ServiceEntry, spec: OwnPathSpec):  # type: ignore[no-untyped-def]
        async def get(request: Request) -> Response:
            id = request_id()
            service = load(entry.model)
            route = Route(service, service.protocols[0])
            try:
                answer = await self._answer(entry, spec, request, route, id)
            except Exception as error:
                answer = encode_error(route, translate(error), id)
            assert isinstance(answer.body, bytes)
            return Response(answer.body, answer.status, answer.headers)

        return get

    async def _answer(
        self, entry: ServiceEntry, spec: OwnPathSpec, request: Request, route: Route, id: str
    ) -> HttpResponse:
        http = _http(request)
        principal = ANONYMOUS
        scope = credential_scope(http)
        if spec.signed:
            principal = await self._authenticator.authenticate(http, route)
            if not principal.account_id:
                raise AwsError("Missing Authentication Token", code="MissingAuthenticationToken", status=403)
        async with self._database.unit() as db:
            ctx = Context(
                request_id=id,
                account_id=principal.account_id,
                region=(scope.region if scope else None) or self._region,
                service=entry.name,
                operation="",
                principal=principal,
                db=db,
                runtime=self._dispatcher,
                model=entry.model,
                source_ip=http.client,
                user_agent=http.headers.get("user-agent", ""),
                endpoint=f"{http.scheme}://{http.headers.get('host', '')}",
            )
            return await spec.run(ctx, {**request.query_params, **request.path_params})


def _http(request: Request) -> HttpRequest:
    return HttpRequest(
        method=request.method,
        raw_path=request.scope["raw_path"],
        query_string=request.scope["query_string"],
        headers=dict(request.headers),
        client=request.client.host if request.client else "127.0.0.1",
        scheme=request.url.scheme,
    )

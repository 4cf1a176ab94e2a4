"""The life of a request: an ordered list of steps, readable top to bottom."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from controlplane.access.credentials import Authenticator
from controlplane.access.trail.recorder import Trail
from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.core.http import HttpResponse, one_line
from controlplane.core.operation import OrUnsigned, SignedByCertificate, Unauthenticated
from controlplane.gateway.audit import note_exchange
from controlplane.gateway.dispatch import Dispatcher
from controlplane.gateway.exchange import Exchange
from controlplane.gateway.incoming import ClientGone
from controlplane.gateway.translate import OVERTAKEN, TRY_AGAIN, translate
from controlplane.state.database import Database
from controlplane.state.unit_of_work import UnitOfWork
from controlplane.wire.decode import decode
from controlplane.wire.encode import encode_error, encode_result

ATTEMPTS = 3

Step = Callable[[Exchange], Awaitable[None]]


class Pipeline:
    """Answers a request whose route is known. Never raises: what fails becomes an answer in the caller's protocol."""

    def __init__(self, database: Database, dispatcher: Dispatcher, authenticator: Authenticator, trail: Trail) -> None:
        self._database = database
        self._dispatcher = dispatcher
        self._authenticator = authenticator
        self._trail = trail
        self.steps: tuple[tuple[str, Step], ...] = (
            ("find", self.find),
            ("authenticate", self.authenticate),
            ("decode", self.decode),
            ("operate", self.operate),
            ("encode", self.encode),
        )

    async def answer(self, exchange: Exchange) -> HttpResponse:
        """Take a request through all steps."""
        for name, step in self.steps:
            started = time.perf_counter()
            try:
                await step(exchange)
            except ClientGone:
                raise
            except Exception as error:
                exchange.error = self._worded(exchange, translate(error))
                exchange.response = encode_error(exchange.route, exchange.error, exchange.request_id)
                break
            finally:
                exchange.spans[name] = time.perf_counter() - started
        note_exchange(self._trail, exchange)
        assert exchange.response is not None
        if exchange.context is not None:
            added = exchange.context.answer_headers
            exchange.response.headers.update({name: one_line(value) for name, value in added.items()})
            if exchange.error is None and exchange.context.answer_status is not None:
                exchange.response.status = exchange.context.answer_status
        return exchange.response

    async def find(self, exchange: Exchange) -> None:
        """The implementation, so that what is not built is refused before anything is read or checked."""
        route = exchange.route
        assert route is not None and route.operation is not None
        exchange.entry, exchange.spec = self._dispatcher.find(route.service.name, route.operation.name)
        exchange.compatibility = self._dispatcher.compatibility(exchange.entry)

    async def authenticate(self, exchange: Exchange) -> None:
        """Who calls."""
        assert exchange.spec is not None and exchange.route is not None
        if isinstance(exchange.spec.on, Unauthenticated):
            return
        if isinstance(exchange.spec.on, SignedByCertificate):
            exchange.principal = self._authenticator.authenticate_certificate(exchange.request, exchange.route)
            return
        open_to_all = isinstance(exchange.spec.on, OrUnsigned)
        exchange.principal = await self._authenticator.authenticate(
            exchange.request, exchange.route, open_to_all=open_to_all
        )

    async def decode(self, exchange: Exchange) -> None:
        """The parameters, validated against the model."""
        assert exchange.route is not None
        exchange.parameters = decode(exchange.route, exchange.request)
        if exchange.compatibility is not None and exchange.spec is not None:
            exchange.compatibility.asked(exchange.spec.name, exchange.parameters)

    async def operate(self, exchange: Exchange) -> None:
        """Permission, implementation and commit, in one unit of work; again when another request got in the way."""
        for attempt in range(1, ATTEMPTS + 1):
            unit = UnitOfWork(self._database)
            try:
                await self._operate_once(exchange, unit)
                await unit.commit()
                return
            except (*TRY_AGAIN, *OVERTAKEN):
                await unit.rollback()
                if attempt == ATTEMPTS or exchange.request.stream is not None:  # a body comes only once
                    raise
            except BaseException:
                await unit.rollback()
                raise

    async def _operate_once(self, exchange: Exchange, unit: UnitOfWork) -> None:
        assert exchange.entry is not None and exchange.spec is not None
        ctx = exchange.context = self._context(exchange, unit)
        started = time.perf_counter()
        await self._dispatcher.check(ctx, exchange.entry, exchange.spec)
        exchange.spans["authorize"] = time.perf_counter() - started
        exchange.result = await self._dispatcher.run(ctx, exchange.entry, exchange.spec)

    async def encode(self, exchange: Exchange) -> None:
        """The answer in the caller's protocol."""
        assert exchange.route is not None
        if exchange.compatibility is not None and exchange.spec is not None:
            exchange.result = dict(exchange.result or {})
            exchange.compatibility.told(exchange.spec.name, exchange.parameters, exchange.result)
        exchange.response = encode_result(exchange.route, exchange.result or {}, exchange.request_id)

    def _worded(self, exchange: Exchange, error: AwsError) -> AwsError:
        if exchange.compatibility is None or exchange.spec is None:
            return error
        return exchange.compatibility.refused(exchange.spec.name, error)

    def _context(self, exchange: Exchange, unit: UnitOfWork) -> Context:
        assert exchange.entry is not None and exchange.spec is not None and exchange.route is not None
        request = exchange.request
        return Context(
            request_id=exchange.request_id,
            account_id=exchange.principal.account_id,
            region=exchange.route.region or "us-east-1",
            service=exchange.entry.name,
            operation=exchange.spec.name,
            principal=exchange.principal,
            db=unit,
            runtime=self._dispatcher,
            model=exchange.entry.model,
            source_ip=request.client,
            source_vpc=request.vpc,
            user_agent=request.headers.get("user-agent", ""),
            trace=request.headers.get("x-amzn-trace-id", ""),
            endpoint=f"{request.scheme}://{request.headers.get('host', '')}",
            secure=request.scheme == "https",
            method=request.method,
            request=exchange.parameters,
            headers=request.headers,
            signed=request.signed,
        )

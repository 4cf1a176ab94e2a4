"""Runs one operation: authorization, idempotency, implementation. The path of outside calls and of `ctx.call` alike."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from controlplane.access import quotas
from controlplane.access.authorize import Authorizer
from controlplane.access.trail.recorder import Trail
from controlplane.core.compatibility import Compatibility
from controlplane.core.context import Cloud, Context, Unit
from controlplane.core.errors import AwsError, NotImplementedByCelaje
from controlplane.core.operation import NoPermission, OperationSpec, OrUnsigned, Resource
from controlplane.core.principal import ANONYMOUS
from controlplane.gateway import idempotency
from controlplane.gateway.audit import note_call
from controlplane.gateway.registry import Registry, ServiceEntry
from controlplane.wire.service import load
from controlplane.work.wake import wake


class DryRunOperation(AwsError):
    """What AWS answers to a permitted call with `DryRun`; many APIs have that parameter, all mean the same by it."""

    code = "DryRunOperation"
    status = 412


class Dispatcher:
    """Implements `core.context.Runtime`."""

    def __init__(
        self, registry: Registry, authorizer: Authorizer, engines: Mapping[str, Any], cloud: Cloud, trail: Trail
    ) -> None:
        self.registry = registry
        self.cloud = cloud
        self.authorizer = authorizer
        self._engines = engines
        self._trail = trail

    def find(self, model: str, operation: str) -> tuple[ServiceEntry, OperationSpec]:
        """The implementation of an operation. Raises NotImplementedByCelaje (501)."""
        entry = self.registry.by_model.get(model)
        spec = entry.operations.get(operation) if entry else None
        if entry is None or spec is None:
            raise NotImplementedByCelaje(f"The operation {operation} of {model} is not implemented by this cloud.")
        return entry, spec

    def compatibility(self, entry: ServiceEntry) -> Compatibility | None:
        """How a service answers the world where it does not as AWS."""
        name = self.cloud.compatibility.get(entry.name)
        return entry.compatible[name] if name else None

    async def check(self, ctx: Context, entry: ServiceEntry, spec: OperationSpec) -> None:
        """Ask the policy engine about every resource that the operation names."""
        on = spec.on
        if isinstance(on, OrUnsigned):
            if ctx.principal == ANONYMOUS:
                return
            on = on.on
        if isinstance(on, NoPermission):
            return
        answer = on if isinstance(on, str) else on(ctx, ctx.request)
        if inspect.isawaitable(answer):
            answer = await answer
        ctx.resources = _resources(answer)
        await self.authorizer.authorize(ctx, entry.action(spec), ctx.resources)

    async def run(self, ctx: Context, entry: ServiceEntry, spec: OperationSpec) -> Any:
        """Run an operation that was authorized."""
        if ctx.request.get("DryRun") is True and not spec.own_dry_run:
            raise DryRunOperation("Request would have succeeded, but DryRun flag is set.")
        member = load(entry.model).operation(spec.name).idempotency_token
        if member is None:
            return await spec.run(ctx, ctx.request)
        return await idempotency.run_once(ctx, spec, member, lambda: spec.run(ctx, ctx.request))

    async def call(self, ctx: Context, service: str, operation: str, request: Mapping[str, Any]) -> Any:
        """One service calls another: same caller, same transaction, same checks."""
        called = self.registry.services.get(service)
        entry, spec = self.find(called.model if called else service, operation)
        inner = replace(
            ctx,
            service=entry.name,
            model=entry.model,
            operation=operation,
            request=request,
            headers={},
            answer_headers={},
            facts=self._facts(ctx, entry),
            resources=(),
        )
        via = inner.facts.get("aws:CalledViaLast") or ctx.principal.arn
        try:
            await self.check(inner, entry, spec)
            result = await self.run(inner, entry, spec)
        except AwsError as error:
            note_call(self._trail, inner, entry.model, via, None, error)
            raise
        note_call(self._trail, inner, entry.model, via, result, None)
        return result

    async def ask(self, ctx: Context, service: str, name: str, request: Mapping[str, Any]) -> Any:
        """One service has another do what it offers. Raises NotImplementedByCelaje where that service is not there."""
        entry = self.registry.services.get(service)
        function = entry.offers.get(name) if entry else None
        if entry is None or function is None:
            raise NotImplementedByCelaje(f"{service} does not offer {name}.")
        inner = replace(ctx, service=entry.name, model=entry.model, operation="", request=request, resources=())
        return await function(inner, request)

    def _facts(self, ctx: Context, called: ServiceEntry) -> dict[str, Any]:
        """The condition values of a call that a service forwards; none is added where it acts for itself."""
        if not ctx.operation:
            return dict(ctx.facts)
        via = self.registry.services[ctx.service].iam_prefix
        chain = [*ctx.facts.get("aws:CalledVia", ()), f"{via}.amazonaws.com"]
        facts = {
            **ctx.facts,
            "aws:ViaAWSService": "true",
            "aws:CalledVia": chain,
            "aws:CalledViaFirst": chain[0],
            "aws:CalledViaLast": chain[-1],
        }
        if called.iam_prefix == "kms":
            facts["kms:ViaService"] = f"{via}.{ctx.region}.amazonaws.com"
        return facts

    async def authorize(self, ctx: Context, action: str, resources: Sequence[Resource]) -> None:
        await self.authorizer.authorize(ctx, action, resources)

    async def pass_role(self, ctx: Context, role_arn: str, service: str) -> None:
        await self.authorizer.pass_role(ctx, role_arn, service)

    async def wake(self, db: Unit, kind: str, key: str, delay: float) -> None:
        await wake(db, kind, key, delay)

    async def quota(self, ctx: Context, key: str) -> float:
        await quotas.hold(ctx.db, ctx.account_id, ctx.region, key)
        return await quotas.limit(ctx.db, ctx.account_id, ctx.region, key)

    def engine(self, kind: str) -> Any:
        return self._engines[kind]


def _resources(answer: Any) -> list[Resource]:
    items = [answer] if isinstance(answer, str | Resource) else answer
    return [Resource(item) if isinstance(item, str) else item for item in items]

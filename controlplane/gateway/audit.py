"""Tells the audit trail of each call: those that come in, and those that services make of one another."""

from __future__ import annotations

from typing import Any

from controlplane.access.trail.recorder import Call, Trail
from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.gateway.exchange import Exchange

_SMALL = 2048
_ITSELF = "cloudtrail.amazonaws.com"


def note_exchange(trail: Trail, exchange: Exchange) -> None:
    """A request that was answered. Who calls must be known: what was refused before that names nobody."""
    spec, entry, route, context = exchange.spec, exchange.entry, exchange.route, exchange.context
    if spec is None or entry is None or route is None or not exchange.principal.account_id:
        return
    if not trail.wants(entry.model, spec.name, exchange.principal.account_id):  # objects are written and read most
        return
    request = exchange.request
    fingerprint = None
    if len(request.body) <= _SMALL:
        fingerprint = request.body, request.raw_path, request.query_string
    trail.note(
        Call(
            exchange.principal,
            exchange.principal.account_id,
            "us-east-1" if entry.scope == "global" else route.region or "us-east-1",
            entry.model,
            spec.name,
            exchange.request_id,
            request.client,
            request.headers.get("user-agent", ""),
            exchange.parameters,
            exchange.result,
            exchange.error,
            context.resources if context is not None else (),
            "",
            fingerprint,
        )
    )


def note_call(trail: Trail, ctx: Context, model: str, via: str, result: Any, error: AwsError | None) -> None:
    """A call of one service by another; `via` is the caller's service principal. The trail's own files are no events:
    each would make the next."""
    if via == _ITSELF:
        return
    trail.note(
        Call(
            ctx.principal,
            ctx.account_id,
            ctx.region,
            model,
            ctx.operation,
            ctx.request_id,
            parameters=ctx.request,
            result=result,
            error=error,
            resources=ctx.resources,
            invoked_by=via,
        )
    )

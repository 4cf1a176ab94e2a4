"""Health checks."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import ANY, operation
from controlplane.services.route53 import health, zones
from controlplane.services.route53.errors import (
    HealthCheckAlreadyExists,
    HealthCheckInUse,
    HealthCheckVersionMismatch,
    InvalidInput,
    TooManyHealthChecks,
)
from controlplane.services.route53.health import existing, on_check

_QUOTA = "route53/L-ACB674F3"
_URL = "https://route53.amazonaws.com/2013-04-01"
_COUNT = "SELECT count(*) FROM route53_health_checks WHERE account_id = $1"
_SAME = "SELECT * FROM route53_health_checks WHERE account_id = $1 AND caller_reference = $2"
_INSERT = """
INSERT INTO route53_health_checks (id, account_id, caller_reference, config) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING RETURNING *
"""
_LIST = "SELECT * FROM route53_health_checks WHERE account_id = $1 AND id >= $2 ORDER BY id LIMIT $3"
_FOUND = "SELECT id FROM route53_health_checks WHERE account_id = $1 AND id = ANY($2)"
_USED = """
SELECT EXISTS (SELECT FROM route53_record_sets WHERE health_check = $2) OR EXISTS (
    SELECT FROM route53_health_checks WHERE account_id = $1 AND config -> 'ChildHealthChecks' ? $2
)
"""
_UPDATE = """
UPDATE route53_health_checks SET config = $2, version = version + 1, streak = 0 WHERE id = $1 RETURNING *
"""
_LOCK = "SELECT * FROM route53_health_checks WHERE id = $1 FOR UPDATE"
_NOT_CONFIG = ("HealthCheckId", "HealthCheckVersion", "ResetElements")


@operation("CreateHealthCheck", on=ANY)
async def create_health_check(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises HealthCheckAlreadyExists, InvalidInput, TooManyHealthChecks."""
    config = await health.checked_for(ctx, request["HealthCheckConfig"])
    await _check_children(ctx, config)
    same = await ctx.db.fetchrow(_SAME, ctx.account_id, request["CallerReference"])
    if same is None:
        await _check_room(ctx)
        same = await ctx.db.fetchrow(_INSERT, str(uuid.uuid4()), ctx.account_id, request["CallerReference"], config)
        if same is not None:
            await ctx.wake(health.CHECK, same["id"])
    if same is None or same["config"] != config:
        raise HealthCheckAlreadyExists("A health check with the same caller reference and different settings exists.")
    return {"HealthCheck": health.shown(same), "Location": f"{_URL}/healthcheck/{same['id']}"}


async def _check_room(ctx: Context) -> None:
    async def used() -> float:
        return float(await ctx.db.fetchval(_COUNT, ctx.account_id))

    def error(limit: int) -> TooManyHealthChecks:
        return TooManyHealthChecks(f"You have reached the limit of {limit} health checks.")

    await ctx.within_quota(_QUOTA, used, error)


async def _check_children(ctx: Context, config: Mapping[str, Any]) -> None:
    children = list(config.get("ChildHealthChecks") or ())
    if children:
        found = {row["id"] for row in await ctx.db.fetch(_FOUND, ctx.account_id, children)}
        for id in children:
            if id not in found:
                raise InvalidInput(f"Invalid request: the child health check {id} does not exist.")


@operation("GetHealthCheck", on=on_check)
async def get_health_check(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NoSuchHealthCheck."""
    return {"HealthCheck": health.shown(existing(ctx, request))}


@operation("UpdateHealthCheck", on=on_check)
async def update_health_check(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NoSuchHealthCheck, HealthCheckVersionMismatch, InvalidInput."""
    row = await ctx.db.fetchrow(_LOCK, existing(ctx, request)["id"])
    if request.get("HealthCheckVersion") not in (None, row["version"]):
        raise HealthCheckVersionMismatch(
            f"The value of HealthCheckVersion is {request['HealthCheckVersion']}, the current one {row['version']}."
        )
    changed = {name: value for name, value in request.items() if name not in _NOT_CONFIG and value is not None}
    config = {name: value for name, value in row["config"].items() if name not in (request.get("ResetElements") or ())}
    config = await health.checked_for(ctx, {**config, **changed})
    await _check_children(ctx, config)
    if row["id"] in (config.get("ChildHealthChecks") or ()):
        raise InvalidInput("Invalid request: a health check cannot be its own child.")
    updated = await ctx.db.fetchrow(_UPDATE, row["id"], config)
    await ctx.wake(health.CHECK, row["id"])
    return {"HealthCheck": health.shown(updated)}


@operation("DeleteHealthCheck", on=on_check)
async def delete_health_check(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NoSuchHealthCheck, HealthCheckInUse."""
    row = existing(ctx, request)
    if await ctx.db.fetchval(_USED, ctx.account_id, row["id"]):
        raise HealthCheckInUse("The health check is used by a resource record set or another health check.")
    await ctx.db.execute("DELETE FROM route53_health_checks WHERE id = $1", row["id"])
    return {}


@operation("ListHealthChecks", on=ANY)
async def list_health_checks(ctx: Context, request: Any) -> dict[str, Any]:
    """By id."""
    limit, marker = zones.limit(request), request.get("Marker") or ""
    rows = await ctx.db.fetch(_LIST, ctx.account_id, marker, limit + 1)
    answer = {
        "HealthChecks": [health.shown(row) for row in rows[:limit]],
        "IsTruncated": len(rows) > limit,
        "MaxItems": str(limit),
        "Marker": marker,
    }
    return {**answer, "NextMarker": rows[limit]["id"]} if len(rows) > limit else answer


@operation("GetHealthCheckCount", on=ANY)
async def get_health_check_count(ctx: Context, request: Any) -> dict[str, Any]:
    """How many health checks the account has."""
    return {"HealthCheckCount": await ctx.db.fetchval(_COUNT, ctx.account_id)}


def _observation(ctx: Context, text: str, at: Any) -> list[dict[str, Any]]:
    status = {"Status": text, **({"CheckedTime": at} if at else {})}
    return [{"Region": "us-east-1", "IPAddress": "127.0.0.1", "StatusReport": status}]


@operation("GetHealthCheckStatus", on=on_check)
async def get_health_check_status(ctx: Context, request: Any) -> dict[str, Any]:
    """What our checker saw last. Raises NoSuchHealthCheck, InvalidInput."""
    row = existing(ctx, request)
    if row["config"]["Type"] == "CALCULATED":
        raise InvalidInput("The status of a calculated health check is that of its children.")
    seen = _observation(ctx, row["report"], row["checked_at"]) if row["report"] else []
    return {"HealthCheckObservations": seen}


@operation("GetHealthCheckLastFailureReason", on=on_check)
async def get_health_check_last_failure_reason(ctx: Context, request: Any) -> dict[str, Any]:
    """Why it failed last. Raises NoSuchHealthCheck."""
    row = existing(ctx, request)
    return {"HealthCheckObservations": _observation(ctx, row["failure"], row["failed_at"]) if row["failure"] else []}

"""Health checks: what one may be, and how it is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controlplane.core.context import Context
from controlplane.core.errors import NotImplementedByCelaje
from controlplane.core.operation import Resource
from controlplane.services.route53.errors import InvalidInput, NoSuchHealthCheck

CHECK = "route53.health-check"
"""The kind of work that looks whether an endpoint answers."""
PORTS = {"HTTP": 80, "HTTP_STR_MATCH": 80, "HTTPS": 443, "HTTPS_STR_MATCH": 443}
_OF_ENDPOINTS = {*PORTS, "TCP"}
_FIND = "SELECT * FROM route53_health_checks WHERE id = $1"


def arn(id: str) -> str:
    return f"arn:aws:route53:::healthcheck/{id}"


async def on_check(ctx: Context, request: Any) -> list[Resource]:
    """The health check that a request names. Its ARN says no account, so that its row must."""
    row = await ctx.db.fetchrow(_FIND, request["HealthCheckId"])
    owner = row["account_id"] if row is not None else ctx.account_id
    tags = row["tags"] if row is not None else {}
    return [Resource(arn(request["HealthCheckId"]), tags, conditions={"aws:ResourceAccount": owner}, row=row)]


def existing(ctx: Context, request: Any) -> Any:
    """Raises NoSuchHealthCheck."""
    row = ctx.resources[0].row
    if row is None or row["account_id"] != ctx.account_id:
        raise NoSuchHealthCheck(f"A health check with id {request['HealthCheckId']} does not exist.")
    return row


async def checked_for(ctx: Context, given: Mapping[str, Any]) -> dict[str, Any]:
    """`checked`, and its address is one that accounts may have called. Raises InvalidInput."""
    config, address = checked(given), given.get("IPAddress")
    if address and await _is_forbidden(ctx, address):
        raise InvalidInput(f"Invalid parameter : IP address {address} is not allowed.")
    return config


async def _is_forbidden(ctx: Context, address: str) -> bool:
    try:
        return bool(await ctx.engine("outbound").forbids(address))
    except ValueError:
        return True


def checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with AWS's defaults. Raises InvalidInput."""
    kind = given["Type"]
    if kind == "CALCULATED":
        return _calculated(given)
    if kind not in _OF_ENDPOINTS:
        raise NotImplementedByCelaje(f"Health checks of type {kind} are not built by this cloud.")
    if not given.get("IPAddress") and not given.get("FullyQualifiedDomainName"):
        raise InvalidInput("Invalid request: IPAddress or FullyQualifiedDomainName is required.")
    if kind == "TCP" and not given.get("Port"):
        raise InvalidInput("Invalid request: Port is required for health checks of type TCP.")
    if kind == "TCP" and not given.get("IPAddress") and given.get("ResourcePath"):
        raise InvalidInput("Invalid request: ResourcePath is not for health checks of type TCP.")
    if kind.endswith("_STR_MATCH") != bool(given.get("SearchString")):
        raise InvalidInput("Invalid request: SearchString is required for, and only for, types that match a string.")
    if given.get("RequestInterval") not in (None, 10, 30):
        raise InvalidInput("Invalid request: RequestInterval must be 10 or 30.")
    for member in ("ResourcePath", "FullyQualifiedDomainName"):  # they stand in the head of a request
        if any(not 0x20 < ord(char) < 0x7F for char in given.get(member) or ""):
            raise InvalidInput(f"Invalid request: {member} contains characters that are not allowed.")
    defaults: dict[str, Any] = {"RequestInterval": 30, "FailureThreshold": 3, "MeasureLatency": False}
    defaults |= {"Inverted": False, "Disabled": False, "EnableSNI": kind.startswith("HTTPS")}
    if kind in PORTS:
        defaults["Port"] = PORTS[kind]
    return {**defaults, **given}


def _calculated(given: Mapping[str, Any]) -> dict[str, Any]:
    if given.get("IPAddress") or given.get("FullyQualifiedDomainName") or given.get("Port"):
        raise InvalidInput("Invalid request: a calculated health check has no endpoint.")
    if given.get("HealthThreshold") is None:
        raise InvalidInput("Invalid request: HealthThreshold is required for calculated health checks.")
    return {"Inverted": False, "Disabled": False, "ChildHealthChecks": [], **given}


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """A HealthCheck."""
    return {
        "Id": row["id"],
        "CallerReference": row["caller_reference"],
        "HealthCheckConfig": row["config"],
        "HealthCheckVersion": row["version"],
    }

"""Reusable delegation sets."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import ANY, Resource, operation
from controlplane.services.route53 import zones
from controlplane.services.route53.errors import (
    DelegationSetAlreadyCreated,
    DelegationSetAlreadyReusable,
    DelegationSetInUse,
    HostedZoneNotFound,
    LimitsExceeded,
    NoSuchDelegationSet,
)

_MOST = 100
_URL = "https://route53.amazonaws.com/2013-04-01"
_INSERT = """
INSERT INTO route53_delegation_sets (id, account_id, caller_reference, name_servers) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING RETURNING *
"""
_COUNT = "SELECT count(*) FROM route53_delegation_sets WHERE account_id = $1"
_FIND = "SELECT * FROM route53_delegation_sets WHERE id = $1 AND account_id = $2"
_LIST = "SELECT * FROM route53_delegation_sets WHERE account_id = $1 AND id >= $2 ORDER BY id LIMIT $3"
_USED = "SELECT count(*) FROM route53_zones WHERE delegation_set = $1"
_ZONE = "SELECT * FROM route53_zones WHERE id = $1 AND account_id = $2 FOR UPDATE"
_GIVE = "UPDATE route53_zones SET delegation_set = $2 WHERE id = $1"


async def on_set(ctx: Context, request: Any) -> list[Resource]:
    """The set that a request names; those of others are not found."""
    id = zones.bare(request["Id"])
    conditions = {"aws:ResourceAccount": ctx.account_id}
    return [Resource(f"arn:aws:route53:::delegationset/{id}", conditions=conditions)]


def _shown(row: Any) -> dict[str, Any]:
    return {
        "Id": f"/delegationset/{row['id']}",
        "CallerReference": row["caller_reference"],
        "NameServers": row["name_servers"],
    }


async def _named(ctx: Context, request: Any) -> Any:
    id = zones.bare(request["Id"])
    row = await ctx.db.fetchrow(_FIND, id, ctx.account_id)
    if row is None:
        raise NoSuchDelegationSet(f"The specified delegation set does not exist: {id}")
    return row


@operation("CreateReusableDelegationSet", on=ANY)
async def create_reusable_delegation_set(ctx: Context, request: Any) -> dict[str, Any]:
    """New name servers, or those of a zone. Raises DelegationSetAlreadyCreated, HostedZoneNotFound, LimitsExceeded."""
    if await ctx.db.fetchval(_COUNT, ctx.account_id) >= _MOST:
        raise LimitsExceeded(f"You have reached the limit of {_MOST} reusable delegation sets.")
    id, servers, zone = zones.new_id("N"), zones.name_servers(), None
    if request.get("HostedZoneId"):
        zone = await ctx.db.fetchrow(_ZONE, zones.bare(request["HostedZoneId"]), ctx.account_id)
        if zone is None:
            raise HostedZoneNotFound(f"The specified hosted zone does not exist: {request['HostedZoneId']}")
        if zone["delegation_set"]:
            raise DelegationSetAlreadyReusable("The delegation set of the hosted zone is reusable already.")
        servers = zone["name_servers"]
    row = await ctx.db.fetchrow(_INSERT, id, ctx.account_id, request["CallerReference"], servers)
    if row is None:
        raise DelegationSetAlreadyCreated(
            "A delegation set with the same owner and caller reference has already been created."
        )
    if zone is not None:
        await ctx.db.execute(_GIVE, zone["id"], id)
    return {"DelegationSet": _shown(row), "Location": f"{_URL}/delegationset/{id}"}


@operation("GetReusableDelegationSet", on=on_set)
async def get_reusable_delegation_set(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NoSuchDelegationSet."""
    return {"DelegationSet": _shown(await _named(ctx, request))}


@operation("ListReusableDelegationSets", on=ANY)
async def list_reusable_delegation_sets(ctx: Context, request: Any) -> dict[str, Any]:
    """By id."""
    limit, marker = zones.limit(request), request.get("Marker") or ""
    rows = await ctx.db.fetch(_LIST, ctx.account_id, zones.bare(marker), limit + 1)
    answer = {
        "DelegationSets": [_shown(row) for row in rows[:limit]],
        "IsTruncated": len(rows) > limit,
        "MaxItems": str(limit),
        "Marker": marker,
    }
    return {**answer, "NextMarker": rows[limit]["id"]} if len(rows) > limit else answer


@operation("DeleteReusableDelegationSet", on=on_set)
async def delete_reusable_delegation_set(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NoSuchDelegationSet, DelegationSetInUse."""
    row = await _named(ctx, request)
    if await ctx.db.fetchval(_USED, row["id"]):
        raise DelegationSetInUse("The delegation set is associated with one or more hosted zones.")
    await ctx.db.execute("DELETE FROM route53_delegation_sets WHERE id = $1", row["id"])
    return {}

"""Traffic policy instances: a policy that answers for a name."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import ANY, Resource, operation
from controlplane.services.route53 import aliases, changes, names, queries, zones
from controlplane.services.route53.errors import (
    ConflictingTypes,
    NoSuchHostedZone,
    NoSuchTrafficPolicyInstance,
    TrafficPolicyInstanceAlreadyExists,
)
from controlplane.services.route53.operations.traffic_policies import find as find_policy
from controlplane.services.route53.traffic import Policy
from controlplane.services.route53.zones import existing, on_zone

_URL = "https://route53.amazonaws.com/2013-04-01"
_INSERT = """
INSERT INTO route53_traffic_instances
    (id, account_id, zone_id, name, type, ttl, policy_id, policy_version, zone_version)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING RETURNING true
"""
_SELECT = "SELECT i.*, z.served FROM route53_traffic_instances i JOIN route53_zones z ON z.id = i.zone_id"
_FIND = f"{_SELECT} WHERE i.id = $1 AND i.account_id = $2"
_UPDATE = """
UPDATE route53_traffic_instances SET ttl = $2, policy_id = $3, policy_version = $4, zone_version = $5 WHERE id = $1
"""
_LIST = f"{_SELECT} WHERE i.account_id = $1 AND (i.zone_id, i.name, i.type) >= ($2, $3, $4)"
_ORDER = "ORDER BY i.zone_id, i.name, i.type LIMIT $5"
_COUNT = "SELECT count(*) FROM route53_traffic_instances WHERE account_id = $1"


async def on_instance(ctx: Context, request: Any) -> list[Resource]:
    """The instance that a request names; those of others are not found."""
    conditions = {"aws:ResourceAccount": ctx.account_id}
    return [Resource(f"arn:aws:route53:::trafficpolicyinstance/{request['Id']}", conditions=conditions)]


async def _find(ctx: Context, id: str) -> Any:
    row = await ctx.db.fetchrow(_FIND, id, ctx.account_id)
    if row is None:
        raise NoSuchTrafficPolicyInstance(f"No traffic policy instance exists with Id {id[:36]}.")
    return row


def _shown(row: Any) -> dict[str, Any]:
    return {
        "Id": row["id"],
        "HostedZoneId": row["zone_id"],
        "Name": row["name"],
        "TTL": row["ttl"],
        "State": "Applied" if row["served"] >= row["zone_version"] else "Creating",
        "Message": "",
        "TrafficPolicyId": row["policy_id"],
        "TrafficPolicyVersion": row["policy_version"],
        "TrafficPolicyType": row["type"],
    }


async def _rewrite(ctx: Context, zone_id: str, instance: str, sets: list[dict[str, Any]]) -> int:
    """Put these record sets in place of the instance's own; the zone's new version. Raises InvalidChangeBatch,
    InvalidInput, NoSuchHealthCheck."""
    row = await queries.lock_zone(ctx.db, zone_id)
    if row is None:
        raise NoSuchHostedZone(f"No hosted zone found with ID: {zone_id}")
    await aliases.locate(ctx, sets)
    given: list[Mapping[str, Any]] = [{"Action": "CREATE", "ResourceRecordSet": each} for each in sets]
    batch = changes.Batch(row, await queries.records(ctx.db, zone_id))
    await batch.look_up(ctx, given)
    batch.replace(instance, given)
    await batch.write(ctx)
    version = await queries.bump(ctx.db, zone_id)
    await zones.changed(ctx, row, version)
    return version


@operation("CreateTrafficPolicyInstance", on=on_zone)
async def create_traffic_policy_instance(ctx: Context, request: Any) -> dict[str, Any]:
    """Have a policy answer for a name of a zone. Raises NoSuchHostedZone, NoSuchTrafficPolicy, InvalidInput,
    TrafficPolicyInstanceAlreadyExists, InvalidChangeBatch."""
    zone, name = existing(ctx, request), names.normal(request["Name"])
    policy = await find_policy(ctx, request["TrafficPolicyId"], request["TrafficPolicyVersion"])
    id, ttl = str(uuid.uuid4()), int(request["TTL"])
    sets = Policy(policy["document"]).sets(name, zone, id, ttl)
    version = await _rewrite(ctx, zone["id"], id, sets)
    own = (id, ctx.account_id, zone["id"], name, policy["type"], ttl, policy["id"], policy["version"], version)
    if not await ctx.db.fetchval(_INSERT, *own):
        raise TrafficPolicyInstanceAlreadyExists(f"A traffic policy instance for {name} exists already.")
    shown = _shown(await _find(ctx, id))
    return {"TrafficPolicyInstance": shown, "Location": f"{_URL}/trafficpolicyinstance/{id}"}


@operation("GetTrafficPolicyInstance", on=on_instance)
async def get_traffic_policy_instance(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NoSuchTrafficPolicyInstance."""
    return {"TrafficPolicyInstance": _shown(await _find(ctx, request["Id"]))}


@operation("UpdateTrafficPolicyInstance", on=on_instance)
async def update_traffic_policy_instance(ctx: Context, request: Any) -> dict[str, Any]:
    """Another policy or version, all at once. Raises NoSuchTrafficPolicyInstance, NoSuchTrafficPolicy,
    ConflictingTypes."""
    row = await _find(ctx, request["Id"])
    policy = await find_policy(ctx, request["TrafficPolicyId"], request["TrafficPolicyVersion"])
    if policy["type"] != row["type"]:
        raise ConflictingTypes(f"The instance is for records of type {row['type']}.")
    zone, ttl = await queries.zone(ctx.db, row["zone_id"]), int(request["TTL"])
    sets = Policy(policy["document"]).sets(row["name"], zone, row["id"], ttl)
    version = await _rewrite(ctx, row["zone_id"], row["id"], sets)
    await ctx.db.execute(_UPDATE, row["id"], ttl, policy["id"], policy["version"], version)
    return {"TrafficPolicyInstance": _shown(await _find(ctx, row["id"]))}


@operation("DeleteTrafficPolicyInstance", on=on_instance)
async def delete_traffic_policy_instance(ctx: Context, request: Any) -> dict[str, Any]:
    """Its records go with it. Raises NoSuchTrafficPolicyInstance."""
    row = await _find(ctx, request["Id"])
    await _rewrite(ctx, row["zone_id"], row["id"], [])
    await ctx.db.execute("DELETE FROM route53_traffic_instances WHERE id = $1", row["id"])
    return {}


async def _page(ctx: Context, request: Any, condition: str, *values: Any) -> dict[str, Any]:
    limit = zones.limit(request)
    marker = request.get("TrafficPolicyInstanceNameMarker")
    first = (
        zones.bare(request.get("HostedZoneIdMarker") or ""),
        names.normal(marker) if marker else "",
        request.get("TrafficPolicyInstanceTypeMarker") or "",
    )
    rows = await ctx.db.fetch(f"{_LIST} {condition} {_ORDER}", ctx.account_id, *first, limit + 1, *values)
    answer: dict[str, Any] = {
        "TrafficPolicyInstances": [_shown(row) for row in rows[:limit]],
        "IsTruncated": len(rows) > limit,
        "MaxItems": str(limit),
    }
    if len(rows) > limit:
        following = rows[limit]
        answer["TrafficPolicyInstanceNameMarker"] = following["name"]
        answer["TrafficPolicyInstanceTypeMarker"] = following["type"]
    return answer


@operation("ListTrafficPolicyInstances", on=ANY)
async def list_traffic_policy_instances(ctx: Context, request: Any) -> dict[str, Any]:
    """By zone and name."""
    return await _page(ctx, request, "")


@operation("ListTrafficPolicyInstancesByHostedZone", on=on_zone)
async def list_by_hosted_zone(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NoSuchHostedZone."""
    return await _page(ctx, request, "AND i.zone_id = $6", existing(ctx, request)["id"])


@operation("ListTrafficPolicyInstancesByPolicy", on=ANY)
async def list_by_policy(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NoSuchTrafficPolicy."""
    policy = await find_policy(ctx, request["TrafficPolicyId"], request["TrafficPolicyVersion"])
    condition = "AND i.policy_id = $6 AND i.policy_version = $7"
    return await _page(ctx, request, condition, policy["id"], policy["version"])


@operation("GetTrafficPolicyInstanceCount", on=ANY)
async def get_traffic_policy_instance_count(ctx: Context, request: Any) -> dict[str, Any]:
    """How many instances the account has."""
    return {"TrafficPolicyInstanceCount": await ctx.db.fetchval(_COUNT, ctx.account_id)}

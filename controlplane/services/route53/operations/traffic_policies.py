"""Traffic policies and their versions."""

from __future__ import annotations

import uuid
from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import ANY, Resource, operation
from controlplane.services.route53 import zones
from controlplane.services.route53.errors import (
    NoSuchTrafficPolicy,
    TooManyTrafficPolicies,
    TrafficPolicyAlreadyExists,
    TrafficPolicyInUse,
)
from controlplane.services.route53.traffic import Policy

_MOST, _MOST_VERSIONS = 50, 1000
_URL = "https://route53.amazonaws.com/2013-04-01"
_INSERT = """
INSERT INTO route53_traffic_policies (id, version, account_id, name, type, document, comment)
VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING *
"""
_NAMED = "SELECT true FROM route53_traffic_policies WHERE account_id = $1 AND name = $2"
_COUNT = "SELECT count(DISTINCT id) FROM route53_traffic_policies WHERE account_id = $1"
_FIND = "SELECT * FROM route53_traffic_policies WHERE id = $1 AND version = $2 AND account_id = $3"
_LATEST = (
    "SELECT * FROM route53_traffic_policies WHERE id = $1 AND account_id = $2 ORDER BY version DESC LIMIT 1 FOR UPDATE"
)
_COMMENT = "UPDATE route53_traffic_policies SET comment = $3 WHERE id = $1 AND version = $2 RETURNING *"
_DELETE = "DELETE FROM route53_traffic_policies WHERE id = $1 AND version = $2"
_USED = "SELECT EXISTS (SELECT FROM route53_traffic_instances WHERE policy_id = $1 AND policy_version = $2)"
_LIST = """
SELECT DISTINCT ON (id) id, name, type, version, count(*) OVER (PARTITION BY id) AS versions
FROM route53_traffic_policies WHERE account_id = $1 AND id >= $2 ORDER BY id, version DESC LIMIT $3
"""
_VERSIONS = """
SELECT * FROM route53_traffic_policies WHERE id = $1 AND account_id = $2 AND version <= $3
ORDER BY version DESC LIMIT $4
"""


async def on_policy(ctx: Context, request: Any) -> list[Resource]:
    """The policy that a request names; those of others are not found."""
    conditions = {"aws:ResourceAccount": ctx.account_id}
    return [Resource(f"arn:aws:route53:::trafficpolicy/{request['Id']}", conditions=conditions)]


async def find(ctx: Context, id: str, version: int) -> Any:
    """Raises NoSuchTrafficPolicy."""
    row = await ctx.db.fetchrow(_FIND, id, version, ctx.account_id)
    if row is None:
        raise NoSuchTrafficPolicy(f"No traffic policy exists with Id {id[:36]} and version {version}.")
    return row


def _shown(row: Any) -> dict[str, Any]:
    shown = {
        "Id": row["id"],
        "Version": row["version"],
        "Name": row["name"],
        "Type": row["type"],
        "Document": row["document"],
    }
    return {**shown, "Comment": row["comment"]} if row["comment"] else shown


@operation("CreateTrafficPolicy", on=ANY)
async def create_traffic_policy(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises InvalidTrafficPolicyDocument, TrafficPolicyAlreadyExists, TooManyTrafficPolicies."""
    policy = Policy(request["Document"])
    if await ctx.db.fetchval(_NAMED, ctx.account_id, request["Name"]):
        raise TrafficPolicyAlreadyExists(f"A traffic policy with the name {request['Name']} exists already.")
    if await ctx.db.fetchval(_COUNT, ctx.account_id) >= _MOST:
        raise TooManyTrafficPolicies(f"You have reached the limit of {_MOST} traffic policies.")
    own = (str(uuid.uuid4()), 1, ctx.account_id, request["Name"], policy.type)
    row = await ctx.db.fetchrow(_INSERT, *own, request["Document"], request.get("Comment"))
    return {"TrafficPolicy": _shown(row), "Location": f"{_URL}/trafficpolicy/{row['id']}/1"}


@operation("CreateTrafficPolicyVersion", on=on_policy)
async def create_traffic_policy_version(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises InvalidTrafficPolicyDocument, NoSuchTrafficPolicy, TooManyTrafficPolicies."""
    latest = await ctx.db.fetchrow(_LATEST, request["Id"], ctx.account_id)
    if latest is None:
        raise NoSuchTrafficPolicy(f"No traffic policy exists with Id {request['Id'][:36]}.")
    policy, version = Policy(request["Document"]), latest["version"] + 1
    if version > _MOST_VERSIONS:
        raise TooManyTrafficPolicies(f"A traffic policy has at most {_MOST_VERSIONS} versions.")
    own = (latest["id"], version, ctx.account_id, latest["name"], policy.type)
    row = await ctx.db.fetchrow(_INSERT, *own, request["Document"], request.get("Comment"))
    return {"TrafficPolicy": _shown(row), "Location": f"{_URL}/trafficpolicy/{row['id']}/{version}"}


@operation("GetTrafficPolicy", on=on_policy)
async def get_traffic_policy(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NoSuchTrafficPolicy."""
    return {"TrafficPolicy": _shown(await find(ctx, request["Id"], request["Version"]))}


@operation("UpdateTrafficPolicyComment", on=on_policy)
async def update_traffic_policy_comment(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NoSuchTrafficPolicy."""
    row = await find(ctx, request["Id"], request["Version"])
    return {"TrafficPolicy": _shown(await ctx.db.fetchrow(_COMMENT, row["id"], row["version"], request["Comment"]))}


@operation("DeleteTrafficPolicy", on=on_policy)
async def delete_traffic_policy(ctx: Context, request: Any) -> dict[str, Any]:
    """Delete one version. Raises NoSuchTrafficPolicy, TrafficPolicyInUse."""
    row = await find(ctx, request["Id"], request["Version"])
    if await ctx.db.fetchval(_USED, row["id"], row["version"]):
        raise TrafficPolicyInUse("Traffic policy instances were created by this version.")
    await ctx.db.execute(_DELETE, row["id"], row["version"])
    return {}


@operation("ListTrafficPolicies", on=ANY)
async def list_traffic_policies(ctx: Context, request: Any) -> dict[str, Any]:
    """By id."""
    limit = zones.limit(request)
    rows = await ctx.db.fetch(_LIST, ctx.account_id, request.get("TrafficPolicyIdMarker") or "", limit + 1)
    told = [
        {
            "Id": row["id"],
            "Name": row["name"],
            "Type": row["type"],
            "LatestVersion": row["version"],
            "TrafficPolicyCount": row["versions"],
        }
        for row in rows[:limit]
    ]
    marker = rows[limit]["id"] if len(rows) > limit else ""
    truncated = len(rows) > limit
    answer = {"TrafficPolicySummaries": told, "IsTruncated": truncated, "MaxItems": str(limit)}
    return {**answer, "TrafficPolicyIdMarker": marker}


@operation("ListTrafficPolicyVersions", on=on_policy)
async def list_traffic_policy_versions(ctx: Context, request: Any) -> dict[str, Any]:
    """The newest first. Raises NoSuchTrafficPolicy."""
    limit, marker = zones.limit(request), request.get("TrafficPolicyVersionMarker") or "1000000"
    first = int(marker) if marker.isascii() and marker.isdigit() and len(marker) < 8 else 0
    rows = await ctx.db.fetch(_VERSIONS, request["Id"], ctx.account_id, first, limit + 1)
    if not rows:
        raise NoSuchTrafficPolicy(f"No traffic policy exists with Id {request['Id'][:36]}.")
    marker = str(rows[limit]["version"]) if len(rows) > limit else ""
    answer = {"TrafficPolicies": [_shown(row) for row in rows[:limit]], "IsTruncated": len(rows) > limit}
    return {**answer, "MaxItems": str(limit), "TrafficPolicyVersionMarker": marker}

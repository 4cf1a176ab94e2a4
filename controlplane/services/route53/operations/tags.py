"""Tags of hosted zones and health checks."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import Resource, operation
from controlplane.core.tags import to_dict, to_list
from controlplane.services.route53 import health, zones
from controlplane.services.route53.errors import InvalidInput, NoSuchHealthCheck, NoSuchHostedZone

_MOST = 50
_TABLES = {"hostedzone": "route53_zones", "healthcheck": "route53_health_checks"}


async def _resource(ctx: Context, type: str, id: str) -> Resource:
    row = await ctx.db.fetchrow(f"SELECT id, account_id, tags FROM {_TABLES[type]} WHERE id = $1", id)
    owner = row["account_id"] if row is not None else ctx.account_id
    arn = zones.arn(id) if type == "hostedzone" else health.arn(id)
    return Resource(arn, row["tags"] if row is not None else {}, conditions={"aws:ResourceAccount": owner}, row=row)


async def on_tagged(ctx: Context, request: Any) -> list[Resource]:
    """The zones or health checks that a request names."""
    ids = request.get("ResourceIds") or [request["ResourceId"]]
    return [await _resource(ctx, request["ResourceType"], zones.bare(id)) for id in ids]


def _rows(ctx: Context, request: Any) -> list[Any]:
    """Raises NoSuchHostedZone, NoSuchHealthCheck."""
    for resource in ctx.resources:
        if resource.row is None:
            id = zones.bare(resource.arn)
            if request["ResourceType"] == "hostedzone":
                raise NoSuchHostedZone(f"No hosted zone found with ID: {id}")
            raise NoSuchHealthCheck(f"A health check with id {id} does not exist.")
    return [resource.row for resource in ctx.resources]


@operation("ChangeTagsForResource", on=on_tagged)
async def change_tags_for_resource(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises InvalidInput, NoSuchHostedZone, NoSuchHealthCheck."""
    [row] = _rows(ctx, request)
    removed = set(request.get("RemoveTagKeys") or ())
    tags = {key: value for key, value in row["tags"].items() if key not in removed}
    tags |= to_dict(request.get("AddTags"))
    if "" in tags or any(key.lower().startswith("aws:") for key in tags):
        raise InvalidInput("A tag's key is not empty and does not begin with aws:.")
    if len(tags) > _MOST:
        raise InvalidInput(f"The number of tags exceeds the limit of {_MOST}.")
    table = _TABLES[request["ResourceType"]]
    await ctx.db.execute(f"UPDATE {table} SET tags = $2 WHERE id = $1", row["id"], tags)
    return {}


def _shown(request: Any, row: Any) -> dict[str, Any]:
    return {"ResourceType": request["ResourceType"], "ResourceId": row["id"], "Tags": to_list(row["tags"])}


@operation("ListTagsForResource", on=on_tagged)
async def list_tags_for_resource(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NoSuchHostedZone, NoSuchHealthCheck."""
    return {"ResourceTagSet": _shown(request, _rows(ctx, request)[0])}


@operation("ListTagsForResources", on=on_tagged)
async def list_tags_for_resources(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NoSuchHostedZone, NoSuchHealthCheck."""
    return {"ResourceTagSets": [_shown(request, row) for row in _rows(ctx, request)]}

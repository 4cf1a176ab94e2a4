"""Tags of EC2 resources of every noun."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from controlplane.core import tags as core_tags
from controlplane.core.context import Context
from controlplane.core.operation import ANY, Resource, operation
from controlplane.services.ec2 import describing, permissions, tagging
from controlplane.services.ec2.describing import column
from controlplane.services.ec2.errors import InvalidParameterValue
from controlplane.services.ec2.nouns import BY_PREFIX, Noun

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import (
        DescribeTagsRequestTypeDef,
    )

MAX_RESOURCES = 1000
_ALL = "SELECT * FROM ec2_tags WHERE account_id = $1 AND region = $2 ORDER BY resource_id, key"
_DELETE = "DELETE FROM ec2_tags WHERE resource_id = ANY($1) AND key = $2 AND ($3::text IS NULL OR value = $3)"
_DELETE_ALL = "DELETE FROM ec2_tags WHERE resource_id = ANY($1)"
FILTERS: dict[str, describing.Extract] = {
    "resource-id": column("resource_id"),
    "resource-type": lambda row: _noun(row["resource_id"]).resource,
    "key": column("key"),
    "value": column("value"),
}


def _noun(id: str) -> Noun:
    noun = BY_PREFIX.get(id.partition("-")[0])
    if noun is None:
        raise InvalidParameterValue(f"The ID '{id}' is not valid", code="InvalidID")
    return noun


async def on_resources(ctx: Context, request: Any) -> list[Resource]:
    """All named resources, with the tags that the request carries as conditions."""
    carried = tagging.request_tags(core_tags.to_dict(request.get("Tags")))
    by_noun: dict[Noun | None, list[str]] = defaultdict(list)
    for id in request["Resources"]:
        by_noun[BY_PREFIX.get(id.partition("-")[0])].append(id)
    found: list[Resource] = []
    for noun, ids in by_noun.items():
        # What cannot be an id is refused later, and only to callers who may tag anything.
        found += await permissions.of(ctx, noun, ids) if noun else [Resource(ANY)]
    return [replace(resource, conditions={**resource.conditions, **carried}) for resource in found]


async def _require(ctx: Context, ids: Sequence[str]) -> None:
    if len(ids) > MAX_RESOURCES:
        raise InvalidParameterValue(f"The maximum number of resources is {MAX_RESOURCES}.")
    by_noun: dict[Noun, list[str]] = defaultdict(list)
    for id in ids:
        by_noun[_noun(id)].append(id)
    for noun, wanted in by_noun.items():
        noun.check(wanted)
        rows = await ctx.db.fetch(
            f"SELECT {noun.key} AS id FROM {noun.table} x WHERE {noun.key} = ANY($1) AND account_id = $2 "
            "AND (region IS NULL OR region = $3)",
            wanted,
            ctx.account_id,
            ctx.region,
        )
        if lacking := set(wanted) - {row["id"] for row in rows}:
            raise noun.missing(lacking)


@operation("CreateTags", on=on_resources)
async def create_tags(ctx: Context, request: Any) -> None:
    """Set tags on up to 1,000 resources."""
    tags = core_tags.to_dict(request["Tags"])
    core_tags.check(tags)
    await _require(ctx, request["Resources"])
    for existing in (await tagging.of(ctx, request["Resources"])).values():
        core_tags.check({**existing, **tags})
    await tagging.put(ctx, request["Resources"], tags)


@operation("DeleteTags", on=on_resources)
async def delete_tags(ctx: Context, request: Any) -> None:
    """Take tags away: by key, by key and value, or all of them."""
    ids = list(request["Resources"])
    await _require(ctx, ids)
    if "Tags" not in request:
        await ctx.db.execute(_DELETE_ALL, ids)
    for tag in request.get("Tags") or ():
        await ctx.db.execute(_DELETE, ids, tag.get("Key", ""), tag.get("Value"))


@operation("DescribeTags", on=ANY)
async def describe_tags(ctx: Context, request: DescribeTagsRequestTypeDef) -> dict[str, Any]:
    """Tags, one by one."""
    rows = [
        {**row, "tags": {row["key"]: row["value"]}, "place": f"{row['resource_id']} {row['key']}"}
        for row in await ctx.db.fetch(_ALL, ctx.account_id, ctx.region)
    ]
    found, token = describing.page(describing.matching(rows, request, FILTERS), request, key="place")
    shown = [
        {
            "ResourceId": row["resource_id"],
            "ResourceType": _noun(row["resource_id"]).resource,
            "Key": row["key"],
            "Value": row["value"],
        }
        for row in found
    ]
    return {"Tags": shown, "NextToken": token}

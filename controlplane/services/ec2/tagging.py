"""Tags of EC2 resources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from controlplane.core import tags as core_tags
from controlplane.core.arn import arn
from controlplane.core.context import Context, Unit
from controlplane.core.operation import Resource
from controlplane.services.ec2.errors import InvalidParameterValue
from controlplane.services.ec2.nouns import Noun

OF = "(SELECT jsonb_object_agg(t.key, t.value) FROM ec2_tags t WHERE t.resource_id = {alias}.id) AS tags"
"""A column for SELECT lists: the tags of the row as one JSON object, null without any."""

_PUT = """
INSERT INTO ec2_tags (resource_id, key, value, account_id, region) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (resource_id, key) DO UPDATE SET value = excluded.value
"""
_ALL = "SELECT resource_id, key, value FROM ec2_tags WHERE resource_id = ANY($1) AND account_id = $2"


def column(alias: str) -> str:
    """The tags column for a table alias."""
    return OF.format(alias=alias)


def shape(tags: Mapping[str, str] | None) -> list[dict[str, str]]:
    """Tags as the API gives them."""
    return core_tags.to_list(tags or {})


def requested(request: Mapping[str, Any], noun: Noun) -> dict[str, str]:
    """The tags that a create call asks for one noun. Raises InvalidParameterValue for tags AWS refuses."""
    found: dict[str, str] = {}
    for specification in request.get("TagSpecifications") or ():
        if specification.get("ResourceType") == noun.resource:
            for tag in specification.get("Tags") or ():
                if tag.get("Key", "") in found:
                    raise InvalidParameterValue(f"Duplicate tag key '{tag['Key']}' specified.")
                found[tag.get("Key", "")] = tag.get("Value", "")
    core_tags.check(found)
    return found


async def create(ctx: Context, noun: Noun, ids: Sequence[str], tags: Mapping[str, str]) -> None:
    """Tag what a call has just created, if the caller may: `ec2:CreateTags` with `ec2:CreateAction`."""
    if not tags:
        return
    await ctx.authorize(
        "ec2:CreateTags",
        *(
            Resource(resource_arn(ctx, noun, id), conditions={"ec2:CreateAction": ctx.operation, **request_tags(tags)})
            for id in ids
        ),
    )
    await put(ctx, ids, tags)


def request_tags(tags: Mapping[str, str]) -> dict[str, str | Sequence[str]]:
    """The condition values that say which tags a request carries."""
    return {"aws:TagKeys": list(tags), **{f"aws:RequestTag/{key}": value for key, value in tags.items()}}


def resource_arn(ctx: Context, noun: Noun, id: str) -> str:
    """The ARN of a resource of the caller's account and region; those of images name no account."""
    return arn("ec2", ctx.region, "" if noun.resource == "image" else ctx.account_id, f"{noun.resource}/{id}")


async def put(ctx: Context, ids: Iterable[str], tags: Mapping[str, str]) -> None:
    """Set tags."""
    rows = [(id, key, value, ctx.account_id, ctx.region) for id in ids for key, value in tags.items()]
    await ctx.db.executemany(_PUT, rows)


async def forget(db: Unit, ids: Sequence[str]) -> None:
    """Drop all tags of resources that are gone."""
    await db.execute("DELETE FROM ec2_tags WHERE resource_id = ANY($1)", list(ids))


async def of(ctx: Context, ids: Sequence[str]) -> dict[str, dict[str, str]]:
    """The tags that the caller's account has on resources, by id."""
    found: dict[str, dict[str, str]] = {}
    for row in await ctx.db.fetch(_ALL, list(ids), ctx.account_id):
        found.setdefault(row["resource_id"], {})[row["key"]] = row["value"]
    return found

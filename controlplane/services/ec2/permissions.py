"""What the policy engine is asked about, for operations that name resources."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import Resource
from controlplane.services.ec2 import tagging
from controlplane.services.ec2.nouns import GROUP, INSTANCE, INTERFACE, KEY_PAIR, ROUTE_TABLE, SUBNET, VPC, Noun

_KEYS = "SELECT id, name FROM ec2_key_pairs WHERE account_id = $1 AND region = $2 AND id = ANY($3)"
_FACTS: dict[Noun, dict[str, str]] = {
    INSTANCE: {"type": "ec2:InstanceType", "zone": "ec2:AvailabilityZone"},
    SUBNET: {"vpc_id": "ec2:Vpc", "zone": "ec2:AvailabilityZone"},
    GROUP: {"vpc_id": "ec2:Vpc"},
    INTERFACE: {"vpc_id": "ec2:Vpc", "subnet_id": "ec2:Subnet", "zone": "ec2:AvailabilityZone"},
    ROUTE_TABLE: {"vpc_id": "ec2:Vpc"},
}
"""Columns of existing resources that policies may ask for, by condition key."""
_ARNS = {"ec2:Vpc": VPC, "ec2:Subnet": SUBNET}
"""Condition keys whose values are ARNs."""

Answer = Callable[[Context, Any], Awaitable[list[Resource]]]


def named(noun: Noun, member: str) -> Answer:
    """The resources whose ids (one or a list) a parameter holds, with the tags they have."""

    async def resources(ctx: Context, request: Any) -> list[Resource]:
        value = request.get(member) or []
        return await of(ctx, noun, [value] if isinstance(value, str) else value)

    return resources


def several(*answers: Answer) -> Answer:
    """All of what several functions answer: an operation that needs permission on resources of different nouns."""

    async def resources(ctx: Context, request: Any) -> list[Resource]:
        return [resource for answer in answers for resource in await answer(ctx, request)]

    return resources


def new(noun: Noun) -> Answer:
    """A resource that the operation is about to create."""

    async def resources(ctx: Context, request: Any) -> list[Resource]:
        tags = tagging.requested(request, noun)
        return [Resource(tagging.resource_arn(ctx, noun, "*"), conditions=tagging.request_tags(tags))]

    return resources


async def of(ctx: Context, noun: Noun, ids: list[str]) -> list[Resource]:
    """Resources by id; an operation that names none is asked about as `*` of its noun."""
    if not ids:
        return [Resource(tagging.resource_arn(ctx, noun, "*"))]
    tags = await tagging.of(ctx, ids)
    names = await _key_names(ctx, ids) if noun is KEY_PAIR else {}
    facts = await _facts(ctx, noun, ids)
    return [
        Resource(
            tagging.resource_arn(ctx, noun, names.get(id, id)), tags=tags.get(id, {}), conditions=facts.get(id, {})
        )
        for id in ids
    ]


async def _key_names(ctx: Context, ids: list[str]) -> dict[str, str]:
    # The ARN of a key pair has its name, not its id.
    rows = await ctx.db.fetch(_KEYS, ctx.account_id, ctx.region, ids)
    return {row["id"]: row["name"] for row in rows}


async def _facts(ctx: Context, noun: Noun, ids: list[str]) -> dict[str, dict[str, str]]:
    """Condition values that EC2 knows of existing resources, by id."""
    columns = _FACTS.get(noun)
    if columns is None:
        return {}
    rows = await ctx.db.fetch(
        f"SELECT id, {', '.join(columns)} FROM {noun.table} WHERE id = ANY($1) AND account_id = $2 AND region = $3",
        ids,
        ctx.account_id,
        ctx.region,
    )
    return {row["id"]: {key: _fact(ctx, key, row[name]) for name, key in columns.items()} for row in rows}


def _fact(ctx: Context, key: str, value: str) -> str:
    noun = _ARNS.get(key)
    return tagging.resource_arn(ctx, noun, value) if noun else value

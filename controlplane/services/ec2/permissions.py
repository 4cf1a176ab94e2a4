"""What the policy engine is asked about, for operations that name resources."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import Resource
from controlplane.services.ec2 import tagging
from controlplane.services.ec2.nouns import Noun

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
    return [
        Resource(
            tagging.resource_arn(ctx, noun, id),
            tags=tags.get(id, {}),
            conditions={f"ec2:ResourceTag/{key}": value for key, value in tags.get(id, {}).items()},
        )
        for id in ids
    ]

"""What the policy engine is asked about: the ARN and tags of what a request names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import Resource
from controlplane.services.iam.nouns import GROUP, POLICY, PROFILE, ROLE, USER, Noun
from controlplane.services.iam.queries import identities, policies, profiles

Answer = Callable[[Context, Any], Awaitable[list[Resource]]]


def named(noun: Noun) -> Answer:
    """The one that a request names; what does not exist is asked about under the root path."""

    async def resources(ctx: Context, request: Any) -> list[Resource]:
        return [await of(ctx, noun, request.get(noun.member) or own_name(ctx, noun))]

    return resources


def new(noun: Noun) -> Answer:
    """One that the operation is about to make, with the path that it asks for."""

    async def resources(ctx: Context, request: Any) -> list[Resource]:
        name = request.get("PolicyName") if noun is POLICY else request.get(noun.member)
        arn = noun.arn(ctx.account_id, request.get("Path") or "/", name or "")
        boundary = request.get("PermissionsBoundary")
        return [Resource(arn, conditions={"iam:PermissionsBoundary": boundary} if boundary else {})]

    return resources


def every(noun: Noun) -> Answer:
    """All of a noun, for operations that list."""

    async def resources(ctx: Context, request: Any) -> list[Resource]:
        return [Resource(noun.arn(ctx.account_id, "/", ""))]

    return resources


def attaching(noun: Noun) -> Answer:
    """The identity that a managed policy is attached to or detached from."""

    async def resources(ctx: Context, request: Any) -> list[Resource]:
        resource = await of(ctx, noun, request.get(noun.member) or "")
        conditions = {**resource.conditions, "iam:PolicyARN": request.get("PolicyArn", "")}
        return [Resource(resource.arn, resource.tags, conditions=conditions)]

    return resources


def bounding(noun: Noun) -> Answer:
    """The identity whose boundary is set."""

    async def resources(ctx: Context, request: Any) -> list[Resource]:
        resource = await of(ctx, noun, request.get(noun.member) or "")
        given = request.get("PermissionsBoundary")
        return [Resource(resource.arn, resource.tags, conditions={"iam:PermissionsBoundary": given} if given else {})]

    return resources


async def policy(ctx: Context, request: Any) -> list[Resource]:
    """The managed policy that a request names."""
    arn = request.get("PolicyArn") or POLICY.arn(ctx.account_id, "/", "")
    row = await policies.find(ctx, arn)
    return [Resource(arn, dict(row["tags"]) if row else {})]


async def of(ctx: Context, noun: Noun, name: str) -> Resource:
    """One by its name, with its tags and boundary."""
    row: Any = None
    if noun is PROFILE:
        row = await profiles.find(ctx, name)
    elif noun in (USER, GROUP, ROLE) and name:
        row = await identities.find(ctx, noun, name)
    if row is None:
        return Resource(noun.arn(ctx.account_id, "/", name))
    boundary = None if noun is PROFILE else row["boundary_arn"]
    conditions = {"iam:PermissionsBoundary": boundary} if boundary else {}
    return Resource(noun.arn_of(row), row["tags"], conditions=conditions, row=row)


def own_name(ctx: Context, noun: Noun) -> str:
    """The caller's own name, which user operations take when none is given."""
    return ctx.principal.name if noun is USER and ctx.principal.kind == "user" else ""

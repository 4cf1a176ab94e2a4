"""Tags of identities and configuration sets."""

from __future__ import annotations

from typing import Any

from controlplane.core.arn import Arn, arn
from controlplane.core.context import Context
from controlplane.core.operation import Resource
from controlplane.services.ses import configuration_sets, identities
from controlplane.services.sesv2.declaring import operation
from controlplane.services.sesv2.errors import BadRequestException, NotFoundException
from controlplane.services.sesv2.paging import shown_tags, tags


def _on(ctx: Context, request: Any) -> Resource:
    return Resource(request["ResourceArn"])


async def _named(ctx: Context, request: Any) -> tuple[str, str, dict[str, str]]:
    """Kind, name and tags of what an ARN names."""
    text = request["ResourceArn"]
    try:
        found = Arn.parse(text)
    except ValueError as error:
        raise BadRequestException(f"{text[:200]} is not an ARN.") from error
    kind, _, name = found.resource.partition("/")
    if text != arn("ses", ctx.region, ctx.account_id, found.resource):
        raise NotFoundException(f"Resource {text[:200]} does not exist.")
    if kind == "configuration-set":
        return kind, name, dict((await configuration_sets.find(ctx, name))["tags"])
    row = await identities.find(ctx, name) if kind == "identity" else None
    if row is None:
        raise NotFoundException(f"Resource {text[:200]} does not exist.")
    return kind, name, dict(row["tags"])


async def _keep(ctx: Context, kind: str, name: str, kept: dict[str, str]) -> None:
    if kind == "identity":
        await identities.set_tags(ctx, name, kept)
    else:
        await configuration_sets.set_tags(ctx, name, kept)


@operation("TagResource", on=_on)
async def tag_resource(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NotFoundException, BadRequestException."""
    kind, name, kept = await _named(ctx, request)
    await _keep(ctx, kind, name, {**kept, **tags(request["Tags"])})
    return {}


@operation("UntagResource", on=_on)
async def untag_resource(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NotFoundException, BadRequestException."""
    kind, name, kept = await _named(ctx, request)
    await _keep(ctx, kind, name, {key: value for key, value in kept.items() if key not in request["TagKeys"]})
    return {}


@operation("ListTagsForResource", on=_on)
async def list_tags_for_resource(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NotFoundException, BadRequestException."""
    _, _, kept = await _named(ctx, request)
    return {"Tags": shown_tags(kept)}

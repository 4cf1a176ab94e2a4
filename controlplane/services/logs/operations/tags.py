"""Tags of groups, by ARN and, as in older days, by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from controlplane.core import tags as core_tags
from controlplane.core.context import Context
from controlplane.core.operation import operation
from controlplane.services.logs import groups
from controlplane.services.logs.errors import (
    InvalidParameterException,
    ResourceNotFoundException,
    TooManyTagsException,
)

_SET = "UPDATE logs_groups SET tags = $2 WHERE id = $1"
_on_resource = groups.on_group("resourceArn", bare=True)


def _resource(ctx: Context) -> Any:
    row = ctx.resources[0].row
    if row is None:
        raise ResourceNotFoundException("The specified resource does not exist.")
    return row


async def _change(ctx: Context, row: Any, *, put: Mapping[str, str], drop: Iterable[str] = ()) -> None:
    row = await groups.locked(ctx, row["name"])
    core_tags.check(put, code=InvalidParameterException.code)
    gone = set(drop)
    tags = {key: value for key, value in (row["tags"] | dict(put)).items() if key not in gone}
    if len(tags) > core_tags.MAX_TAGS:
        raise TooManyTagsException(f"A log group has at most {core_tags.MAX_TAGS} tags.")
    await ctx.db.execute(_SET, row["id"], tags)


@operation("TagResource", on=_on_resource)
async def tag_resource(ctx: Context, request: Any) -> None:
    """Add tags. Raises ResourceNotFoundException, InvalidParameterException, TooManyTagsException."""
    await _change(ctx, _resource(ctx), put=request["tags"])


@operation("UntagResource", on=_on_resource)
async def untag_resource(ctx: Context, request: Any) -> None:
    """Take tags away. Raises ResourceNotFoundException."""
    await _change(ctx, _resource(ctx), put={}, drop=request["tagKeys"])


@operation("ListTagsForResource", on=_on_resource)
async def list_tags_for_resource(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourceNotFoundException."""
    return {"tags": dict(_resource(ctx)["tags"])}


@operation("TagLogGroup", on=groups.on_group())
async def tag_log_group(ctx: Context, request: Any) -> None:
    """Add tags. Raises ResourceNotFoundException, InvalidParameterException, TooManyTagsException."""
    await _change(ctx, groups.the_group(ctx), put=request["tags"])


@operation("UntagLogGroup", on=groups.on_group())
async def untag_log_group(ctx: Context, request: Any) -> None:
    """Take tags away. Raises ResourceNotFoundException."""
    await _change(ctx, groups.the_group(ctx), put={}, drop=request["tags"])


@operation("ListTagsLogGroup", on=groups.on_group())
async def list_tags_log_group(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourceNotFoundException."""
    return {"tags": dict(groups.the_group(ctx)["tags"])}

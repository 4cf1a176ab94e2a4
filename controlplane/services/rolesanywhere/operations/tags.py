"""Tags of all kinds of resources."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import operation
from controlplane.services.rolesanywhere import queries, resources


@operation("TagResource", on=resources.tagged)
async def tag_resource(ctx: Context, request: Any) -> dict[str, Any]:
    """Add tags. Raises ResourceNotFoundException, TooManyTagsException."""
    row = await resources.of_arn(ctx, request["resourceArn"])
    new = {tag["key"]: tag["value"] for tag in request["tags"]}
    await queries.set_tags(ctx, row["id"], resources.check_tags({**row["tags"], **new}))
    return {}


@operation("UntagResource", on=resources.tagged)
async def untag_resource(ctx: Context, request: Any) -> dict[str, Any]:
    """Remove tags. Raises ResourceNotFoundException."""
    row = await resources.of_arn(ctx, request["resourceArn"])
    left = {key: value for key, value in row["tags"].items() if key not in request["tagKeys"]}
    await queries.set_tags(ctx, row["id"], left)
    return {}


@operation("ListTagsForResource", on=resources.tagged)
async def list_tags_for_resource(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourceNotFoundException."""
    row = await resources.of_arn(ctx, request["resourceArn"])
    return {"tags": [{"key": key, "value": row["tags"][key]} for key in sorted(row["tags"])]}

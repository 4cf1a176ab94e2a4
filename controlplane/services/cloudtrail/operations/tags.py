"""Tags of trails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controlplane.core import tags as core_tags
from controlplane.core.context import Context
from controlplane.core.operation import Resource, operation
from controlplane.services.cloudtrail import queries, trails
from controlplane.services.cloudtrail.errors import (
    CloudTrailARNInvalidException,
    InvalidTagParameterException,
    ResourceNotFoundException,
    TagsLimitExceededException,
    TrailNotFoundException,
)

if TYPE_CHECKING:
    from types_boto3_cloudtrail.type_defs import AddTagsRequestTypeDef, ListTagsRequestTypeDef, RemoveTagsRequestTypeDef


def _listed(ctx: Context, request: Any) -> list[Resource]:
    return [trails.on_trail("Name")(ctx, {"Name": name}) for name in request.get("ResourceIdList") or [""]]


async def _tagged(ctx: Context, arn: str, *, change: bool) -> Any:
    if not arn.startswith("arn:"):
        raise CloudTrailARNInvalidException(f"The ARN is not valid: {arn}")
    try:
        return await trails.find(ctx, arn, change=change)
    except TrailNotFoundException as error:
        raise ResourceNotFoundException(error.message) from error


@operation("AddTags", on=trails.on_trail("ResourceId"))
async def add_tags(ctx: Context, request: AddTagsRequestTypeDef) -> None:
    """Set tags. Raises ResourceNotFoundException, InvalidTagParameterException, TagsLimitExceededException."""
    row = await _tagged(ctx, request["ResourceId"], change=True)
    tags = {**row["tags"], **core_tags.to_dict(request["TagsList"])}  # type: ignore[arg-type]
    if len(tags) > core_tags.MAX_TAGS:
        raise TagsLimitExceededException(f"A trail can have {core_tags.MAX_TAGS} tags at most.")
    core_tags.check(tags, code=InvalidTagParameterException.code)
    await queries.set_column(ctx, row, "tags", tags)


@operation("RemoveTags", on=trails.on_trail("ResourceId"))
async def remove_tags(ctx: Context, request: RemoveTagsRequestTypeDef) -> None:
    """Remove tags by their keys. Raises ResourceNotFoundException."""
    row = await _tagged(ctx, request["ResourceId"], change=True)
    gone = {tag["Key"] for tag in request["TagsList"]}
    await queries.set_column(ctx, row, "tags", {key: value for key, value in row["tags"].items() if key not in gone})


@operation("ListTags", on=_listed)
async def list_tags(ctx: Context, request: ListTagsRequestTypeDef) -> dict[str, Any]:
    """The tags of trails. Raises ResourceNotFoundException."""
    found = []
    for arn in request["ResourceIdList"]:
        row = await _tagged(ctx, arn, change=False)
        found.append({"ResourceId": arn, "TagsList": core_tags.to_list(row["tags"])})
    return {"ResourceTagList": found}

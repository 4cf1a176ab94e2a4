"""Tags of keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controlplane.core.context import Context
from controlplane.core.operation import operation
from controlplane.services.kms import keys, permissions, shapes
from controlplane.services.kms.queries import keys as queries

if TYPE_CHECKING:
    from types_boto3_kms.type_defs import (
        ListResourceTagsRequestTypeDef,
        TagResourceRequestTypeDef,
        UntagResourceRequestTypeDef,
    )

_PAGE = 50


async def _changeable(ctx: Context) -> keys.Key:
    key = await keys.fresh(ctx, permissions.key_of(ctx))
    return key.require_not("PendingDeletion", "PendingReplicaDeletion")


@operation("TagResource", on=permissions.on_key())
async def tag_resource(ctx: Context, request: TagResourceRequestTypeDef) -> None:
    """Set tags. Raises TagException, KMSInvalidStateException."""
    key = await _changeable(ctx)
    tags = shapes.tags_of(request["Tags"], key.tags)
    await queries.set_column(ctx.db, key.id, key.region, "tags", tags)


@operation("UntagResource", on=permissions.on_key())
async def untag_resource(ctx: Context, request: UntagResourceRequestTypeDef) -> None:
    """Remove tags. Raises KMSInvalidStateException."""
    key = await _changeable(ctx)
    tags = {name: value for name, value in key.tags.items() if name not in request["TagKeys"]}
    await queries.set_column(ctx.db, key.id, key.region, "tags", tags)


@operation("ListResourceTags", on=permissions.on_key())
async def list_resource_tags(ctx: Context, request: ListResourceTagsRequestTypeDef) -> dict[str, Any]:
    """A key's tags by their keys. Raises NotFoundException."""
    after, limit = shapes.asked(request, _PAGE, _PAGE)
    tags = [tag for tag in shapes.shown_tags(permissions.key_of(ctx).tags) if after is None or tag["TagKey"] > after]
    return shapes.page("Tags", tags, limit, dict, lambda tag: str(tag["TagKey"]))

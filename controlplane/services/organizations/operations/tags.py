"""Tags of roots, units, accounts, policies and the resource policy."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import operation
from controlplane.core.paging import decode_token, encode_token
from controlplane.core.tags import to_list
from controlplane.services.organizations import standing, tagging
from controlplane.services.organizations.errors import InvalidInputException, TargetNotFoundException
from controlplane.services.organizations.nouns import AWS_POLICIES
from controlplane.services.organizations.queries import policies, tree

_PAGE = 50
_DROP = "DELETE FROM organizations_tags WHERE organization_id = $1 AND resource_id = $2 AND key = ANY($3)"


async def _check(ctx: Context, organization: Any, id: str) -> None:
    """Raises TargetNotFound for what the organization does not hold."""
    if id in (organization["root_id"], organization["resource_policy_id"]):
        return
    found: Any
    if id.startswith("p-"):
        found = id not in AWS_POLICIES and await policies.one(ctx.db, organization["id"], id)
    elif id.startswith("ou-"):
        found = (await tree.units(ctx.db, organization["id"])).get(id)
    else:
        found = await tree.member(ctx.db, organization["id"], id)
    if not found:
        raise TargetNotFoundException


@operation("TagResource", on=standing.on("ResourceId"))
async def tag_resource(ctx: Context, request: Any) -> None:
    """Add tags. Raises TargetNotFound, InvalidInput, ConstraintViolation."""
    organization, id = await standing.governed(ctx), request["ResourceId"]
    await _check(ctx, organization, id)
    tags = tagging.requested(request)
    tagging.check_count(len({**(await tree.tags(ctx.db, organization["id"], [id]))[id], **tags}))
    await tree.put_tags(ctx.db, organization["id"], id, tags)


@operation("UntagResource", on=standing.on("ResourceId"))
async def untag_resource(ctx: Context, request: Any) -> None:
    """Remove tags; missing keys are fine. Raises TargetNotFound."""
    organization, id = await standing.governed(ctx), request["ResourceId"]
    await _check(ctx, organization, id)
    await ctx.db.execute(_DROP, organization["id"], id, request["TagKeys"])


@operation("ListTagsForResource", on=standing.on("ResourceId", reading=True))
async def list_tags_for_resource(ctx: Context, request: Any) -> dict[str, Any]:
    """Tags by key. Raises TargetNotFound."""
    organization, id = standing.readable(ctx), request["ResourceId"]
    await _check(ctx, organization, id)
    tags = to_list((await tree.tags(ctx.db, organization["id"], [id]))[id])
    if token := request.get("NextToken"):
        try:
            after = str(decode_token(token))
        except ValueError as error:
            raise InvalidInputException("INVALID_NEXT_TOKEN", "The provided NextToken is not valid.") from error
        tags = [tag for tag in tags if tag["Key"] > after]
    shown: dict[str, Any] = {"Tags": tags[:_PAGE]}
    return {**shown, "NextToken": encode_token(tags[_PAGE - 1]["Key"])} if len(tags) > _PAGE else shown

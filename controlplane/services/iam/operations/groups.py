"""Groups and their members."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controlplane.access.principals import announce
from controlplane.core.context import Context
from controlplane.core.ids import principal_id
from controlplane.core.operation import operation
from controlplane.services.iam import attachments, permissions, quotas, shapes
from controlplane.services.iam import identities as common
from controlplane.services.iam.errors import LimitExceeded, NoSuchEntity
from controlplane.services.iam.nouns import GROUP, USER
from controlplane.services.iam.queries import identities

if TYPE_CHECKING:
    from types_boto3_iam.type_defs import (
        AddUserToGroupRequestTypeDef,
        CreateGroupRequestTypeDef,
        DeleteGroupRequestTypeDef,
        GetGroupRequestTypeDef,
        ListGroupsForUserRequestTypeDef,
        ListGroupsRequestTypeDef,
        RemoveUserFromGroupRequestTypeDef,
        UpdateGroupRequestTypeDef,
    )

MAX_GROUPS = 10


@operation("CreateGroup", on=permissions.new(GROUP))
async def create_group(ctx: Context, request: CreateGroupRequestTypeDef) -> dict[str, Any]:
    """Make a group. Raises EntityAlreadyExists."""
    name, path = request["GroupName"], request.get("Path") or "/"
    await quotas.room_for_one(ctx, quotas.GROUPS)
    id = principal_id(GROUP.prefix)
    row = await identities.insert(ctx, id, ctx.account_id, GROUP.kind, name, path, None, {}, None, None, None)
    if row is None:
        raise GROUP.taken(name)
    return {"Group": shapes.group(row)}


@operation("GetGroup", on=permissions.named(GROUP))
async def get_group(ctx: Context, request: GetGroupRequestTypeDef) -> dict[str, Any]:
    """A group with its users. Raises NoSuchEntity."""
    row = await common.get(ctx, GROUP, request["GroupName"])
    after, limit = shapes.asked(request)
    members = await identities.members(ctx, row["id"], after, limit + 1)
    users = shapes.page("Users", members, limit, lambda item: shapes.user(item, details=False), shapes.by_name)
    return {"Group": shapes.group(row), **users}


@operation("ListGroups", on=permissions.every(GROUP))
async def list_groups(ctx: Context, request: ListGroupsRequestTypeDef) -> dict[str, Any]:
    """Groups by name."""
    after, limit = shapes.asked(request)
    rows = await identities.page(ctx, GROUP, request.get("PathPrefix") or "/", after, limit + 1)
    return shapes.page("Groups", rows, limit, shapes.group, shapes.by_name)


@operation("UpdateGroup", on=permissions.named(GROUP))
async def update_group(ctx: Context, request: UpdateGroupRequestTypeDef) -> None:
    """Rename or move a group. Raises NoSuchEntity, EntityAlreadyExists."""
    await common.rename(ctx, GROUP, request["GroupName"], request.get("NewGroupName"), request.get("NewPath"))


@operation("DeleteGroup", on=permissions.named(GROUP))
async def delete_group(ctx: Context, request: DeleteGroupRequestTypeDef) -> None:
    """Delete a group. Raises NoSuchEntity, DeleteConflict."""
    await common.delete(ctx, GROUP, request["GroupName"])


@operation("AddUserToGroup", on=permissions.named(GROUP))
async def add_user_to_group(ctx: Context, request: AddUserToGroupRequestTypeDef) -> None:
    """Put a user into a group; once more changes nothing. Raises NoSuchEntity, LimitExceeded."""
    group = await identities.lock(ctx, GROUP, request["GroupName"])
    user = await identities.lock(ctx, USER, request["UserName"])
    await identities.join(ctx, group["id"], user["id"])
    if await identities.group_count(ctx, user["id"]) > MAX_GROUPS:
        raise LimitExceeded(f"Cannot exceed quota for GroupsPerUser: {MAX_GROUPS}")
    await announce(ctx.db, ctx.account_id)


@operation("RemoveUserFromGroup", on=permissions.named(GROUP))
async def remove_user_from_group(ctx: Context, request: RemoveUserFromGroupRequestTypeDef) -> None:
    """Take a user out of a group. Raises NoSuchEntity."""
    await common.get(ctx, USER, request["UserName"])
    group = await identities.lock(ctx, GROUP, request["GroupName"])
    user = await identities.lock(ctx, USER, request["UserName"])
    if not await identities.leave(ctx, group["id"], user["id"]):
        raise NoSuchEntity(f"User {user['name']} is not in group {group['name']}.")
    await announce(ctx.db, ctx.account_id)


@operation("ListGroupsForUser", on=permissions.named(USER))
async def list_groups_for_user(ctx: Context, request: ListGroupsForUserRequestTypeDef) -> dict[str, Any]:
    """The groups of a user. Raises NoSuchEntity."""
    row = await common.get(ctx, USER, request["UserName"])
    after, limit = shapes.asked(request)
    rows = await identities.groups_of(ctx, row["id"], after, limit + 1)
    return shapes.page("Groups", rows, limit, shapes.group, shapes.by_name)


@operation("PutGroupPolicy", on=permissions.named(GROUP))
async def put_group_policy(ctx: Context, request: Any) -> None:
    """Write an inline policy. Raises MalformedPolicyDocument, LimitExceeded, NoSuchEntity."""
    await attachments.put_inline(ctx, GROUP, request)


@operation("GetGroupPolicy", on=permissions.named(GROUP))
async def get_group_policy(ctx: Context, request: Any) -> dict[str, Any]:
    """An inline policy. Raises NoSuchEntity."""
    return await attachments.get_inline(ctx, GROUP, request)


@operation("DeleteGroupPolicy", on=permissions.named(GROUP))
async def delete_group_policy(ctx: Context, request: Any) -> None:
    """Delete an inline policy. Raises NoSuchEntity."""
    await attachments.delete_inline(ctx, GROUP, request)


@operation("ListGroupPolicies", on=permissions.named(GROUP))
async def list_group_policies(ctx: Context, request: Any) -> dict[str, Any]:
    """Names of inline policies. Raises NoSuchEntity."""
    return await attachments.list_inline(ctx, GROUP, request)


@operation("AttachGroupPolicy", on=permissions.attaching(GROUP))
async def attach_group_policy(ctx: Context, request: Any) -> None:
    """Attach a managed policy. Raises NoSuchEntity, LimitExceeded."""
    await attachments.attach(ctx, GROUP, request)


@operation("DetachGroupPolicy", on=permissions.attaching(GROUP))
async def detach_group_policy(ctx: Context, request: Any) -> None:
    """Detach a managed policy. Raises NoSuchEntity."""
    await attachments.detach(ctx, GROUP, request)


@operation("ListAttachedGroupPolicies", on=permissions.named(GROUP))
async def list_attached_group_policies(ctx: Context, request: Any) -> dict[str, Any]:
    """Attached managed policies. Raises NoSuchEntity."""
    return await attachments.list_attached(ctx, GROUP, request)

"""Users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controlplane.access.principals import announce
from controlplane.access.queries import account
from controlplane.core.context import Context
from controlplane.core.ids import principal_id
from controlplane.core.operation import operation
from controlplane.services.iam import attachments, permissions, quotas, shapes
from controlplane.services.iam import identities as common
from controlplane.services.iam.nouns import USER
from controlplane.services.iam.queries import identities

if TYPE_CHECKING:
    from types_boto3_iam.type_defs import (
        CreateUserRequestTypeDef,
        DeleteUserRequestTypeDef,
        GetUserRequestTypeDef,
        ListUsersRequestTypeDef,
        UpdateUserRequestTypeDef,
    )


@operation("CreateUser", on=permissions.new(USER))
async def create_user(ctx: Context, request: CreateUserRequestTypeDef) -> dict[str, Any]:
    """Make a user. Raises EntityAlreadyExists."""
    name = request["UserName"]
    boundary = await common.check_boundary(ctx, request.get("PermissionsBoundary"))
    tags = common.new_tags(request.get("Tags"))
    path = request.get("Path") or "/"
    await quotas.room_for_one(ctx, quotas.USERS)
    id = principal_id(USER.prefix)
    row = await identities.insert(ctx, id, ctx.account_id, USER.kind, name, path, boundary, tags, None, None, None)
    if row is None:
        raise USER.taken(name)
    await announce(ctx.db, ctx.account_id)
    return {"User": shapes.user(row)}


@operation("GetUser", on=permissions.named(USER))
async def get_user(ctx: Context, request: GetUserRequestTypeDef) -> dict[str, Any]:
    """A user, or the caller itself when none is named. Raises NoSuchEntity."""
    name = request.get("UserName")
    if name is None and ctx.principal.is_root:
        return {"User": await _root(ctx)}
    row = await common.get(ctx, USER, common.name_or_own(ctx, name))
    return {"User": shapes.user(row)}


async def _root(ctx: Context) -> dict[str, Any]:
    """Root has no name of its own; as AWS shows the account's alias, we show the account's name."""
    row = await account(ctx.db, ctx.account_id)
    return {
        "Path": "/",
        "UserName": row["name"],
        "UserId": ctx.account_id,
        "Arn": ctx.principal.arn,
        "CreateDate": row["created_at"],
    }


@operation("ListUsers", on=permissions.every(USER))
async def list_users(ctx: Context, request: ListUsersRequestTypeDef) -> dict[str, Any]:
    """Users by name."""
    after, limit = shapes.asked(request)
    rows = await identities.page(ctx, USER, request.get("PathPrefix") or "/", after, limit + 1)
    return shapes.page("Users", rows, limit, lambda row: shapes.user(row, details=False), shapes.by_name)


@operation("UpdateUser", on=permissions.named(USER))
async def update_user(ctx: Context, request: UpdateUserRequestTypeDef) -> None:
    """Rename or move a user. Raises NoSuchEntity, EntityAlreadyExists."""
    await common.rename(ctx, USER, request["UserName"], request.get("NewUserName"), request.get("NewPath"))


@operation("DeleteUser", on=permissions.named(USER))
async def delete_user(ctx: Context, request: DeleteUserRequestTypeDef) -> None:
    """Delete a user. Raises NoSuchEntity, DeleteConflict."""
    await common.delete(ctx, USER, request["UserName"])


@operation("TagUser", on=permissions.named(USER))
async def tag_user(ctx: Context, request: Any) -> None:
    """Add tags. Raises NoSuchEntity, InvalidInput, LimitExceeded."""
    await common.tag(ctx, USER, request["UserName"], request["Tags"])


@operation("UntagUser", on=permissions.named(USER))
async def untag_user(ctx: Context, request: Any) -> None:
    """Remove tags. Raises NoSuchEntity."""
    await common.untag(ctx, USER, request["UserName"], request["TagKeys"])


@operation("ListUserTags", on=permissions.named(USER))
async def list_user_tags(ctx: Context, request: Any) -> dict[str, Any]:
    """The tags of a user. Raises NoSuchEntity."""
    row = await common.get(ctx, USER, request["UserName"])
    return shapes.tag_page(request, row["tags"])


@operation("PutUserPermissionsBoundary", on=permissions.bounding(USER))
async def put_user_permissions_boundary(ctx: Context, request: Any) -> None:
    """Set the boundary. Raises NoSuchEntity."""
    await common.set_boundary(ctx, USER, request["UserName"], request["PermissionsBoundary"])


@operation("DeleteUserPermissionsBoundary", on=permissions.bounding(USER))
async def delete_user_permissions_boundary(ctx: Context, request: Any) -> None:
    """Remove the boundary. Raises NoSuchEntity."""
    await common.set_boundary(ctx, USER, request["UserName"], None)


@operation("PutUserPolicy", on=permissions.named(USER))
async def put_user_policy(ctx: Context, request: Any) -> None:
    """Write an inline policy. Raises MalformedPolicyDocument, LimitExceeded, NoSuchEntity."""
    await attachments.put_inline(ctx, USER, request)


@operation("GetUserPolicy", on=permissions.named(USER))
async def get_user_policy(ctx: Context, request: Any) -> dict[str, Any]:
    """An inline policy. Raises NoSuchEntity."""
    return await attachments.get_inline(ctx, USER, request)


@operation("DeleteUserPolicy", on=permissions.named(USER))
async def delete_user_policy(ctx: Context, request: Any) -> None:
    """Delete an inline policy. Raises NoSuchEntity."""
    await attachments.delete_inline(ctx, USER, request)


@operation("ListUserPolicies", on=permissions.named(USER))
async def list_user_policies(ctx: Context, request: Any) -> dict[str, Any]:
    """Names of inline policies. Raises NoSuchEntity."""
    return await attachments.list_inline(ctx, USER, request)


@operation("AttachUserPolicy", on=permissions.attaching(USER))
async def attach_user_policy(ctx: Context, request: Any) -> None:
    """Attach a managed policy. Raises NoSuchEntity, LimitExceeded."""
    await attachments.attach(ctx, USER, request)


@operation("DetachUserPolicy", on=permissions.attaching(USER))
async def detach_user_policy(ctx: Context, request: Any) -> None:
    """Detach a managed policy. Raises NoSuchEntity."""
    await attachments.detach(ctx, USER, request)


@operation("ListAttachedUserPolicies", on=permissions.named(USER))
async def list_attached_user_policies(ctx: Context, request: Any) -> dict[str, Any]:
    """Attached managed policies. Raises NoSuchEntity."""
    return await attachments.list_attached(ctx, USER, request)

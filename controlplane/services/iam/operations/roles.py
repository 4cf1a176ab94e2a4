"""Roles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controlplane.access.principals import announce
from controlplane.core.context import Context
from controlplane.core.ids import principal_id
from controlplane.core.operation import operation
from controlplane.services.iam import attachments, documents, permissions, quotas, shapes
from controlplane.services.iam import identities as common
from controlplane.services.iam.errors import InvalidInput
from controlplane.services.iam.nouns import ROLE
from controlplane.services.iam.queries import identities

if TYPE_CHECKING:
    from types_boto3_iam.type_defs import (
        CreateRoleRequestTypeDef,
        DeleteRoleRequestTypeDef,
        GetRoleRequestTypeDef,
        ListRolesRequestTypeDef,
        UpdateAssumeRolePolicyRequestTypeDef,
        UpdateRoleRequestTypeDef,
    )

DEFAULT_SESSION = 3600


@operation("CreateRole", on=permissions.new(ROLE))
async def create_role(ctx: Context, request: CreateRoleRequestTypeDef) -> dict[str, Any]:
    """Make a role. Raises EntityAlreadyExists, MalformedPolicyDocument, InvalidInput."""
    name, document = request["RoleName"], request["AssumeRolePolicyDocument"]
    if (request.get("Path") or "/").startswith(common.RESERVED):
        raise InvalidInput(f"The path {request['Path']} is reserved for roles of AWS services.")
    kept = await documents.check_trust(ctx, document)
    boundary = await common.check_boundary(ctx, request.get("PermissionsBoundary"))
    await quotas.room_for_one(ctx, quotas.ROLES)
    row = await identities.insert(
        ctx,
        principal_id(ROLE.prefix),
        ctx.account_id,
        ROLE.kind,
        name,
        request.get("Path") or "/",
        boundary,
        common.new_tags(request.get("Tags")),
        kept,
        request.get("Description"),
        request.get("MaxSessionDuration") or DEFAULT_SESSION,
    )
    if row is None:
        raise ROLE.taken(name)
    await announce(ctx.db, ctx.account_id)
    shown = shapes.role({**row, "trust_policy": document})
    del shown["RoleLastUsed"], shown["MaxSessionDuration"]
    return {"Role": shown}


@operation("GetRole", on=permissions.named(ROLE))
async def get_role(ctx: Context, request: GetRoleRequestTypeDef) -> dict[str, Any]:
    """A role. Raises NoSuchEntity."""
    [row] = await documents.with_names(ctx, [await common.get(ctx, ROLE, request["RoleName"])])
    return {"Role": shapes.role(row)}


@operation("ListRoles", on=permissions.every(ROLE))
async def list_roles(ctx: Context, request: ListRolesRequestTypeDef) -> dict[str, Any]:
    """Roles by name."""
    after, limit = shapes.asked(request)
    rows = await identities.page(ctx, ROLE, request.get("PathPrefix") or "/", after, limit + 1)
    rows = await documents.with_names(ctx, rows)
    return shapes.page("Roles", rows, limit, lambda row: shapes.role(row, details=False), shapes.by_name)


@operation("UpdateRole", on=permissions.named(ROLE))
async def update_role(ctx: Context, request: UpdateRoleRequestTypeDef) -> dict[str, Any]:
    """Set description and longest session; what is not given goes back to its default. Raises NoSuchEntity."""
    row = await identities.lock(ctx, ROLE, request["RoleName"])
    seconds = request.get("MaxSessionDuration") or DEFAULT_SESSION
    await identities.set_role(ctx, row["id"], request.get("Description"), seconds)
    return {}


@operation("UpdateRoleDescription", on=permissions.named(ROLE))
async def update_role_description(ctx: Context, request: Any) -> dict[str, Any]:
    """Set the description. Raises NoSuchEntity."""
    row = await identities.lock(ctx, ROLE, request["RoleName"])
    await identities.set_role(ctx, row["id"], request["Description"], row["max_session_seconds"])
    [row] = await documents.with_names(ctx, [row])
    return {"Role": shapes.role({**row, "description": request["Description"]})}


@operation("UpdateAssumeRolePolicy", on=permissions.named(ROLE))
async def update_assume_role_policy(ctx: Context, request: UpdateAssumeRolePolicyRequestTypeDef) -> None:
    """Replace the trust policy. Raises NoSuchEntity, MalformedPolicyDocument."""
    row = await common.lock(ctx, ROLE, request["RoleName"])
    kept = await documents.check_trust(ctx, request["PolicyDocument"])
    await identities.set_trust(ctx, row["id"], kept)
    await announce(ctx.db, ctx.account_id)


@operation("DeleteRole", on=permissions.named(ROLE))
async def delete_role(ctx: Context, request: DeleteRoleRequestTypeDef) -> None:
    """Delete a role; its sessions end with it. Raises NoSuchEntity, DeleteConflict."""
    await common.delete(ctx, ROLE, request["RoleName"])


@operation("TagRole", on=permissions.named(ROLE))
async def tag_role(ctx: Context, request: Any) -> None:
    """Add tags. Raises NoSuchEntity, InvalidInput, LimitExceeded."""
    await common.tag(ctx, ROLE, request["RoleName"], request["Tags"])


@operation("UntagRole", on=permissions.named(ROLE))
async def untag_role(ctx: Context, request: Any) -> None:
    """Remove tags. Raises NoSuchEntity."""
    await common.untag(ctx, ROLE, request["RoleName"], request["TagKeys"])


@operation("ListRoleTags", on=permissions.named(ROLE))
async def list_role_tags(ctx: Context, request: Any) -> dict[str, Any]:
    """The tags of a role. Raises NoSuchEntity."""
    row = await common.get(ctx, ROLE, request["RoleName"])
    return shapes.tag_page(request, row["tags"])


@operation("PutRolePermissionsBoundary", on=permissions.bounding(ROLE))
async def put_role_permissions_boundary(ctx: Context, request: Any) -> None:
    """Set the boundary. Raises NoSuchEntity."""
    await common.set_boundary(ctx, ROLE, request["RoleName"], request["PermissionsBoundary"])


@operation("DeleteRolePermissionsBoundary", on=permissions.bounding(ROLE))
async def delete_role_permissions_boundary(ctx: Context, request: Any) -> None:
    """Remove the boundary. Raises NoSuchEntity."""
    await common.set_boundary(ctx, ROLE, request["RoleName"], None)


@operation("PutRolePolicy", on=permissions.named(ROLE))
async def put_role_policy(ctx: Context, request: Any) -> None:
    """Write an inline policy. Raises MalformedPolicyDocument, LimitExceeded, NoSuchEntity."""
    await attachments.put_inline(ctx, ROLE, request)


@operation("GetRolePolicy", on=permissions.named(ROLE))
async def get_role_policy(ctx: Context, request: Any) -> dict[str, Any]:
    """An inline policy. Raises NoSuchEntity."""
    return await attachments.get_inline(ctx, ROLE, request)


@operation("DeleteRolePolicy", on=permissions.named(ROLE))
async def delete_role_policy(ctx: Context, request: Any) -> None:
    """Delete an inline policy. Raises NoSuchEntity."""
    await attachments.delete_inline(ctx, ROLE, request)


@operation("ListRolePolicies", on=permissions.named(ROLE))
async def list_role_policies(ctx: Context, request: Any) -> dict[str, Any]:
    """Names of inline policies. Raises NoSuchEntity."""
    return await attachments.list_inline(ctx, ROLE, request)


@operation("AttachRolePolicy", on=permissions.attaching(ROLE))
async def attach_role_policy(ctx: Context, request: Any) -> None:
    """Attach a managed policy. Raises NoSuchEntity, LimitExceeded."""
    await attachments.attach(ctx, ROLE, request)


@operation("DetachRolePolicy", on=permissions.attaching(ROLE))
async def detach_role_policy(ctx: Context, request: Any) -> None:
    """Detach a managed policy. Raises NoSuchEntity."""
    await attachments.detach(ctx, ROLE, request)


@operation("ListAttachedRolePolicies", on=permissions.named(ROLE))
async def list_attached_role_policies(ctx: Context, request: Any) -> dict[str, Any]:
    """Attached managed policies. Raises NoSuchEntity."""
    return await attachments.list_attached(ctx, ROLE, request)

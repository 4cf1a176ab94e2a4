"""Instance profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controlplane.core.context import Context
from controlplane.core.ids import principal_id
from controlplane.core.operation import Resource, operation
from controlplane.services.iam import documents, permissions, quotas, shapes
from controlplane.services.iam import identities as common
from controlplane.services.iam.errors import DeleteConflict, LimitExceeded, NoSuchEntity
from controlplane.services.iam.nouns import PROFILE, ROLE
from controlplane.services.iam.queries import identities, profiles

if TYPE_CHECKING:
    from types_boto3_iam.type_defs import (
        AddRoleToInstanceProfileRequestTypeDef,
        CreateInstanceProfileRequestTypeDef,
        DeleteInstanceProfileRequestTypeDef,
        GetInstanceProfileRequestTypeDef,
        ListInstanceProfilesForRoleRequestTypeDef,
        ListInstanceProfilesRequestTypeDef,
        RemoveRoleFromInstanceProfileRequestTypeDef,
    )

EC2 = "ec2.amazonaws.com"
_TRUST = "role_trust_policy"


@operation("CreateInstanceProfile", on=permissions.new(PROFILE))
async def create_instance_profile(ctx: Context, request: CreateInstanceProfileRequestTypeDef) -> dict[str, Any]:
    """Make an instance profile. Raises EntityAlreadyExists."""
    name, path = request["InstanceProfileName"], request.get("Path") or "/"
    tags = common.new_tags(request.get("Tags"))
    await quotas.room_for_one(ctx, quotas.PROFILES)
    if not await profiles.insert(ctx, principal_id(PROFILE.prefix), ctx.account_id, name, path, tags):
        raise PROFILE.taken(name)
    return {"InstanceProfile": shapes.profile(await profiles.find(ctx, name), tags=bool(tags))}


async def _find(ctx: Context, name: str) -> Any:
    row = await profiles.find(ctx, name)
    if row is None:
        raise PROFILE.missing(name)
    return row


async def _lock(ctx: Context, name: str) -> Any:
    await profiles.lock(ctx, name)
    return await _find(ctx, name)


@operation("GetInstanceProfile", on=permissions.named(PROFILE))
async def get_instance_profile(ctx: Context, request: GetInstanceProfileRequestTypeDef) -> dict[str, Any]:
    """An instance profile with its role. Raises NoSuchEntity."""
    row = await _find(ctx, request["InstanceProfileName"])
    [shown] = await documents.with_names(ctx, [row], _TRUST)
    return {"InstanceProfile": shapes.profile(shown, tags=True)}


@operation("ListInstanceProfiles", on=permissions.every(PROFILE))
async def list_instance_profiles(ctx: Context, request: ListInstanceProfilesRequestTypeDef) -> dict[str, Any]:
    """Instance profiles by name."""
    after, limit = shapes.asked(request)
    rows = await profiles.page(ctx, request.get("PathPrefix") or "/", None, after, limit + 1)
    rows = await documents.with_names(ctx, rows, _TRUST)
    return shapes.page("InstanceProfiles", rows, limit, shapes.profile, shapes.by_name)


@operation("ListInstanceProfilesForRole", on=permissions.named(ROLE))
async def list_instance_profiles_for_role(
    ctx: Context, request: ListInstanceProfilesForRoleRequestTypeDef
) -> dict[str, Any]:
    """The instance profiles that hold a role. Raises NoSuchEntity."""
    role = await common.get(ctx, ROLE, request["RoleName"])
    after, limit = shapes.asked(request)
    rows = await profiles.page(ctx, "/", role["id"], after, limit + 1)
    rows = await documents.with_names(ctx, rows, _TRUST)
    return shapes.page("InstanceProfiles", rows, limit, shapes.profile, shapes.by_name)


@operation("AddRoleToInstanceProfile", on=permissions.named(PROFILE))
async def add_role_to_instance_profile(ctx: Context, request: AddRoleToInstanceProfileRequestTypeDef) -> None:
    """Put the one role into a profile. Raises NoSuchEntity, LimitExceeded."""
    row = await _lock(ctx, request["InstanceProfileName"])
    role = await identities.lock(ctx, ROLE, request["RoleName"])
    if row["role_id"]:
        raise LimitExceeded("Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
    await ctx.authorize("iam:PassRole", _passed(role))
    await profiles.set_role(ctx, row["id"], role["id"])


def _passed(role: Any) -> Resource:
    return Resource(ROLE.arn_of(role), role["tags"], conditions={"iam:PassedToService": EC2})


@operation("RemoveRoleFromInstanceProfile", on=permissions.named(PROFILE))
async def remove_role_from_instance_profile(ctx: Context, request: RemoveRoleFromInstanceProfileRequestTypeDef) -> None:
    """Take the role out of a profile. Raises NoSuchEntity."""
    row = await _lock(ctx, request["InstanceProfileName"])
    role = await common.get(ctx, ROLE, request["RoleName"])
    if row["role_id"] != role["id"]:
        raise NoSuchEntity(f"The role with name {role['name']} cannot be found.")
    await profiles.set_role(ctx, row["id"], None)


@operation("DeleteInstanceProfile", on=permissions.named(PROFILE))
async def delete_instance_profile(ctx: Context, request: DeleteInstanceProfileRequestTypeDef) -> None:
    """Delete a profile that holds no role. Raises NoSuchEntity, DeleteConflict."""
    row = await _lock(ctx, request["InstanceProfileName"])
    if row["role_id"]:
        raise DeleteConflict("Cannot delete entity, must remove roles from instance profile first.")
    await profiles.delete(ctx, row["id"])


@operation("TagInstanceProfile", on=permissions.named(PROFILE))
async def tag_instance_profile(ctx: Context, request: Any) -> None:
    """Add tags. Raises NoSuchEntity, InvalidInput, LimitExceeded."""
    row = await _lock(ctx, request["InstanceProfileName"])
    await profiles.set_tags(ctx, row["id"], common.merged(dict(row["tags"]), common.new_tags(request["Tags"])))


@operation("UntagInstanceProfile", on=permissions.named(PROFILE))
async def untag_instance_profile(ctx: Context, request: Any) -> None:
    """Remove tags. Raises NoSuchEntity."""
    row = await _lock(ctx, request["InstanceProfileName"])
    await profiles.set_tags(ctx, row["id"], common.without(dict(row["tags"]), request["TagKeys"]))


@operation("ListInstanceProfileTags", on=permissions.named(PROFILE))
async def list_instance_profile_tags(ctx: Context, request: Any) -> dict[str, Any]:
    """The tags of a profile. Raises NoSuchEntity."""
    row = await _find(ctx, request["InstanceProfileName"])
    return shapes.tag_page(request, row["tags"])

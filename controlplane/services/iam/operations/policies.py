"""Managed policies and their versions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from controlplane.access.principals import announce
from controlplane.core.context import Context
from controlplane.core.ids import principal_id
from controlplane.core.operation import operation
from controlplane.services.iam import documents, permissions, quotas, shapes
from controlplane.services.iam import identities as common
from controlplane.services.iam.errors import (
    AccessDenied,
    DeleteConflict,
    EntityAlreadyExists,
    InvalidInput,
    LimitExceeded,
    NoSuchEntity,
    ValidationError,
)
from controlplane.services.iam.nouns import POLICY
from controlplane.services.iam.queries import policies

if TYPE_CHECKING:
    from types_boto3_iam.type_defs import (
        CreatePolicyRequestTypeDef,
        CreatePolicyVersionRequestTypeDef,
        DeletePolicyRequestTypeDef,
        DeletePolicyVersionRequestTypeDef,
        GetPolicyRequestTypeDef,
        GetPolicyVersionRequestTypeDef,
        ListEntitiesForPolicyRequestTypeDef,
        ListPoliciesRequestTypeDef,
        ListPolicyVersionsRequestTypeDef,
        SetDefaultPolicyVersionRequestTypeDef,
    )

MAX_VERSIONS = 5
_MEMBERS = {
    "user": ("PolicyUsers", "UserName", "UserId"),
    "group": ("PolicyGroups", "GroupName", "GroupId"),
    "role": ("PolicyRoles", "RoleName", "RoleId"),
}
_KINDS = {"User": "user", "Group": "group", "Role": "role"}


@operation("CreatePolicy", on=permissions.new(POLICY))
async def create_policy(ctx: Context, request: CreatePolicyRequestTypeDef) -> dict[str, Any]:
    """Make a managed policy. Raises EntityAlreadyExists, MalformedPolicyDocument, LimitExceeded."""
    name, path, document = request["PolicyName"], request.get("Path") or "/", request["PolicyDocument"]
    documents.check_managed(document)
    tags = _new_tags(request.get("Tags"))
    await quotas.room_for_one(ctx, quotas.POLICIES)
    arn, id = POLICY.arn(ctx.account_id, path, name), principal_id(POLICY.prefix)
    if not await policies.insert(ctx, arn, id, ctx.account_id, name, path, request.get("Description"), tags):
        raise EntityAlreadyExists(f"A policy called {name} already exists. Duplicate names are not allowed.")
    await policies.insert_version(ctx, arn, 1, document)
    shown = shapes.policy(await policies.find(ctx, arn), details=False)
    return {"Policy": {**shown, "Tags": request["Tags"]} if tags else shown}


def _new_tags(given: Any) -> dict[str, str]:
    """Tags of policies, whose keys differ by case. Raises InvalidInput, LimitExceeded."""
    if len({tag["Key"] for tag in given or ()}) != len(given or ()):
        raise InvalidInput("Duplicate tag keys found.")
    return common.new_tags(given, fold=False)


async def _find(ctx: Context, arn: str) -> Any:
    if not shapes.is_policy_arn(arn):
        raise ValidationError(f"ARN {arn} is not valid.")
    row = await policies.find(ctx, arn)
    if row is None:
        raise NoSuchEntity(f"Policy {arn} was not found.")
    return row


async def _lock(ctx: Context, arn: str, doing: str = "update policies") -> Any:
    """A policy that may be changed, held until the commit. Raises NoSuchEntity, AccessDenied for AWS's own."""
    row = await _find(ctx, arn)
    if row["account_id"] is None:
        raise AccessDenied(f"Cannot {doing} outside your own account.")
    if not await policies.lock(ctx, arn):
        raise NoSuchEntity(f"Policy {arn} was not found.")
    return await policies.find(ctx, arn)


@operation("GetPolicy", on=permissions.policy)
async def get_policy(ctx: Context, request: GetPolicyRequestTypeDef) -> dict[str, Any]:
    """A managed policy, without its document. Raises NoSuchEntity."""
    return {"Policy": shapes.policy(await _find(ctx, request["PolicyArn"]))}


@operation("ListPolicies", on=permissions.every(POLICY))
async def list_policies(ctx: Context, request: ListPoliciesRequestTypeDef) -> dict[str, Any]:
    """Managed policies of this account, of AWS or both; all, the attached, or those that are boundaries."""
    after, limit = shapes.asked(request)
    scope, usage = request.get("Scope") or "All", request.get("PolicyUsageFilter")
    prefix = request.get("PathPrefix") or "/"
    rows: list[Any] = []
    while True:
        found = await policies.page(ctx, scope != "AWS", scope != "Local", prefix, after, limit + 1)
        rows += [row for row in found if _is_wanted(row, bool(request.get("OnlyAttached")), usage)]
        if len(rows) > limit or len(found) <= limit:
            break
        after = found[-1]["arn"]
    return shapes.page(
        "Policies", rows, limit, lambda row: shapes.policy(row, details=False), lambda row: str(row["arn"])
    )


def _is_wanted(row: Any, only_attached: bool, usage: str | None) -> bool:
    if only_attached and not (row["attachments"] or row["boundaries"]):
        return False
    counted = {"PermissionsPolicy": row["attachments"], "PermissionsBoundary": row["boundaries"]}
    return usage is None or bool(counted[usage])


@operation("DeletePolicy", on=permissions.policy)
async def delete_policy(ctx: Context, request: DeletePolicyRequestTypeDef) -> None:
    """Delete a policy that nothing uses and that has one version. Raises NoSuchEntity, DeleteConflict."""
    row = await _lock(ctx, request["PolicyArn"], "delete policies")
    if row["attachments"] or row["boundaries"]:
        raise DeleteConflict("Cannot delete a policy attached to entities.")
    if await policies.version_count(ctx, row["arn"]) > 1:
        raise DeleteConflict(
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. "
            "The default version is deleted with the policy."
        )
    await policies.delete(ctx, row["arn"])
    await announce(ctx.db, ctx.account_id)


@operation("CreatePolicyVersion", on=permissions.policy)
async def create_policy_version(ctx: Context, request: CreatePolicyVersionRequestTypeDef) -> dict[str, Any]:
    """Add a version. Raises NoSuchEntity, MalformedPolicyDocument, LimitExceeded."""
    row = await _lock(ctx, request["PolicyArn"])
    documents.check_managed(request["PolicyDocument"])
    arn = row["arn"]
    if await policies.version_count(ctx, arn) >= MAX_VERSIONS:
        raise LimitExceeded(
            f"A managed policy can have up to {MAX_VERSIONS} versions. Before you create a new version, you must "
            "delete an existing version."
        )
    number = row["last_version"] + 1
    created = await policies.insert_version(ctx, arn, number, request["PolicyDocument"])
    await policies.set_last(ctx, arn, number)
    default = bool(request.get("SetAsDefault"))
    if default:
        await policies.set_default(ctx, arn, number)
        await announce(ctx.db, ctx.account_id)
    return {"PolicyVersion": {"VersionId": f"v{number}", "IsDefaultVersion": default, "CreateDate": created}}


def _number(version: str) -> int:
    return int(found[1]) if (found := re.fullmatch(r"v([1-9]\d{0,8})(\..*)?", version)) else 0


def _no_version(arn: str, version: str) -> NoSuchEntity:
    return NoSuchEntity(f"Policy {arn} version {version} does not exist or is not attachable.")


@operation("GetPolicyVersion", on=permissions.policy)
async def get_policy_version(ctx: Context, request: GetPolicyVersionRequestTypeDef) -> dict[str, Any]:
    """A version with its document. Raises NoSuchEntity."""
    arn = request["PolicyArn"]
    row = await policies.find(ctx, arn)
    found = await policies.version(ctx, arn, _number(request["VersionId"])) if row is not None else None
    if found is None:
        raise _no_version(arn, request["VersionId"])
    return {"PolicyVersion": shapes.policy_version(found, row["default_version"])}


@operation("ListPolicyVersions", on=permissions.policy)
async def list_policy_versions(ctx: Context, request: ListPolicyVersionsRequestTypeDef) -> dict[str, Any]:
    """Versions, newest first. Raises NoSuchEntity."""
    row = await _find(ctx, request["PolicyArn"])
    after, limit = shapes.asked(request)
    before = int(after) if after and after.isdecimal() else None
    rows = await policies.versions(ctx, row["arn"], before, limit + 1)
    return shapes.page(
        "Versions",
        rows,
        limit,
        lambda item: shapes.policy_version(item, row["default_version"], document=False),
        lambda item: str(item["version"]),
    )


@operation("SetDefaultPolicyVersion", on=permissions.policy)
async def set_default_policy_version(ctx: Context, request: SetDefaultPolicyVersionRequestTypeDef) -> None:
    """Make another version the one that counts. Raises NoSuchEntity."""
    if await policies.find(ctx, request["PolicyArn"]) is None:
        raise _no_version(request["PolicyArn"], request["VersionId"])
    row = await _lock(ctx, request["PolicyArn"])
    number = _number(request["VersionId"])
    if await policies.version(ctx, row["arn"], number) is None:
        raise _no_version(row["arn"], request["VersionId"])
    await policies.set_default(ctx, row["arn"], number)
    await announce(ctx.db, ctx.account_id)


@operation("DeletePolicyVersion", on=permissions.policy)
async def delete_policy_version(ctx: Context, request: DeletePolicyVersionRequestTypeDef) -> None:
    """Delete a version that is not the default. Raises NoSuchEntity, DeleteConflict."""
    row = await _lock(ctx, request["PolicyArn"], "delete policy versions for policies")
    number = _number(request["VersionId"])
    if number == row["default_version"]:
        raise DeleteConflict("Cannot delete the default version of a policy.")
    if not await policies.delete_version(ctx, row["arn"], number):
        raise _no_version(row["arn"], request["VersionId"])


@operation("ListEntitiesForPolicy", on=permissions.policy)
async def list_entities_for_policy(ctx: Context, request: ListEntitiesForPolicyRequestTypeDef) -> dict[str, Any]:
    """Who has a policy attached or as boundary. Raises NoSuchEntity."""
    row = await policies.find(ctx, request["PolicyArn"])
    if row is None:
        raise NoSuchEntity(f"Policy {request['PolicyArn']} does not exist or is not attachable.")
    after, limit = shapes.asked(request)
    usage, wanted = request.get("PolicyUsageFilter"), request.get("EntityFilter")
    if wanted in ("LocalManagedPolicy", "AWSManagedPolicy"):
        return {"PolicyGroups": [], "PolicyUsers": [], "PolicyRoles": [], "IsTruncated": False}
    rows = await policies.entities(
        ctx,
        row["arn"],
        _KINDS.get(wanted or ""),
        request.get("PathPrefix") or "/",
        usage != "PermissionsBoundary",
        usage != "PermissionsPolicy",
        after,
        limit + 1,
    )
    found = shapes.page("Entities", rows, limit, lambda item: item, lambda item: str(item["id"]))
    shown: dict[str, Any] = {member: [] for member, _, _ in _MEMBERS.values()}
    for item in found.pop("Entities"):
        member, name, id = _MEMBERS[item["kind"]]
        shown[member].append({name: item["name"], id: item["id"]})
    return {**shown, **found}


@operation("TagPolicy", on=permissions.policy)
async def tag_policy(ctx: Context, request: Any) -> None:
    """Add tags. Raises NoSuchEntity, InvalidInput, LimitExceeded."""
    row = await _lock(ctx, request["PolicyArn"])
    await policies.set_tags(ctx, row["arn"], {**row["tags"], **_new_tags(request["Tags"])})


@operation("UntagPolicy", on=permissions.policy)
async def untag_policy(ctx: Context, request: Any) -> None:
    """Remove tags. Raises NoSuchEntity."""
    row = await _lock(ctx, request["PolicyArn"])
    await policies.set_tags(ctx, row["arn"], {k: v for k, v in row["tags"].items() if k not in request["TagKeys"]})


@operation("ListPolicyTags", on=permissions.policy)
async def list_policy_tags(ctx: Context, request: Any) -> dict[str, Any]:
    """The tags of a policy. Raises NoSuchEntity."""
    row = await _find(ctx, request["PolicyArn"])
    return shapes.tag_page(request, row["tags"])

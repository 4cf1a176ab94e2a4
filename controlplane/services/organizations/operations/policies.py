"""Policies and their attachments."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import operation
from controlplane.services.organizations import contents, levels, nouns, shapes, standing, tagging
from controlplane.services.organizations.errors import (
    AccessDeniedException,
    ConstraintViolationException,
    DuplicatePolicyAttachmentException,
    DuplicatePolicyException,
    InvalidInputException,
    PolicyInUseException,
    PolicyNotAttachedException,
    PolicyNotFoundException,
    PolicyTypeNotAvailableForOrganizationException,
    PolicyTypeNotEnabledException,
    TargetNotFoundException,
)
from controlplane.services.organizations.queries import policies, tree

MAX_POLICIES = 1000

_INSERT = """
INSERT INTO organizations_policies (id, organization_id, type, name, description, content)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING *
"""
_UPDATE = """
UPDATE organizations_policies SET name = $2, description = $3, content = $4, updated_at = now()
WHERE id = $1 RETURNING *
"""
_NAMESAKE = """
SELECT true FROM organizations_policies WHERE organization_id = $1 AND type = $2 AND name = $3 AND id <> $4
"""


async def _policy(ctx: Context, organization: Any, id: str) -> Any:
    row = await policies.one(ctx.db, organization["id"], id)
    if row is None:
        raise PolicyNotFoundException
    return row


async def _own_policy(ctx: Context, organization: Any, id: str) -> Any:
    """A policy that may be changed. Raises PolicyNotFound, InvalidInput for AWS's own."""
    row = await _policy(ctx, organization, id)
    if row["id"] in nouns.AWS_POLICIES:
        raise InvalidInputException("IMMUTABLE_POLICY", "You specified a policy that is managed by AWS.")
    return row


@operation("CreatePolicy", on=standing.on(new="policy"))
async def create_policy(ctx: Context, request: Any) -> dict[str, Any]:
    """Make a policy. Raises MalformedPolicyDocument, DuplicatePolicy, ConstraintViolation."""
    organization, type = await standing.governed(ctx), request["Type"]
    if type not in nouns.POLICY_TYPES:
        raise InvalidInputException("INVALID_ENUM_POLICY_TYPE", "You specified an invalid value.")
    if organization["feature_set"] != "ALL":
        raise PolicyTypeNotAvailableForOrganizationException
    contents.check(type, request["Content"])
    tags = tagging.requested(request)
    if len(await policies.of_type(ctx.db, organization["id"], type)) > MAX_POLICIES:
        raise ConstraintViolationException("POLICY_NUMBER_LIMIT_EXCEEDED", "You have exceeded the number of policies.")
    row = await ctx.db.fetchrow(
        _INSERT,
        nouns.new_id("p", 10),
        organization["id"],
        type,
        request["Name"],
        request["Description"],
        request["Content"],
    )
    if row is None:
        raise DuplicatePolicyException
    await tree.put_tags(ctx.db, organization["id"], row["id"], tags)
    return {"Policy": shapes.policy(row, organization)}


@operation("DescribePolicy", on=standing.on("PolicyId", reading=True))
async def describe_policy(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises PolicyNotFound."""
    organization = standing.readable(ctx)
    return {"Policy": shapes.policy(await _policy(ctx, organization, request["PolicyId"]), organization)}


@operation("UpdatePolicy", on=standing.on("PolicyId"))
async def update_policy(ctx: Context, request: Any) -> dict[str, Any]:
    """Change a policy; a new content holds at once. Raises PolicyNotFound, MalformedPolicyDocument, DuplicatePolicy."""
    organization = await standing.governed(ctx)
    row = await _own_policy(ctx, organization, request["PolicyId"])
    name, content = request.get("Name") or row["name"], request.get("Content") or row["content"]
    contents.check(row["type"], content)
    if await ctx.db.fetchval(_NAMESAKE, organization["id"], row["type"], name, row["id"]):
        raise DuplicatePolicyException
    description = request.get("Description", row["description"])
    changed = await ctx.db.fetchrow(_UPDATE, row["id"], name, description, content)
    await levels.refresh(ctx.db, organization["id"])
    return {"Policy": shapes.policy(changed, organization)}


@operation("DeletePolicy", on=standing.on("PolicyId"))
async def delete_policy(ctx: Context, request: Any) -> None:
    """Delete a policy that is attached nowhere. Raises PolicyNotFound, PolicyInUse."""
    organization = await standing.governed(ctx)
    row = await _own_policy(ctx, organization, request["PolicyId"])
    if await policies.targets(ctx.db, organization["id"], row["id"]):
        raise PolicyInUseException
    await ctx.db.execute("DELETE FROM organizations_policies WHERE id = $1", row["id"])
    await tree.forget_resource(ctx.db, organization["id"], row["id"])


@operation("ListPolicies", on=standing.on(reading=True))
async def list_policies(ctx: Context, request: Any) -> dict[str, Any]:
    """Policies of a type, AWS's own included."""
    organization = standing.readable(ctx)
    rows = await policies.of_type(ctx.db, organization["id"], request["Filter"])
    return _page(request, organization, list(rows.values()))


def _page(request: Any, organization: Any, rows: list[Any]) -> dict[str, Any]:
    return shapes.page(
        request, "Policies", rows, lambda row: str(row["id"]), lambda row: shapes.policy_summary(row, organization)
    )


async def _check_target(ctx: Context, organization: Any, id: str) -> str:
    """The name of a root, a unit or an account. Raises TargetNotFound."""
    if id == organization["root_id"]:
        return "Root"
    unit = (await tree.units(ctx.db, organization["id"])).get(id)
    row = unit if unit is not None else await tree.member(ctx.db, organization["id"], id)
    if row is None:
        raise TargetNotFoundException
    return str(row["name"])


@operation("AttachPolicy", on=standing.on("PolicyId", "TargetId"))
async def attach_policy(ctx: Context, request: Any) -> None:
    """Attach a policy; it holds at once. Raises PolicyNotFound, TargetNotFound, DuplicatePolicyAttachment,
    PolicyTypeNotEnabled, ConstraintViolation."""
    organization, target = await standing.governed(ctx), request["TargetId"]
    row = await _policy(ctx, organization, request["PolicyId"])
    await _check_target(ctx, organization, target)
    type = row["type"]
    if type not in organization["policy_types"]:
        raise PolicyTypeNotEnabledException
    attached = await policies.on_target(ctx.db, organization["id"], target, type)
    if row["id"] in attached:
        raise DuplicatePolicyAttachmentException
    if len(attached) >= nouns.POLICY_TYPES[type].most:
        raise ConstraintViolationException(
            "MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
            "You have attached the maximum number of policies to the specified target.",
        )
    await policies.attach(ctx.db, organization["id"], target, row["id"], type)
    await levels.refresh(ctx.db, organization["id"])


@operation("DetachPolicy", on=standing.on("PolicyId", "TargetId"))
async def detach_policy(ctx: Context, request: Any) -> None:
    """Detach a policy. Raises PolicyNotFound, TargetNotFound, PolicyNotAttached, ConstraintViolation."""
    organization, target = await standing.governed(ctx), request["TargetId"]
    row = await _policy(ctx, organization, request["PolicyId"])
    await _check_target(ctx, organization, target)
    if row["id"] == nouns.RCP_FULL_ACCESS:
        raise InvalidInputException("NON_DETACHABLE_POLICY", "You can't detach this policy from any target.")
    attached = await policies.on_target(ctx.db, organization["id"], target, row["type"])
    if row["id"] not in attached:
        raise PolicyNotAttachedException
    if row["type"] == nouns.SCP and len(attached) == 1:
        raise ConstraintViolationException(
            "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
            "You cannot remove the last policy attached to the specified target. "
            "You must have at least one attached at all times.",
        )
    await policies.detach(ctx.db, organization["id"], target, row["id"])
    await levels.refresh(ctx.db, organization["id"])


@operation("ListPoliciesForTarget", on=standing.on("TargetId", reading=True))
async def list_policies_for_target(ctx: Context, request: Any) -> dict[str, Any]:
    """Policies of a type that are attached to a target itself; an account may ask about itself."""
    organization, target = standing.organization_of(ctx), request["TargetId"]
    if target != ctx.account_id:
        organization = standing.readable(ctx)
    await _check_target(ctx, organization, target)
    known = await policies.of_type(ctx.db, organization["id"], request["Filter"])
    attached = await policies.on_target(ctx.db, organization["id"], target, request["Filter"])
    return _page(request, organization, [known[id] for id in attached])


@operation("ListTargetsForPolicy", on=standing.on("PolicyId", reading=True))
async def list_targets_for_policy(ctx: Context, request: Any) -> dict[str, Any]:
    """Where a policy is attached. Raises PolicyNotFound."""
    organization = standing.readable(ctx)
    row = await _policy(ctx, organization, request["PolicyId"])
    targets = await policies.targets(ctx.db, organization["id"], row["id"])
    names = {id: await _check_target(ctx, organization, id) for id in targets}

    def show(id: str) -> dict[str, Any]:
        return {
            "TargetId": id,
            "Arn": nouns.target_arn(organization, id),
            "Name": names[id],
            "Type": nouns.target_kind(id),
        }

    return shapes.page(request, "Targets", targets, str, show)


@operation("DescribeEffectivePolicy", on=standing.on("TargetId", reading=True))
async def describe_effective_policy(ctx: Context, request: Any) -> dict[str, Any]:
    """The merged policy of a type for an account: its own for everybody, others' for those who may read."""
    organization, type = standing.organization_of(ctx), request["PolicyType"]
    target = request.get("TargetId") or ctx.account_id
    if target != ctx.account_id:
        organization = standing.readable(ctx)
    member = await tree.member(ctx.db, organization["id"], target)
    if member is None:
        raise TargetNotFoundException if target != ctx.account_id else AccessDeniedException
    return {"EffectivePolicy": await contents.effective(ctx.db, organization, member, type)}

"""The organization itself, its root, its types of policies and its resource policy."""

from __future__ import annotations

from typing import Any

import orjson

from controlplane.access import queries as access
from controlplane.access.policy.grammar import MalformedPolicy, validate_resource
from controlplane.core.context import Context
from controlplane.core.operation import ANY, operation
from controlplane.core.tags import to_dict
from controlplane.services.organizations import levels, nouns, shapes, standing
from controlplane.services.organizations.errors import (
    AlreadyInOrganizationException,
    AWSOrganizationsNotInUseException,
    InvalidInputException,
    OrganizationNotEmptyException,
    PolicyTypeAlreadyEnabledException,
    PolicyTypeNotAvailableForOrganizationException,
    PolicyTypeNotEnabledException,
    ResourcePolicyNotFoundException,
    RootNotFoundException,
)
from controlplane.services.organizations.queries import policies, tree

_INSERT = """
INSERT INTO organizations_organizations (id, management_id, root_id, feature_set) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING RETURNING true
"""
_SET_TYPES = "UPDATE organizations_organizations SET policy_types = $2 WHERE id = $1"
_DETACH_TYPE = "DELETE FROM organizations_attachments WHERE organization_id = $1 AND type = $2"
_SET_POLICY = """
UPDATE organizations_organizations SET resource_policy_id = $2, resource_policy = $3, resource_policy_text = $4
WHERE id = $1
"""


@operation("CreateOrganization", on=ANY)
async def create_organization(ctx: Context, request: Any) -> dict[str, Any]:
    """Make the caller's account the management account of a new organization. Raises AlreadyInOrganization."""
    id, root = nouns.new_id("o", 10), nouns.new_id("r", 4)
    made = await ctx.db.fetchval(_INSERT, id, ctx.account_id, root, request.get("FeatureSet") or "ALL")
    if not made or not await tree.join(ctx.db, id, root, ctx.account_id, "INVITED"):
        raise AlreadyInOrganizationException
    await levels.refresh(ctx.db, id)
    row = await tree.of_account(ctx.db, ctx.account_id)
    return {"Organization": shapes.organization(row, await access.account(ctx.db, ctx.account_id))}


@operation("DescribeOrganization", on=ANY)
async def describe_organization(ctx: Context, request: Any) -> dict[str, Any]:
    """The organization, for any of its accounts. Raises AWSOrganizationsNotInUseException."""
    row = await tree.of_account(ctx.db, ctx.account_id)
    if row is None:
        raise AWSOrganizationsNotInUseException
    return {"Organization": shapes.organization(row, await access.account(ctx.db, row["management_id"]))}


@operation("DeleteOrganization", on=standing.on())
async def delete_organization(ctx: Context, request: Any) -> None:
    """Delete an organization that holds nothing but its management account. Raises OrganizationNotEmpty."""
    organization = await standing.management_only(ctx)
    if len(await tree.members(ctx.db, organization["id"])) > 1 or await tree.units(ctx.db, organization["id"]):
        raise OrganizationNotEmptyException
    await ctx.db.execute("DELETE FROM organizations_organizations WHERE id = $1", organization["id"])
    await levels.forget(ctx.db, [ctx.account_id])


@operation("ListRoots", on=standing.on(reading=True))
async def list_roots(ctx: Context, request: Any) -> dict[str, Any]:
    """The root."""
    organization = standing.readable(ctx)
    return {"Roots": [shapes.root(organization)]}


async def _type(ctx: Context, request: Any) -> tuple[Any, str]:
    organization, type = await standing.governed(ctx), request["PolicyType"]
    if request["RootId"] != organization["root_id"]:
        raise RootNotFoundException
    if type not in nouns.POLICY_TYPES:
        raise InvalidInputException("INVALID_ENUM_POLICY_TYPE", "You specified an invalid value.")
    return organization, type


@operation("EnablePolicyType", on=standing.on("RootId"))
async def enable_policy_type(ctx: Context, request: Any) -> dict[str, Any]:
    """Let policies of a type be attached; the default policy is, everywhere. Raises PolicyTypeAlreadyEnabled."""
    organization, type = await _type(ctx, request)
    if organization["feature_set"] != "ALL":
        raise PolicyTypeNotAvailableForOrganizationException
    if type in organization["policy_types"]:
        raise PolicyTypeAlreadyEnabledException
    await ctx.db.execute(_SET_TYPES, organization["id"], [*organization["policy_types"], type])
    if default := nouns.DEFAULTS.get(type):
        members = [row["member_id"] for row in await tree.members(ctx.db, organization["id"])]
        for target in [organization["root_id"], *await tree.units(ctx.db, organization["id"]), *members]:
            await policies.attach(ctx.db, organization["id"], target, default, type)
    await levels.refresh(ctx.db, organization["id"])
    return {"Root": shapes.root(await tree.lock(ctx.db, organization["id"]))}


@operation("DisablePolicyType", on=standing.on("RootId"))
async def disable_policy_type(ctx: Context, request: Any) -> dict[str, Any]:
    """Detach all policies of a type at once; they stay. Raises PolicyTypeNotEnabled."""
    organization, type = await _type(ctx, request)
    if type not in organization["policy_types"]:
        raise PolicyTypeNotEnabledException
    kept = [other for other in organization["policy_types"] if other != type]
    await ctx.db.execute(_SET_TYPES, organization["id"], kept)
    await ctx.db.execute(_DETACH_TYPE, organization["id"], type)
    await levels.refresh(ctx.db, organization["id"])
    return {"Root": shapes.root(await tree.lock(ctx.db, organization["id"]))}


@operation("PutResourcePolicy", on=standing.on())
async def put_resource_policy(ctx: Context, request: Any) -> dict[str, Any]:
    """Let other accounts of the organization do what the management account may. Raises InvalidInput."""
    organization, text = await standing.management_only(ctx), request["Content"]
    try:
        content = validate_resource(text)
    except MalformedPolicy as error:
        raise InvalidInputException("INVALID_RESOURCE_POLICY_JSON", str(error)) from error
    id = organization["resource_policy_id"] or nouns.new_id("rp", 8)
    await ctx.db.execute(_SET_POLICY, organization["id"], id, content, orjson.dumps(content).decode())
    await tree.put_tags(ctx.db, organization["id"], id, to_dict(request.get("Tags")))
    return {"ResourcePolicy": _resource_policy(await tree.lock(ctx.db, organization["id"]))}


@operation("DescribeResourcePolicy", on=standing.on(reading=True))
async def describe_resource_policy(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourcePolicyNotFound."""
    organization = standing.readable(ctx)
    if organization["resource_policy_id"] is None:
        raise ResourcePolicyNotFoundException
    return {"ResourcePolicy": _resource_policy(organization)}


@operation("DeleteResourcePolicy", on=standing.on())
async def delete_resource_policy(ctx: Context, request: Any) -> None:
    """Raises ResourcePolicyNotFound."""
    organization = await standing.management_only(ctx)
    if organization["resource_policy_id"] is None:
        raise ResourcePolicyNotFoundException
    await ctx.db.execute(_SET_POLICY, organization["id"], None, None, None)
    await tree.forget_resource(ctx.db, organization["id"], organization["resource_policy_id"])


def _resource_policy(organization: Any) -> dict[str, Any]:
    id = organization["resource_policy_id"]
    summary = {"Id": id, "Arn": nouns.target_arn(organization, id)}
    return {"ResourcePolicySummary": summary, "Content": organization["resource_policy_text"]}

"""Profiles: which roles certificates may be exchanged for, and what limits the sessions."""

from __future__ import annotations

from typing import Any

from controlplane.access import directory
from controlplane.access.policy.grammar import MalformedPolicy, validate_identity
from controlplane.core.context import Context
from controlplane.core.operation import ANY, Resource, operation
from controlplane.services.rolesanywhere import resources
from controlplane.services.rolesanywhere.errors import ValidationException
from controlplane.services.rolesanywhere.resources import PROFILE

SERVICE = "rolesanywhere.amazonaws.com"
_SETTINGS = (
    "requireInstanceProperties", "sessionPolicy", "roleArns", "managedPolicyArns", "durationSeconds",
    "acceptRoleSessionName",
)  # fmt: skip
_FIELDS = ("x509Subject", "x509Issuer", "x509SAN")
_DEFAULT_MAPPINGS = [{"certificateField": field, "mappingRules": [{"specifier": "*"}]} for field in _FIELDS]


async def _check(ctx: Context, request: Any) -> None:
    """What a profile may hand out, its maker may pass on. Raises AccessDeniedException, ValidationException."""
    for arn in request.get("roleArns") or ():
        role = await directory.role(ctx.db, arn)
        if role is not None and role["account_id"] != ctx.account_id:
            raise ValidationException("Roles must be of the same account.")
        tags = role["tags"] if role is not None else {}
        await ctx.authorize("iam:PassRole", Resource(arn, tags, conditions={"iam:PassedToService": SERVICE}))
    if request.get("sessionPolicy"):
        try:
            validate_identity(request["sessionPolicy"])
        except MalformedPolicy as error:
            raise ValidationException(f"Invalid session policy: {error}") from error


@operation("CreateProfile", on=ANY)
async def create_profile(ctx: Context, request: Any) -> dict[str, Any]:
    """Make a profile; its maker must be allowed to pass its roles. Raises ValidationException."""
    await _check(ctx, request)
    content = {name: request[name] for name in _SETTINGS if request.get(name) is not None}
    content = {"durationSeconds": 3600, "requireInstanceProperties": False, "managedPolicyArns": [], **content}
    content |= {"createdBy": ctx.principal.arn, "attributeMappings": _DEFAULT_MAPPINGS}
    return await resources.make(ctx, PROFILE, request, content, enabled=bool(request.get("enabled")))


@operation("GetProfile", on=resources.named(PROFILE))
async def get_profile(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourceNotFoundException."""
    return {"profile": resources.shown(PROFILE, await resources.get(ctx, PROFILE, request))}


@operation("ListProfiles", on=ANY)
async def list_profiles(ctx: Context, request: Any) -> dict[str, Any]:
    """Profiles by id."""
    return await resources.listed(ctx, PROFILE, request)


@operation("UpdateProfile", on=resources.named(PROFILE))
async def update_profile(ctx: Context, request: Any) -> dict[str, Any]:
    """Change what is given. Raises ResourceNotFoundException, ValidationException."""
    row = await resources.lock(ctx, PROFILE, request)
    await _check(ctx, request)
    content = {**row["content"], **{name: request[name] for name in _SETTINGS if request.get(name) is not None}}
    return await resources.change(ctx, PROFILE, row, name=request.get("name") or row["name"], content=content)


@operation("EnableProfile", on=resources.named(PROFILE))
async def enable_profile(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourceNotFoundException."""
    return await resources.switch(ctx, PROFILE, request, enabled=True)


@operation("DisableProfile", on=resources.named(PROFILE))
async def disable_profile(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourceNotFoundException."""
    return await resources.switch(ctx, PROFILE, request, enabled=False)


@operation("DeleteProfile", on=resources.named(PROFILE))
async def delete_profile(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourceNotFoundException."""
    return await resources.delete(ctx, PROFILE, request)


@operation("PutAttributeMapping", on=resources.named(PROFILE))
async def put_attribute_mapping(ctx: Context, request: Any) -> dict[str, Any]:
    """Say which parts of a field of the certificate become session tags. Raises ResourceNotFoundException."""
    row = await resources.lock(ctx, PROFILE, request)
    field, rules = request["certificateField"], [dict(rule) for rule in request["mappingRules"]]
    others = [item for item in row["content"]["attributeMappings"] if item["certificateField"] != field]
    mappings = [*others, {"certificateField": field, "mappingRules": rules}]
    return await resources.change(ctx, PROFILE, row, content={**row["content"], "attributeMappings": mappings})


@operation("DeleteAttributeMapping", on=resources.named(PROFILE))
async def delete_attribute_mapping(ctx: Context, request: Any) -> dict[str, Any]:
    """Take rules of a field away, or all. Raises ResourceNotFoundException."""
    row = await resources.lock(ctx, PROFILE, request)
    field, gone = request["certificateField"], request.get("specifiers")
    mappings = []
    for item in row["content"]["attributeMappings"]:
        rules = item["mappingRules"]
        if item["certificateField"] == field:
            rules = [rule for rule in rules if gone and rule["specifier"] not in gone]
        if rules:
            mappings.append({**item, "mappingRules": rules})
    return await resources.change(ctx, PROFILE, row, content={**row["content"], "attributeMappings": mappings})

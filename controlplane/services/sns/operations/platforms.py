"""Applications of mobile platforms and their devices: made, told, set, listed, deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import orjson

from controlplane.core.context import Context
from controlplane.core.operation import ANY, Resource, operation
from controlplane.core.paging import decode_token, encode_token
from controlplane.services.sns import events
from controlplane.services.sns.attributes import check_feedback
from controlplane.services.sns.errors import InvalidParameter, NotFound
from controlplane.services.sns.platforms import (
    NAME,
    PLATFORMS,
    application,
    application_arn,
    endpoint_of_row,
    on_application,
    on_endpoint,
    the_endpoint,
)
from controlplane.services.sns.topics import parts_of

if TYPE_CHECKING:
    from types_boto3_sns.type_defs import (
        CreatePlatformApplicationInputTypeDef,
        CreatePlatformEndpointInputTypeDef,
        DeleteEndpointInputTypeDef,
        DeletePlatformApplicationInputTypeDef,
        GetEndpointAttributesInputTypeDef,
        GetPlatformApplicationAttributesInputTypeDef,
        ListEndpointsByPlatformApplicationInputTypeDef,
        ListPlatformApplicationsInputTypeDef,
        SetEndpointAttributesInputTypeDef,
        SetPlatformApplicationAttributesInputTypeDef,
    )

_PURPOSE = "sns-platform"
_SECRETS = ("PlatformPrincipal", "PlatformCredential")
_OF_REPORTS = ("SuccessFeedbackRoleArn", "FailureFeedbackRoleArn", "SuccessFeedbackSampleRate")
_LONGEST_DATA = 2048
_PAGE = 100
_INSERT_APPLICATION = """
INSERT INTO sns_platform_applications (account_id, region, platform, name, attributes, sealed)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (account_id, region, platform, name)
DO UPDATE SET attributes = excluded.attributes, sealed = excluded.sealed
"""
_SET_APPLICATION = "UPDATE sns_platform_applications SET attributes = $2, sealed = $3 WHERE id = $1"
_DELETE_APPLICATION = "DELETE FROM sns_platform_applications WHERE id = $1"
_DELETE_DEVICES = "DELETE FROM sns_platform_endpoints WHERE application_id = $1"
_APPLICATIONS = """
SELECT * FROM sns_platform_applications WHERE account_id = $1 AND region = $2 AND id > $3 ORDER BY id LIMIT $4
"""
_DEVICE = """
SELECT e.*, a.platform, a.name AS application, a.attributes AS settings FROM sns_platform_endpoints e
JOIN sns_platform_applications a ON a.id = e.application_id WHERE e.application_id = $1 AND e.token = $2
"""
_INSERT_DEVICE = """
INSERT INTO sns_platform_endpoints (id, account_id, region, application_id, token, attributes)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING
"""
_DEVICES = """
SELECT e.*, a.platform, a.name AS application, a.attributes AS settings FROM sns_platform_endpoints e
JOIN sns_platform_applications a ON a.id = e.application_id
WHERE e.application_id = $1 AND ($2::uuid IS NULL OR e.id > $2) ORDER BY e.id LIMIT $3
"""
_SET_DEVICE = """
UPDATE sns_platform_endpoints e SET attributes = $2, token = $3 WHERE id = $1 AND NOT EXISTS (
  SELECT FROM sns_platform_endpoints o WHERE o.application_id = e.application_id AND o.token = $3 AND o.id <> e.id)
RETURNING true
"""
_DELETE_DEVICE = "DELETE FROM sns_platform_endpoints WHERE id = $1"


def _new(ctx: Context, request: Any) -> Resource:
    return Resource(application_arn(ctx, request["Platform"] or "*", request["Name"] or "*"))


@operation("CreatePlatformApplication", on=_new)
async def create_platform_application(ctx: Context, request: CreatePlatformApplicationInputTypeDef) -> dict[str, Any]:
    """Keep an application with its credentials. Raises InvalidParameter."""
    name, platform, given = request["Name"], request["Platform"], request["Attributes"]
    _check_name(name)
    if platform not in PLATFORMS:
        raise InvalidParameter(f"Platform Reason: {platform} is not supported")
    principal, credential = (given.get(secret) for secret in _SECRETS)
    if principal and not credential:
        raise InvalidParameter("Attributes Reason: PlatformPrincipal attribute provided without PlatformCredential")
    if credential and not principal and platform not in ("GCM", "FCM"):
        raise InvalidParameter("Attributes Reason: PlatformCredential attribute provided without PlatformPrincipal")
    attributes = _settings(given)
    sealed = _sealed(ctx, platform, name, given)
    await ctx.db.execute(_INSERT_APPLICATION, ctx.account_id, ctx.region, platform, name, attributes, sealed)
    return {"PlatformApplicationArn": application_arn(ctx, platform, name)}


def _check_name(name: str) -> None:
    if not name:
        raise InvalidParameter(" Reason: cannot be empty")
    if len(name) > 256:
        raise InvalidParameter(f"{name[:1024]} Reason: must be at most 256 characters long")
    if not NAME.fullmatch(name):
        raise InvalidParameter(
            f"{name} Reason: must contain only characters 'a'-'z', 'A'-'Z', '0'-'9', '_', '-', and '.'"
        )


def _settings(given: Mapping[str, str]) -> dict[str, str]:
    """What of an application's attributes is no secret. Raises InvalidParameter."""
    for name, value in given.items():
        if name in _OF_REPORTS:
            check_feedback(name, value)
        elif name.startswith("Event") and value:
            parts_of(name, value)
    return {name: value for name, value in given.items() if name not in _SECRETS}


def _sealed(ctx: Context, platform: str, name: str, given: Mapping[str, str]) -> bytes:
    secrets = orjson.dumps({key: given[key] for key in _SECRETS if key in given})
    sealed: bytes = ctx.engine("sealing").seal(_PURPOSE, secrets, f"{ctx.account_id} {platform} {name}")
    return sealed


def _shown(row: Any) -> dict[str, str]:
    return {"Enabled": "true", **row["attributes"]}


@operation("GetPlatformApplicationAttributes", on=on_application)
async def get_platform_application_attributes(
    ctx: Context, request: GetPlatformApplicationAttributesInputTypeDef
) -> dict[str, Any]:
    """All but the credentials. Raises NotFound."""
    return {"Attributes": _shown(await application(ctx, request["PlatformApplicationArn"]))}


@operation("SetPlatformApplicationAttributes", on=on_application)
async def set_platform_application_attributes(
    ctx: Context, request: SetPlatformApplicationAttributesInputTypeDef
) -> None:
    """Set attributes. Raises NotFound, InvalidParameter."""
    row = await application(ctx, request["PlatformApplicationArn"])
    given = request["Attributes"]
    kept = {**row["attributes"], **_settings(given)}
    new = any(key in given for key in _SECRETS)
    sealed = _sealed(ctx, row["platform"], row["name"], given) if new else row["sealed"]
    await ctx.db.execute(_SET_APPLICATION, row["id"], kept, sealed)


@operation("ListPlatformApplications", on=ANY)
async def list_platform_applications(ctx: Context, request: ListPlatformApplicationsInputTypeDef) -> dict[str, Any]:
    """The caller's applications, a hundred a page."""
    token = _after(request.get("NextToken")) or "0"
    if not token.isdigit():
        raise InvalidParameter("NextToken Reason: Invalid token")
    after = int(token)
    rows = await ctx.db.fetch(_APPLICATIONS, ctx.account_id, ctx.region, after, _PAGE + 1)
    told = [
        {"PlatformApplicationArn": application_arn(ctx, row["platform"], row["name"]), "Attributes": _shown(row)}
        for row in rows[:_PAGE]
    ]
    more = {"NextToken": encode_token(str(rows[_PAGE - 1]["id"]))} if len(rows) > _PAGE else {}
    return {"PlatformApplications": told, **more}


def _after(token: str | None) -> str | None:
    if not token:
        return None
    try:
        found = str(decode_token(token))
        return found if found.isdigit() and len(found) < 19 else str(UUID(found))
    except ValueError as error:
        raise InvalidParameter("NextToken Reason: Invalid token") from error


@operation("DeletePlatformApplication", on=on_application)
async def delete_platform_application(ctx: Context, request: DeletePlatformApplicationInputTypeDef) -> None:
    """Delete an application with its devices; one that is gone already is no error."""
    try:
        row = await application(ctx, request["PlatformApplicationArn"])
    except NotFound:
        return
    await ctx.db.execute(_DELETE_DEVICES, row["id"])
    await ctx.db.execute(_DELETE_APPLICATION, row["id"])


@operation("CreatePlatformEndpoint", on=on_application)
async def create_platform_endpoint(ctx: Context, request: CreatePlatformEndpointInputTypeDef) -> dict[str, Any]:
    """Keep a device; the same once more is answered as it is. Raises InvalidParameter, NotFound."""
    row = await application(ctx, request["PlatformApplicationArn"])
    given = _checked(request.get("Attributes") or {})
    if request.get("CustomUserData") is not None:
        given = _checked({"CustomUserData": request["CustomUserData"], **given})
    there = await ctx.db.fetchrow(_DEVICE, row["id"], request["Token"])
    if there is None:
        values = (uuid4(), row["account_id"], row["region"], row["id"], request["Token"], given)
        await ctx.db.execute(_INSERT_DEVICE, *values)
        made = endpoint_of_row(await ctx.db.fetchrow(_DEVICE, row["id"], request["Token"]))
        await events.tell(ctx, made, events.CREATED, ctx.endpoint)
        return {"EndpointArn": made.arn}
    endpoint = endpoint_of_row(there)
    if {"Enabled": "true", **given} != {"Enabled": "true", **endpoint.own}:
        raise InvalidParameter(
            f"Token Reason: Endpoint {endpoint.arn} already exists with the same Token, but different attributes."
        )
    return {"EndpointArn": endpoint.arn}


def _checked(given: Mapping[str, str]) -> dict[str, str]:
    for name, value in given.items():
        if name not in ("CustomUserData", "Enabled", "Token"):
            raise InvalidParameter(f"Attributes Reason: Invalid attribute name: {name}")
        if name == "CustomUserData" and len(value.encode()) > _LONGEST_DATA:
            raise InvalidParameter(
                "Attributes Reason: Invalid value for attribute: CustomUserData: must be at most 2048 bytes long in "
                "UTF-8 encoding"
            )
    return {name: value.lower() if name == "Enabled" else value for name, value in given.items() if name != "Token"}


@operation("GetEndpointAttributes", on=on_endpoint)
async def get_endpoint_attributes(ctx: Context, request: GetEndpointAttributesInputTypeDef) -> dict[str, Any]:
    """All attributes of a device. Raises NotFound."""
    return {"Attributes": the_endpoint(ctx).attributes}


@operation("SetEndpointAttributes", on=on_endpoint)
async def set_endpoint_attributes(ctx: Context, request: SetEndpointAttributesInputTypeDef) -> None:
    """Set attributes. Raises NotFound, InvalidParameter."""
    endpoint, given = the_endpoint(ctx), request["Attributes"]
    kept, token = {**endpoint.own, **_checked(given)}, given.get("Token") or endpoint.token
    if not await ctx.db.fetchval(_SET_DEVICE, endpoint.id, kept, token):
        raise InvalidParameter("Token Reason: Another endpoint of the application has this token.")
    await events.tell(ctx, endpoint, events.UPDATED, ctx.endpoint)


@operation("DeleteEndpoint", on=on_endpoint)
async def delete_endpoint(ctx: Context, request: DeleteEndpointInputTypeDef) -> None:
    """Delete a device; one that is gone already is no error."""
    parts_of("EndpointArn", request["EndpointArn"])
    if ctx.resources[0].row is not None:
        endpoint = the_endpoint(ctx)
        await ctx.db.execute(_DELETE_DEVICE, endpoint.id)
        await events.tell(ctx, endpoint, events.DELETED, ctx.endpoint)


@operation("ListEndpointsByPlatformApplication", on=on_application)
async def list_endpoints_by_platform_application(
    ctx: Context, request: ListEndpointsByPlatformApplicationInputTypeDef
) -> dict[str, Any]:
    """An application's devices, a hundred a page. Raises NotFound."""
    row = await application(ctx, request["PlatformApplicationArn"])
    token = _after(request.get("NextToken"))
    rows = await ctx.db.fetch(_DEVICES, row["id"], UUID(token) if token and "-" in token else None, _PAGE + 1)
    devices = [endpoint_of_row(one) for one in rows[:_PAGE]]
    more = {"NextToken": encode_token(str(devices[-1].id))} if len(rows) > _PAGE else {}
    return {"Endpoints": [{"EndpointArn": one.arn, "Attributes": one.attributes} for one in devices], **more}

"""Grants."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from controlplane.access import named_principals
from controlplane.core.arn import arn
from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.core.operation import ANY, Resource, operation
from controlplane.services.kms import grants, keys, permissions, shapes, specs
from controlplane.services.kms.errors import (
    DisabledException,
    InvalidArnException,
    InvalidGrantIdException,
    LimitExceededException,
    NotFoundException,
    ValidationException,
)
from controlplane.services.kms.keys import Key
from controlplane.services.kms.queries import grants as queries

if TYPE_CHECKING:
    from types_boto3_kms.type_defs import (
        CreateGrantRequestTypeDef,
        ListGrantsRequestTypeDef,
        ListRetirableGrantsRequestTypeDef,
        RetireGrantRequestTypeDef,
        RevokeGrantRequestTypeDef,
    )

_PRINCIPAL = re.compile(
    r"arn:aws:(iam::\d{12}:(root|(user|role)/[\w+=,.@/-]+)|sts::\d{12}:(assumed-role|federated-user)/[\w+=,.@/-]+)"
)
_MOST = 50_000
_PAGE, _LONGEST_PAGE = 50, 100


async def _principal(ctx: Context, request: Any, role: str) -> tuple[str | None, bool]:
    """The principal in a role (Grantee, Retiring) as it is kept, and whether it is a service.

    Raises InvalidArnException.
    """
    name, service = request.get(f"{role}Principal"), request.get(f"{role}ServicePrincipal")
    if name and service:
        raise ValidationException(f"Specify either {role}Principal or {role}ServicePrincipal, not both.")
    if name and not _PRINCIPAL.fullmatch(name):
        raise _no_principal(name)
    if name:
        try:
            name = await named_principals.bind_name(ctx.db, name)
        except named_principals.UnknownPrincipal as error:
            raise _no_principal(name) from error
    return name or service, bool(service)


def _no_principal(name: str) -> InvalidArnException:
    return InvalidArnException(f"ARN does not refer to a valid principal: {name}")


@operation("CreateGrant", on=permissions.on_key(elsewhere=True), own_dry_run=True)
async def create_grant(ctx: Context, request: CreateGrantRequestTypeDef) -> dict[str, Any]:
    """Let a principal use a key. With a name, the same grant again is the same grant.

    Raises InvalidArnException, ValidationException, LimitExceededException.
    """
    key = permissions.key_of(ctx)
    grants.check_tokens(ctx.engine("sealing"), request.get("GrantTokens"))
    grant = await _grant(ctx, request, key)
    shapes.stop_dry_run(request)
    key = await keys.fresh(ctx, key)
    _require_usable(key)
    same = ("name", "grantee", "retiring", "operations", "constraints")
    found = next((g for g in key.grants if g["name"] and all(g[part] == grant[part] for part in same)), None)
    if found is None:
        if len(key.grants) >= _MOST:
            raise LimitExceededException(f"Cannot have more than {_MOST} grants for a key.")
        await queries.insert(ctx, **grant)
        found = grant
    return {"GrantId": found["id"], "GrantToken": grants.token_of(ctx.engine("sealing"), found)}


def _require_usable(key: Key) -> None:
    if key.state == "Disabled":
        raise DisabledException(f"{key.arn} is disabled.")
    key.require_not("PendingDeletion", "PendingReplicaDeletion", "PendingImport")


async def _grant(ctx: Context, request: CreateGrantRequestTypeDef, key: Key) -> dict[str, Any]:
    asked = sorted(set(request["Operations"]))
    if not asked:
        raise ValidationException("Operations may not be empty.")
    if wrong := [name for name in asked if name not in specs.grantable(key.spec.name, key.usage)]:
        raise ValidationException(f"Operations {wrong} are not valid for a key with usage {key.usage}.")
    # An empty context constrains nothing; Terraform sends one beside the other.
    constraints = {name: value for name, value in (request.get("Constraints") or {}).items() if value}
    contexts = [name for name in constraints if name.startswith("EncryptionContext")]
    if contexts and key.spec.name != specs.SYMMETRIC:
        raise ValidationException("Encryption context constraints are valid for symmetric encryption keys only.")
    if len(contexts) > 1:
        raise ValidationException("A grant may have one encryption context constraint only.")
    grantee, is_service = await _principal(ctx, request, "Grantee")
    if grantee is None:
        raise ValidationException("GranteePrincipal is required.")
    retiring, retiring_is_service = await _principal(ctx, request, "Retiring")
    return {
        "id": secrets.token_hex(32),
        "key_id": key.id,
        "region": key.region,
        "account_id": key.account_id,
        "name": request.get("Name"),
        "grantee": grantee,
        "grantee_is_service": is_service,
        "retiring": retiring,
        "retiring_is_service": retiring_is_service,
        "issuer": arn("iam", "", ctx.principal.account_id, "root"),
        "operations": asked,
        "constraints": constraints,
        "created_at": datetime.now(UTC),
    }


@operation("RevokeGrant", on=permissions.on_key(elsewhere=True), own_dry_run=True)
async def revoke_grant(ctx: Context, request: RevokeGrantRequestTypeDef) -> None:
    """End a grant, as the key's administrator. Raises InvalidGrantIdException, NotFoundException."""
    key = permissions.key_of(ctx)
    key.require_not("PendingDeletion", "PendingReplicaDeletion")
    if all(grant["id"] != request["GrantId"] for grant in key.grants):
        raise InvalidGrantIdException(f"Grant ID {request['GrantId']} not found")
    shapes.stop_dry_run(request)
    await _delete(ctx, key, request["GrantId"])


async def _delete(ctx: Context, key: Key, id: str) -> None:
    if not await queries.delete(ctx, key.id, id):
        raise InvalidGrantIdException(f"Grant ID {id} not found")


async def _to_be_retired(ctx: Context, request: Any) -> list[Resource]:
    """The key of the grant; who may retire it, the grant says."""
    try:
        key, grant = await _named(ctx, request)
    except AwsError as error:
        name = request.get("KeyId") or "*"
        return [permissions.of(ctx, error, request, name, "RetireGrant", elsewhere=True)]
    policy = grants.with_statements(key.document, grants.retiring(grant))
    conditions = {**key.facts, "kms:CallerAccount": ctx.principal.account_id}
    ctx.facts["grant"] = grant
    return [Resource(key.arn, key.tags, policy, conditions, key)]


async def _named(ctx: Context, request: Any) -> tuple[Key, dict[str, Any]]:
    token, name, id = request.get("GrantToken"), request.get("KeyId"), request.get("GrantId")
    if token is not None:
        region, key_id, id = grants.read_token(ctx.engine("sealing"), token)
        key = await keys.by_id(ctx, key_id) if region == ctx.region else None
        if key is None:
            raise NotFoundException("The grant does not exist.")
    elif name and id:
        key = await keys.find(ctx, name)
    else:
        raise ValidationException("Must specify either GrantToken or KeyId and GrantId")
    grant = next((grant for grant in key.grants if grant["id"] == id), None)
    if grant is None:
        raise NotFoundException(f"Grant ID {id} not found")
    return key, grant


@operation("RetireGrant", on=_to_be_retired, own_dry_run=True)
async def retire_grant(ctx: Context, request: RetireGrantRequestTypeDef) -> None:
    """End a grant, as whoever it says may. Raises NotFoundException, InvalidGrantTokenException."""
    key = permissions.key_of(ctx)
    key.require_not("PendingDeletion", "PendingReplicaDeletion")
    shapes.stop_dry_run(request)
    await _delete(ctx, key, ctx.facts["grant"]["id"])


@operation("ListGrants", on=permissions.on_key(elsewhere=True))
async def list_grants(ctx: Context, request: ListGrantsRequestTypeDef) -> dict[str, Any]:
    """The grants on a key. Raises NotFoundException."""
    key = permissions.key_of(ctx)
    after, limit = shapes.asked(request, _PAGE, _LONGEST_PAGE)
    grantee, _ = await _principal(ctx, request, "Grantee")
    rows = await queries.page(ctx, key.id, request.get("GrantId"), grantee, after, limit + 1)
    return await _page(ctx, rows, limit)


@operation("ListRetirableGrants", on=ANY)
async def list_retirable_grants(ctx: Context, request: ListRetirableGrantsRequestTypeDef) -> dict[str, Any]:
    """The grants on the account's keys that a principal may retire. Raises InvalidArnException."""
    principal, _ = await _principal(ctx, request, "Retiring")
    if principal is None:
        raise ValidationException("RetiringPrincipal is required.")
    after, limit = shapes.asked(request, _PAGE, _LONGEST_PAGE)
    rows = await queries.retirable(ctx, principal, after, limit + 1)
    return await _page(ctx, rows, limit)


async def _page(ctx: Context, rows: list[Any], limit: int) -> dict[str, Any]:
    kept = {row[role] for row in rows for role in ("grantee", "retiring") if row[role]}
    arns = await named_principals.show_names(ctx.db, kept)
    return shapes.page("Grants", rows, limit, lambda row: _shown(row, arns), lambda row: str(row["id"]))


def _shown(row: Any, arns: Mapping[str, str]) -> dict[str, Any]:
    def told(name: str) -> str:
        return arns.get(name, name)

    found = {
        "KeyId": arn("kms", row["region"], row["account_id"], f"key/{row['key_id']}"),
        "GrantId": row["id"],
        "Name": row["name"] or "",
        "CreationDate": row["created_at"],
        "GranteeServicePrincipal" if row["grantee_is_service"] else "GranteePrincipal": told(row["grantee"]),
        "IssuingAccount": row["issuer"],
        "Operations": row["operations"],
    }
    if row["retiring"]:
        found["RetiringServicePrincipal" if row["retiring_is_service"] else "RetiringPrincipal"] = told(row["retiring"])
    if row["constraints"]:
        found["Constraints"] = row["constraints"]
    return found

"""Service-specific credentials of users: names and passwords for services that do not speak SigV4."""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from controlplane.core.context import Context
from controlplane.core.ids import principal_id
from controlplane.core.operation import Resource, operation
from controlplane.services.iam import identities as common
from controlplane.services.iam import permissions, shapes
from controlplane.services.iam.errors import InvalidInput, LimitExceeded, NoSuchEntity
from controlplane.services.iam.nouns import USER
from controlplane.services.iam.queries import identities, user_credentials

if TYPE_CHECKING:
    from types_boto3_iam.type_defs import (
        CreateServiceSpecificCredentialRequestTypeDef,
        DeleteServiceSpecificCredentialRequestTypeDef,
        ListServiceSpecificCredentialsRequestTypeDef,
        ResetServiceSpecificCredentialRequestTypeDef,
        UpdateServiceSpecificCredentialRequestTypeDef,
    )

KIND = "service"
MAX_A_SERVICE = 2
# Services that give a key and a secret instead of a user name and a password.
_WITH_KEYS = frozenset({"bedrock.amazonaws.com", "logs.amazonaws.com"})
SERVICES = frozenset({"codecommit.amazonaws.com", "cassandra.amazonaws.com", *_WITH_KEYS})


def _shown(name: str, row: Any) -> dict[str, Any]:
    content = row["content"]
    shown = {
        "UserName": name,
        "Status": row["status"],
        "CreateDate": row["created_at"],
        "ServiceSpecificCredentialId": row["id"],
        "ServiceName": content["service"],
    }
    shown["ServiceCredentialAlias" if content["service"] in _WITH_KEYS else "ServiceUserName"] = content["name"]
    if row["expires_at"]:
        shown["ExpirationDate"] = row["expires_at"]
        if row["expires_at"] < datetime.now(UTC):
            shown["Status"] = "Expired"
    return shown


def _with_secret(name: str, row: Any, secret: str) -> dict[str, Any]:
    member = "ServiceCredentialSecret" if row["content"]["service"] in _WITH_KEYS else "ServicePassword"
    return {"ServiceSpecificCredential": {**_shown(name, row), member: secret}}


def _secret() -> tuple[str, bytes]:
    """A password of 44 characters and the digest that is kept of it; 256 random bits need no slow hash."""
    secret = secrets.token_urlsafe(32) + "="
    return secret, hashlib.sha256(secret.encode()).digest()


def _check_service(name: str) -> None:
    if name not in SERVICES:
        raise NoSuchEntity(f"No such service {name} is supported for Service Specific Credentials")


@operation("CreateServiceSpecificCredential", on=permissions.named(USER))
async def create_service_specific_credential(
    ctx: Context, request: CreateServiceSpecificCredentialRequestTypeDef
) -> dict[str, Any]:
    """Make a credential; its password is told only now. Raises NoSuchEntity, LimitExceeded."""
    service = request["ServiceName"]
    user = await identities.lock(ctx, USER, request["UserName"])
    _check_service(service)
    if await user_credentials.count(ctx, user["id"], KIND, service) >= MAX_A_SERVICE:
        raise LimitExceeded(f"Cannot exceed quota for ServiceSpecificCredentialsPerUser: {MAX_A_SERVICE}")
    days = request.get("CredentialAgeDays")
    if days and service not in _WITH_KEYS:
        raise InvalidInput(f"CredentialAgeDays is not supported for {service}.")
    id, (secret, digest) = principal_id("ACCA"), _secret()
    number = await user_credentials.count(ctx, user["id"], KIND, service)
    content = {"service": service, "name": f"{user['name']}{f'+{number}' if number else ''}-at-{ctx.account_id}"}
    expires = datetime.now(UTC) + timedelta(days=days) if days else None
    created = await user_credentials.insert(ctx, id, user["id"], KIND, content, digest=digest, expires_at=expires)
    row = {"id": id, "status": "Active", "created_at": created, "content": content, "expires_at": expires}
    return _with_secret(user["name"], row, secret)


async def on_listed(ctx: Context, request: Any) -> list[Resource]:
    """The user whose credentials are listed, or all users."""
    if request.get("AllUsers"):
        return [Resource(USER.arn(ctx.account_id, "/", "*"))]
    return [await permissions.of(ctx, USER, request.get("UserName") or permissions.own_name(ctx, USER))]


@operation("ListServiceSpecificCredentials", on=on_listed)
async def list_service_specific_credentials(
    ctx: Context, request: ListServiceSpecificCredentialsRequestTypeDef
) -> dict[str, Any]:
    """Credentials of a user or of all, without their passwords. Raises NoSuchEntity."""
    service, user_id = request.get("ServiceName"), None
    if request.get("AllUsers") and request.get("UserName"):
        raise InvalidInput("UserName and AllUsers cannot both be given.")
    if not request.get("AllUsers"):
        user_id = (await common.get(ctx, USER, common.name_or_own(ctx, request.get("UserName"))))["id"]
    if service:
        _check_service(service)
    after, limit = shapes.asked(request)
    rows = await user_credentials.page(ctx, user_id, KIND, service, after, limit + 1)
    shown = shapes.page(
        "ServiceSpecificCredentials", rows, limit, lambda row: _shown(row["user_name"], row), lambda row: str(row["id"])
    )
    if not shown["IsTruncated"] and not request.get("AllUsers"):
        del shown["IsTruncated"]
    return shown


@operation("UpdateServiceSpecificCredential", on=permissions.named(USER))
async def update_service_specific_credential(
    ctx: Context, request: UpdateServiceSpecificCredentialRequestTypeDef
) -> None:
    """Make a credential active or inactive. Raises NoSuchEntity, InvalidInput."""
    if request["Status"] == "Expired":
        raise InvalidInput("Status must be Active or Inactive.")
    user, id = await _locked(ctx, request), request["ServiceSpecificCredentialId"]
    if not await user_credentials.set_status(ctx, user["id"], KIND, id, request["Status"]):
        raise _missing(id)


@operation("ResetServiceSpecificCredential", on=permissions.named(USER))
async def reset_service_specific_credential(
    ctx: Context, request: ResetServiceSpecificCredentialRequestTypeDef
) -> dict[str, Any]:
    """Give a credential another password. Raises NoSuchEntity."""
    user, id = await _locked(ctx, request), request["ServiceSpecificCredentialId"]
    row = await user_credentials.find(ctx, user["id"], KIND, id)
    if row is None:
        raise _missing(id)
    secret, digest = _secret()
    await user_credentials.set_digest(ctx, user["id"], KIND, id, digest)
    return _with_secret(user["name"], row, secret)


@operation("DeleteServiceSpecificCredential", on=permissions.named(USER))
async def delete_service_specific_credential(
    ctx: Context, request: DeleteServiceSpecificCredentialRequestTypeDef
) -> None:
    """Delete a credential. Raises NoSuchEntity."""
    user, id = await _locked(ctx, request), request["ServiceSpecificCredentialId"]
    if not await user_credentials.delete(ctx, user["id"], KIND, id):
        raise _missing(id)


async def _locked(ctx: Context, request: Any) -> Any:
    return await identities.lock(ctx, USER, common.name_or_own(ctx, request.get("UserName")))


def _missing(id: str) -> NoSuchEntity:
    return NoSuchEntity(f"No such credential {id} exists")

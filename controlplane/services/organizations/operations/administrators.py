"""Services that may act in all accounts, and accounts that administrate a service for all others."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import operation
from controlplane.services.organizations import shapes, standing
from controlplane.services.organizations.errors import (
    AccountAlreadyRegisteredException,
    AccountNotFoundException,
    AccountNotRegisteredException,
    ConstraintViolationException,
    InvalidInputException,
)
from controlplane.services.organizations.queries import tree

_ENABLE = """
INSERT INTO organizations_trusted_services (organization_id, service) VALUES ($1, $2) ON CONFLICT DO NOTHING
"""
_DISABLE = "DELETE FROM organizations_trusted_services WHERE organization_id = $1 AND service = $2"
_SERVICES = "SELECT service, enabled_at FROM organizations_trusted_services WHERE organization_id = $1"
_DELEGATIONS = "SELECT member_id, service, enabled_at FROM organizations_delegations WHERE organization_id = $1"
_DELEGATE = """
INSERT INTO organizations_delegations (organization_id, member_id, service) VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING RETURNING true
"""
_UNDELEGATE = """
DELETE FROM organizations_delegations WHERE organization_id = $1 AND member_id = $2 AND service = $3 RETURNING true
"""


def _service(request: Any) -> str:
    """A service principal such as `config.amazonaws.com`. Raises InvalidInput."""
    name = str(request["ServicePrincipal"])
    if not name.endswith(".amazonaws.com") or name == ".amazonaws.com":
        raise InvalidInputException(
            "UNRECOGNIZED_SERVICE_PRINCIPAL", "You specified an unrecognized service principal."
        )
    return name


@operation("EnableAWSServiceAccess", on=standing.on())
async def enable_aws_service_access(ctx: Context, request: Any) -> None:
    """Let a service act in all accounts; once more changes nothing. Raises ConstraintViolation."""
    organization = await standing.management_only(ctx)
    if organization["feature_set"] != "ALL":
        raise ConstraintViolationException(
            "ORGANIZATION_NOT_IN_ALL_FEATURES_MODE", "The organization must have all features enabled."
        )
    await ctx.db.execute(_ENABLE, organization["id"], _service(request))


@operation("DisableAWSServiceAccess", on=standing.on())
async def disable_aws_service_access(ctx: Context, request: Any) -> None:
    """Take that back, with the service's delegated administrators."""
    organization = await standing.management_only(ctx)
    await ctx.db.execute(_DISABLE, organization["id"], _service(request))


@operation("ListAWSServiceAccessForOrganization", on=standing.on(reading=True))
async def list_aws_service_access_for_organization(ctx: Context, request: Any) -> dict[str, Any]:
    """Services that were enabled, by name."""
    organization = standing.readable(ctx)
    rows = await ctx.db.fetch(_SERVICES, organization["id"])

    def show(row: Any) -> dict[str, Any]:
        return {"ServicePrincipal": row["service"], "DateEnabled": row["enabled_at"]}

    return shapes.page(request, "EnabledServicePrincipals", rows, lambda row: str(row["service"]), show)


@operation("RegisterDelegatedAdministrator", on=standing.on("AccountId"))
async def register_delegated_administrator(ctx: Context, request: Any) -> None:
    """Make a member administrator of a service, which is enabled thereby. Raises AccountNotFound,
    AccountAlreadyRegistered, ConstraintViolation."""
    organization, id, service = await standing.governed(ctx), request["AccountId"], _service(request)
    row = await tree.member(ctx.db, organization["id"], id)
    if row is None:
        raise AccountNotFoundException
    if id == organization["management_id"]:
        raise ConstraintViolationException(
            "CANNOT_REGISTER_MASTER_AS_DELEGATED_ADMINISTRATOR",
            "You cannot register master account/yourself as delegated administrator for your organization.",
        )
    if row["closed_at"] is not None:
        raise ConstraintViolationException(
            "CANNOT_REGISTER_SUSPENDED_ACCOUNT_AS_DELEGATED_ADMINISTRATOR",
            "You cannot register a suspended account as a delegated administrator.",
        )
    if not await ctx.db.fetchval(_DELEGATE, organization["id"], id, service):
        raise AccountAlreadyRegisteredException
    await ctx.db.execute(_ENABLE, organization["id"], service)


@operation("DeregisterDelegatedAdministrator", on=standing.on("AccountId"))
async def deregister_delegated_administrator(ctx: Context, request: Any) -> None:
    """Raises AccountNotFound, AccountNotRegistered."""
    organization, id = await standing.governed(ctx), request["AccountId"]
    if await tree.member(ctx.db, organization["id"], id) is None:
        raise AccountNotFoundException
    if not await ctx.db.fetchval(_UNDELEGATE, organization["id"], id, _service(request)):
        raise AccountNotRegisteredException


@operation("ListDelegatedAdministrators", on=standing.on(reading=True))
async def list_delegated_administrators(ctx: Context, request: Any) -> dict[str, Any]:
    """Accounts that administrate a service, or any."""
    organization, service = standing.readable(ctx), request.get("ServicePrincipal")
    since: dict[str, Any] = {}
    for row in await ctx.db.fetch(_DELEGATIONS, organization["id"]):
        if service in (None, row["service"]):
            since[row["member_id"]] = min(since.get(row["member_id"], row["enabled_at"]), row["enabled_at"])
    rows = [row for row in await tree.members(ctx.db, organization["id"]) if row["id"] in since]

    def show(row: Any) -> dict[str, Any]:
        return {**shapes.account(row, organization), "DelegationEnabledDate": since[row["id"]]}

    return shapes.page(request, "DelegatedAdministrators", rows, lambda row: str(row["id"]), show)


@operation("ListDelegatedServicesForAccount", on=standing.on("AccountId", reading=True))
async def list_delegated_services_for_account(ctx: Context, request: Any) -> dict[str, Any]:
    """Services that an account administrates. Raises AccountNotFound, AccountNotRegistered."""
    organization, id = standing.readable(ctx), request["AccountId"]
    if await tree.member(ctx.db, organization["id"], id) is None:
        raise AccountNotFoundException
    rows = [row for row in await ctx.db.fetch(_DELEGATIONS, organization["id"]) if row["member_id"] == id]
    if not rows:
        raise AccountNotRegisteredException

    def show(row: Any) -> dict[str, Any]:
        return {"ServicePrincipal": row["service"], "DelegationEnabledDate": row["enabled_at"]}

    return shapes.page(request, "DelegatedServices", rows, lambda row: str(row["service"]), show)

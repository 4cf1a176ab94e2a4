"""Where the caller stands: which organization, with which powers; and what the policy engine is asked about."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import Resource
from controlplane.services.organizations import nouns
from controlplane.services.organizations.errors import AccessDeniedException, AWSOrganizationsNotInUseException
from controlplane.services.organizations.queries import policies, tree

Answer = Callable[[Context, Any], Awaitable[list[Resource]]]
_TYPE_MEMBERS = ("PolicyType", "Type", "Filter")


def on(*members: str, reading: bool = False, new: str | None = None) -> Answer:
    """The things that these members of a request name. `new` is the kind of a thing that is about to be made.

    Within an organization its management account decides alone; other accounts may do what its resource policy lets
    them, and its delegated administrators may read (`reading`).
    """

    async def resources(ctx: Context, request: Any) -> list[Resource]:
        organization = await tree.of_account(ctx.db, ctx.account_id)
        conditions = _conditions(request)
        if organization is None:
            return [Resource("*", conditions=conditions)]
        ids = [str(request[member]) for member in members if request.get(member)]
        tags = await tree.tags(ctx.db, organization["id"], ids) if ids else {}
        named = [(await _arn(ctx, organization, id, conditions), tags[id]) for id in ids]
        if new is not None:
            kind = str(request.get("Type", "")).lower()
            named.append(
                (f"arn:aws:organizations::{organization['management_id']}:{new}/{organization['id']}/{kind}/*", {})
            )
        policy = _delegation(ctx, organization, reading=reading)
        decides = organization["management_id"] if policy is not None else ctx.account_id
        conditions["aws:ResourceAccount"] = decides
        return [Resource(arn, of, policy, conditions=conditions, row=organization) for arn, of in named or [("*", {})]]

    return resources


def _delegation(ctx: Context, organization: Any, *, reading: bool) -> Any:
    """The organization's resource policy, where it is what lets the caller in."""
    own = ctx.account_id == organization["management_id"] or (reading and organization["delegated"])
    return None if own else organization["resource_policy"]


async def _arn(ctx: Context, organization: Any, id: str, conditions: dict[str, Any]) -> str:
    if not id.startswith("p-"):
        return nouns.target_arn(organization, id)
    policy = await policies.one(ctx.db, organization["id"], id)
    if policy is None:
        return f"arn:aws:organizations::{organization['management_id']}:policy/{organization['id']}/*/{id}"
    conditions["organizations:PolicyType"] = policy["type"]
    return nouns.policy_arn(organization, policy)


def _conditions(request: Any) -> dict[str, Any]:
    type = next((request[name] for name in _TYPE_MEMBERS if isinstance(request.get(name), str)), None)
    values = {"organizations:PolicyType": type, "organizations:ServicePrincipal": request.get("ServicePrincipal")}
    return {name: value for name, value in values.items() if value}


def organization_of(ctx: Context) -> Any:
    """The caller's organization, as it was read for asking. Raises AWSOrganizationsNotInUseException."""
    organization = ctx.resources[0].row
    if organization is None:
        raise AWSOrganizationsNotInUseException
    return organization


def readable(ctx: Context) -> Any:
    """The organization of a caller that may read all of it. Raises AccessDeniedException."""
    organization = organization_of(ctx)
    if organization["delegated"] or _governs(ctx, organization):
        return organization
    raise AccessDeniedException


async def governed(ctx: Context) -> Any:
    """The organization of a caller that may change it, locked. Raises AccessDeniedException."""
    organization = organization_of(ctx)
    if not _governs(ctx, organization):
        raise AccessDeniedException
    locked = await tree.lock(ctx.db, organization["id"])
    if locked is None:
        raise AWSOrganizationsNotInUseException
    return locked


async def management_only(ctx: Context) -> Any:
    """The organization, locked, for what no resource policy can hand on. Raises AccessDeniedException."""
    if organization_of(ctx)["management_id"] != ctx.account_id:
        raise AccessDeniedException
    return await governed(ctx)


def _governs(ctx: Context, organization: Any) -> bool:
    """The management account, or one that the resource policy let through when permission was asked."""
    return ctx.account_id == organization["management_id"] or ctx.resources[0].policy is not None

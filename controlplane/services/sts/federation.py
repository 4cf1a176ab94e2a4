"""Roles for people whom an identity provider vouches for: what OIDC and SAML have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from controlplane.access import directory
from controlplane.access.sessions import issue_for_role, starting
from controlplane.core.arn import Arn
from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.core.operation import Resource
from controlplane.core.principal import web_identity
from controlplane.services.sts import packing
from controlplane.services.sts.errors import AccessDenied, ValidationError
from controlplane.services.sts.queries import provider

DEFAULT_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Vouched:
    """Whom a provider vouches for, and what it wants of the session. `conditions` are for the role's trust policy."""

    provider_arn: str
    subject: str
    session_name: str
    conditions: Mapping[str, Any]
    tags: Mapping[str, str]
    transitive: tuple[str, ...]
    source_identity: str
    longest: int | None = None
    """Seconds that the provider allows, where it says so."""


def account_of_role(arn: str) -> str:
    """Raises ValidationError."""
    try:
        parsed = Arn.parse(arn)
    except ValueError as error:
        raise ValidationError(f"{arn} is invalid") from error
    return parsed.account


async def find_provider(ctx: Context, kind: str, account_id: str, arn: str) -> Any:
    """The content of a provider of the role's own account, or None."""
    return await provider(ctx, kind, account_id, arn)


async def assume(ctx: Context, request: Any, action: str, vouched: Vouched) -> dict[str, Any]:
    """Credentials of the role, if its trust policy lets the vouched-for in. Raises AccessDenied, ValidationError."""
    refused = AccessDenied(f"Not authorized to perform {action}")
    role = await directory.role(ctx.db, request["RoleArn"])
    if role is None:
        raise refused
    inner = replace(
        ctx, account_id=role["account_id"], principal=web_identity(vouched.provider_arn, vouched.subject), facts={}
    )
    conditions = {**vouched.conditions, "sts:RoleSessionName": vouched.session_name}
    conditions |= {f"aws:RequestTag/{key}": value for key, value in vouched.tags.items()}
    if vouched.tags:
        conditions["aws:TagKeys"] = list(vouched.tags)
    if vouched.transitive:
        conditions["sts:TransitiveTagKeys"] = list(vouched.transitive)
    if vouched.source_identity:
        conditions["sts:SourceIdentity"] = vouched.source_identity
    if request.get("DurationSeconds"):
        conditions["sts:DurationSeconds"] = str(request["DurationSeconds"])
    resource = Resource(request["RoleArn"], role["tags"], orjson.loads(role["trust_policy"]), conditions, role)
    try:
        await inner.authorize(action, resource)
        if vouched.tags:
            await inner.authorize("sts:TagSession", resource)
        if vouched.source_identity:
            await inner.authorize("sts:SetSourceIdentity", resource)
    except AwsError as error:
        raise refused from error
    return _answer(ctx, request, role, vouched)


def _answer(ctx: Context, request: Any, role: Any, vouched: Vouched) -> dict[str, Any]:
    seconds = int(request.get("DurationSeconds") or DEFAULT_SECONDS)
    if seconds > role["max_session_seconds"]:
        raise ValidationError("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    documents, arns = packing.policies(request, role["account_id"])
    packed = packing.percentage(documents, arns, dict(vouched.tags))
    session = starting(
        min(seconds, vouched.longest or seconds),
        issuer_arn=directory.role_arn_of(role),
        issuer_id=role["id"],
        policies=documents,
        policy_arns=arns,
        tags=dict(vouched.tags),
        transitive_tag_keys=list(vouched.transitive),
        source_identity=vouched.source_identity,
        federated={"aws:federatedprovider": vouched.provider_arn},
    )
    credentials, arn, id = issue_for_role(ctx.engine("sealing"), role, vouched.session_name, session)
    answer: dict[str, Any] = {
        "Credentials": credentials.as_aws(),
        "AssumedRoleUser": {"AssumedRoleId": id, "Arn": arn},
    }
    if packed is not None:
        answer["PackedPolicySize"] = packed
    if vouched.source_identity:
        answer["SourceIdentity"] = vouched.source_identity
    return answer

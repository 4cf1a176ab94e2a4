"""Sessions of roles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from controlplane.access import directory
from controlplane.access.sessions import Session, issue_for_role, session_of, starting
from controlplane.core.arn import Arn
from controlplane.core.context import Context
from controlplane.core.operation import Resource, operation
from controlplane.services.sts import multi_factor, packing
from controlplane.services.sts.errors import AccessDenied, InvalidParameterValue, ValidationError

if TYPE_CHECKING:
    from types_boto3_sts.type_defs import AssumeRoleRequestTypeDef

DEFAULT_SECONDS = 3600
CHAINED_SECONDS = 3600
_NOBODY = {"Version": "2012-10-17", "Statement": []}


async def on_role(ctx: Context, request: Any) -> list[Resource]:
    """The role with its trust policy. One that does not exist trusts nobody, so that its absence is not told."""
    arn = request.get("RoleArn") or ""
    try:
        Arn.parse(arn)
    except ValueError as error:
        raise ValidationError(f"{arn} is invalid") from error
    if ctx.principal.is_root:
        raise AccessDenied("Roles may not be assumed by root accounts.")
    if ctx.principal.kind == "federated-user":
        raise _refusal(ctx, arn)
    if await multi_factor.present(ctx, request):
        ctx.facts |= {"aws:MultiFactorAuthPresent": "true", "aws:MultiFactorAuthAge": "0"}
    role = await directory.role(ctx.db, arn)
    trust = orjson.loads(role["trust_policy"]) if role is not None else _NOBODY
    tags = role["tags"] if role is not None else {}
    return [Resource(arn, tags, trust, _conditions(ctx, request), role)]


def _conditions(ctx: Context, request: Any) -> dict[str, Any]:
    values: dict[str, Any] = {"sts:RoleSessionName": request.get("RoleSessionName") or ""}
    if request.get("ExternalId"):
        values["sts:ExternalId"] = request["ExternalId"]
    if request.get("DurationSeconds"):
        values["sts:DurationSeconds"] = str(request["DurationSeconds"])
    if request.get("TransitiveTagKeys"):
        values["sts:TransitiveTagKeys"] = request["TransitiveTagKeys"]
    if identity := request.get("SourceIdentity") or ctx.principal.session.get("source_identity"):
        values["sts:SourceIdentity"] = identity
    return values


@operation("AssumeRole", on=on_role)
async def assume_role(ctx: Context, request: AssumeRoleRequestTypeDef) -> dict[str, Any]:
    """Credentials of a role's session. Raises AccessDenied, ValidationError, MalformedPolicyDocument."""
    tags = packing.tags(request)
    transitive = request.get("TransitiveTagKeys") or []
    if not {key.lower() for key in transitive} <= {key.lower() for key in tags}:
        raise InvalidParameterValue("The specified transitive tag key must be included in the requested tags.")
    caller = session_of(ctx.principal)
    chained = caller is not None and ctx.principal.kind == "assumed-role"
    [resource] = ctx.resources
    inherited, source_identity = _inherited(caller), _source_identity(request, caller)
    # What a session hands on is set anew with each role of the chain, and each must let it be set.
    if tags or transitive or inherited:
        await ctx.authorize("sts:TagSession", resource)
    if source_identity:
        await ctx.authorize("sts:SetSourceIdentity", resource)
    role = resource.row
    if role is None:
        raise _refusal(ctx, request["RoleArn"])
    seconds = _seconds(request, role, chained=chained)
    documents, arns = packing.policies(request, role["account_id"])
    packed = packing.percentage(documents, arns, {**inherited, **tags})
    if {key.lower() for key in tags} & {key.lower() for key in inherited}:
        raise InvalidParameterValue(
            "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from "
            "the calling session."
        )
    session = starting(
        seconds,
        issuer_arn=directory.role_arn_of(role),
        issuer_id=role["id"],
        policies=documents,
        policy_arns=arns,
        tags={**inherited, **tags},
        transitive_tag_keys=sorted({*inherited, *transitive}),
        source_identity=source_identity,
    )
    credentials, arn, id = issue_for_role(ctx.engine("sealing"), role, request["RoleSessionName"], session)
    answer: dict[str, Any] = {
        "Credentials": credentials.as_aws(),
        "AssumedRoleUser": {"AssumedRoleId": id, "Arn": arn},
    }
    if packed is not None:
        answer["PackedPolicySize"] = packed
    if session.source_identity:
        answer["SourceIdentity"] = session.source_identity
    return answer


def _refusal(ctx: Context, role_arn: str) -> AccessDenied:
    return AccessDenied(
        f"User: {ctx.principal.arn} is not authorized to perform: sts:AssumeRole on resource: {role_arn}"
    )


def _seconds(request: Any, role: Any, *, chained: bool) -> int:
    seconds = int(request.get("DurationSeconds") or DEFAULT_SECONDS)
    if chained and seconds > CHAINED_SECONDS:
        raise ValidationError(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
        )
    if seconds > role["max_session_seconds"]:
        raise ValidationError("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    return seconds


def _inherited(caller: Session | None) -> dict[str, str]:
    """Tags that the caller's own session hands on."""
    if caller is None:
        return {}
    keys = {key.lower() for key in caller.transitive_tag_keys}
    return {key: value for key, value in caller.tags.items() if key.lower() in keys}


def _source_identity(request: Any, caller: Session | None) -> str:
    """Once set it stays through a chain of roles."""
    given: str = request.get("SourceIdentity") or ""
    if caller is not None and caller.source_identity:
        if given not in ("", caller.source_identity):
            raise AccessDenied("The source identity of a session cannot be changed by role chaining.")
        return caller.source_identity
    return given

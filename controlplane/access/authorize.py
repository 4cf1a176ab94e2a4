"""May the caller do this? The only place that denies."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson

from controlplane.access import directory
from controlplane.access.callers import caller_of
from controlplane.access.dialects import Dialect, Refusal, denial, dialect_of, refusal, shown_resource
from controlplane.access.policy.decision import Decision, denial_message
from controlplane.access.policy.evaluate import PolicySet, PrincipalPolicies, Question, Target, evaluate
from controlplane.access.policy.parse import Policy, compile_policy
from controlplane.access.principals import OrganizationPolicies, PrincipalGone, Principals
from controlplane.access.recorder import Recorder
from controlplane.access.request_context import RequestContext, ResourceContext
from controlplane.core.arn import Arn
from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.core.operation import Resource
from controlplane.core.principal import Principal
from controlplane.state.sealing import Sealer
from controlplane.wire.service import load

MESSAGE = "authorization-message"
# Managed policies of AWS's own are everybody's.
_AWS = "aws"
# Services whose resource policies are the only way in, even for their own account.
_DELEGATING = frozenset({"kms"})
_EVERYTHING = PolicySet(
    [compile_policy({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}, "everything")]
)


class Authorizer:
    """Asks the policy engine and raises what AWS would. One per process."""

    def __init__(self, principals: Principals, sealer: Sealer, recorder: Recorder) -> None:
        self._principals = principals
        self._sealer = sealer
        self._recorder = recorder

    async def authorize(self, ctx: Context, action: str, resources: Sequence[Resource]) -> None:
        """Return when the caller may do `action` on every one of the resources. Raises the family's denial.

        The owner of a resource is `aws:ResourceAccount` among its conditions (for ARNs that name no account, as S3's,
        or another than the one that decides, as those of Organizations), else the account of its ARN. A role's trust
        policy is given as the role's policy.
        """
        principal = ctx.principal
        if action.startswith("iam:") and _is_barred_from_iam(principal):
            raise refusal(_dialect(ctx), Refusal.UNKNOWN_KEY)
        try:
            standing = await self._principals.standing(principal)
        except PrincipalGone as error:
            raise refusal(_dialect(ctx), Refusal.UNKNOWN_KEY) from error
        values = RequestContext(ctx, standing.tags, standing.organization)
        for resource in resources:
            asked = resource.action or action
            owner = _owner(ctx, resource)
            organization = standing.organization
            if owner != principal.account_id:
                organization = await self._principals.organization(owner)
            target = _target(asked, resource, owner, organization)
            context = ResourceContext(values, resource, asked, owner, organization)
            near = _is_near(principal, owner, standing.organization, organization)
            self._decide(ctx, Question(standing.caller, asked, target, context), standing.policies, near=near)

    async def pass_role(self, ctx: Context, role_arn: str, service: str) -> None:
        """Check `iam:PassRole` on a role for a service, and that the role trusts it. Raises the denial."""
        action = "iam:PassRole"
        found = await directory.role(ctx.db, role_arn)
        owner = _account_of(role_arn) or ctx.account_id
        conditions = {"iam:PassedToService": service}
        tags = dict(found["tags"]) if found is not None and owner == ctx.account_id else {}
        await self.authorize(ctx, action, [Resource(role_arn, tags, conditions=conditions)])
        if owner != ctx.account_id:
            raise denial(_dialect(ctx), ctx.service, "Cross-account pass role is not allowed.")
        if found is None or not directory.trusts_service(found, service):
            raise AwsError(f"The role {role_arn} cannot be assumed by {service}.", code="InvalidParameterValue")

    def _decide(self, ctx: Context, question: Question, policies: PrincipalPolicies, *, near: bool) -> None:
        decision = evaluate(question, policies)
        self._recorder.decided(ctx.request_id, ctx.account_id or question.target.account, question, policies, decision)
        if not decision.allowed:
            raise self._denial(ctx, question, decision, near=near)

    def _denial(self, ctx: Context, question: Question, decision: Decision, *, near: bool) -> AwsError:
        dialect = _dialect(ctx)
        if dialect is Dialect.S3 and not near:
            return denial(dialect, ctx.service, "Access Denied")
        shown = shown_resource(dialect, question.target.arn)
        message = denial_message(question.caller, question.action, shown, decision)
        if dialect is Dialect.EC2:
            message = (
                f"You are not authorized to perform this operation. {message}. "
                f"Encoded authorization failure message: {self._encoded(question, decision)}"
            )
        return denial(dialect, ctx.service, message)

    def _encoded(self, question: Question, decision: Decision) -> str:
        """The details, sealed, for `sts:DecodeAuthorizationMessage`."""
        statement = decision.statement
        content = {
            "allowed": False,
            "explicitDeny": decision.explicit,
            "matchedStatements": {
                "items": [] if statement is None else [{"statementId": statement.sid, "effect": "DENY"}]
            },
            "failures": {"items": []},
            "context": {
                "principal": {"id": question.context.get("aws:userid", ""), "arn": question.caller.arn},
                "action": question.action,
                "resource": question.target.arn,
                "conditions": {"items": []},
            },
        }
        sealed = self._sealer.seal(MESSAGE, orjson.dumps(content), question.caller.account)
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def _is_near(principal: Principal, owner: str, home: OrganizationPolicies, its: OrganizationPolicies) -> bool:
    """Whether a caller is of the owner's account or organization, or a service: S3 tells nobody else why."""
    if principal.kind in ("anonymous", "service"):
        return principal.kind == "service"
    return principal.account_id == owner or (home.id != "" and home.id == its.id)


def _owner(ctx: Context, resource: Resource) -> str:
    owner = str(resource.conditions.get("aws:ResourceAccount", "")) or _account_of(resource.arn)
    return ctx.account_id if owner in ("", _AWS) else owner


def _target(action: str, resource: Resource, owner: str, organization: OrganizationPolicies) -> Target:
    policy = None
    if resource.policy is not None and not organization.closed:  # what a closed account has lets nobody in any more
        document = orjson.dumps(resource.policy).decode()
        policy = PolicySet([_compiled(document, f"policy of {resource.arn}")])
    service = action.partition(":")[0]
    trust = service == "sts" and policy is not None
    delegates = trust or (policy is not None and service in _DELEGATING)
    return Target(resource.arn, owner, policy, organization.resource_control, trust, delegates)


def lets_in(document: Mapping[str, Any], principal: Principal, action: str, arn: str) -> bool:
    """Whether a resource's policy by itself lets a principal of its account in, whatever the principal's own say."""
    target = Target(arn, principal.account_id, PolicySet([compile_policy(document, arn)]), delegates=True)
    return evaluate(Question(caller_of(principal), action, target), PrincipalPolicies(_EVERYTHING)).allowed


def _is_barred_from_iam(principal: Principal) -> bool:
    """Sessions of GetFederationToken, and those of GetSessionToken without MFA, may not call IAM at all.

    Those of a console sign-in may.
    """
    if principal.kind == "federated-user":
        return True
    session = principal.session
    return (
        bool(session) and principal.kind in ("user", "root") and not (session.get("mfa_at") or session.get("console"))
    )


def _account_of(arn: str) -> str:
    try:
        return Arn.parse(arn).account
    except ValueError:
        return ""


@lru_cache(maxsize=1024)
def _compiled(document: str, name: str) -> Policy:
    return compile_policy(document, name)


def _dialect(ctx: Context) -> Dialect:
    model = ctx.model or ctx.service
    return dialect_of(model, _protocol_of(model))


@lru_cache(maxsize=512)
def _protocol_of(service: str) -> str:
    return str(load(service).protocols[0])

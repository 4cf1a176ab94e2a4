"""Puts a decision case to our engine."""

from __future__ import annotations

from controlplane.access.policy.decision import Decision
from controlplane.access.policy.evaluate import PolicySet, PrincipalPolicies, Question, Target, evaluate
from controlplane.access.policy.parse import compile_policy
from controlplane.access.policy.principals import ANONYMOUS, Caller, PrincipalKind
from tests.access.policy.cases import Case, Document


def policy_set(documents: list[Document], name: str = "policy") -> PolicySet:
    return PolicySet(compile_policy(document, f"{name}-{n}") for n, document in enumerate(documents, start=1))


def caller_of(arn: str, *, service_linked: bool = False) -> Caller:
    if not arn:
        return ANONYMOUS
    if not arn.startswith("arn:"):
        return Caller(PrincipalKind.SERVICE, arn, "")
    account, resource = arn.split(":", 5)[4:]
    if resource == "root":
        return Caller(PrincipalKind.ROOT, arn, account)
    kind, _, name = resource.partition("/")
    if kind == "assumed-role":
        issuer = f"arn:aws:iam::{account}:role/{name.split('/')[0]}"
        return Caller(PrincipalKind.ASSUMED_ROLE, arn, account, issuer, service_linked)
    if kind == "federated-user":
        return Caller(PrincipalKind.FEDERATED_USER, arn, account, f"arn:aws:iam::{account}:user/{name}")
    return Caller(PrincipalKind.USER, arn, account)


def question_of(case: Case) -> Question:
    return Question(
        caller=caller_of(case.caller, service_linked=case.service_linked),
        action=case.action,
        target=Target(
            case.resource,
            case.owner,
            policy_set([case.policy]) if case.policy else None,
            tuple(policy_set(level) for level in case.rcp),
            delegates=case.delegates,
        ),
        context={key.lower(): value for key, value in case.context.items()},
    )


def decide(case: Case) -> Decision:
    return evaluate(
        question_of(case),
        PrincipalPolicies(
            identity=policy_set(case.identity),
            boundary=policy_set([case.boundary]) if case.boundary else None,
            session=policy_set(case.session) if case.session is not None else None,
            service_control=tuple(policy_set(level) for level in case.scp),
        ),
    )

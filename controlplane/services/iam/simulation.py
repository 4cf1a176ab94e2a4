"""Asking the policy engine hypothetically: the simulator, and the condition keys that policies speak of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controlplane.access.policy.decision import Decision, PolicyKind
from controlplane.access.policy.evaluate import PolicySet, PrincipalPolicies, Question, Target, evaluate
from controlplane.access.policy.grammar import (
    MalformedPolicy,
    statements_of,
    validate_identity,
    validate_resource,
)
from controlplane.access.policy.match import ContextValue
from controlplane.access.policy.parse import Policy, Statement, compile_policy
from controlplane.access.policy.principals import Caller, PrincipalKind
from controlplane.core.arn import Arn
from controlplane.services.iam.errors import InvalidInput

_VARIABLE = re.compile(r"\$\{\s*([^{}*?$,'\s]+)")
_ACTION = re.compile(r"[A-Za-z0-9-]{1,64}:[A-Za-z0-9*]{1,128}")
RESOURCE_POLICY = "ResourcePolicy"
_DECISIONS = {True: "explicitDeny", False: "implicitDeny"}


@dataclass(frozen=True, slots=True)
class Source:
    """A policy with the name and type under which the simulator shows it."""

    id: str
    type: str
    document: str


@dataclass(frozen=True, slots=True)
class Simulation:
    """What is asked: policies by kind, caller, condition values. `boundary` is None where there is none; `levels` are
    those of the organization, root first."""

    caller: Caller
    owner: str
    identity: PolicySet
    boundary: PolicySet | None
    resource: PolicySet | None
    levels: tuple[PolicySet, ...]
    types: Mapping[str, str]
    context: Mapping[str, ContextValue]

    @classmethod
    def of(
        cls,
        request: Mapping[str, Any],
        caller: Caller,
        identity: Sequence[Source],
        boundary: Sequence[Source] | None,
        levels: Sequence[Sequence[Source]],
        context: Mapping[str, ContextValue],
    ) -> Simulation:
        """Take a simulator request. Raises InvalidInput with the grammar's message for a bad document."""
        resource = None
        flat = [source for level in levels for source in level]
        types = {source.id: source.type for source in [*identity, *(boundary or ()), *flat]}
        if request.get("ResourcePolicy"):
            document = request["ResourcePolicy"]
            resource = PolicySet([_compiled(Source(RESOURCE_POLICY, "resource", document), validate_resource)])
            types[RESOURCE_POLICY] = "resource"
        return cls(
            caller,
            request.get("ResourceOwner", "").split(":")[-2:][0] or caller.account,
            PolicySet(_compiled(source, validate_identity) for source in identity),
            None if boundary is None else PolicySet(_compiled(source, validate_identity) for source in boundary),
            resource,
            tuple(PolicySet(_compiled(source, validate_identity) for source in level) for level in levels),
            types,
            {**context, **given_context(request)},
        )

    def results(self, actions: Iterable[str], resources: Sequence[str]) -> list[dict[str, Any]]:
        """One result for each action and resource."""
        return [self._result(action, resource) for action in actions for resource in resources or ("*",)]

    def _result(self, action: str, resource: str) -> dict[str, Any]:
        if not _ACTION.fullmatch(action):
            raise InvalidInput(f"Invalid action name: {action[:128]}")
        policies = PrincipalPolicies(self.identity, self.boundary, None, self.levels)
        target = Target(resource, _account_of(resource) or self.owner, self.resource)
        question = Question(self.caller, action, target, self.context)
        decision = evaluate(question, policies)
        shown: dict[str, Any] = {
            "EvalActionName": action,
            "EvalResourceName": resource,
            "EvalDecision": "allowed" if decision.allowed else _DECISIONS[decision.explicit],
            "MatchedStatements": [self._matched(statement) for statement in self._matching(question, decision)],
            "MissingContextValues": self._missing(action),
        }
        if self.levels:
            controlled = not decision.allowed and decision.kind is PolicyKind.SERVICE_CONTROL
            shown["OrganizationsDecisionDetail"] = {"AllowedByOrganizations": not controlled}
        if self.boundary is not None:
            lacking = not decision.allowed and decision.kind is PolicyKind.BOUNDARY
            shown["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": not lacking}
        return shown

    def _matching(self, question: Question, decision: Decision) -> list[Statement]:
        """The statements that count for the decision: the denying ones, or those that allow."""
        if not decision.allowed and not decision.explicit:
            return []
        found = []
        for asked in (*self.levels, self.identity, self.boundary, self.resource):
            denying, allowing = asked.covering(question.action.lower()) if asked is not None else ((), ())
            for statement in allowing if decision.allowed else denying:
                named = asked is not self.resource or (
                    statement.principals is not None and statement.principals.names(question.caller) > 0
                )
                if named and statement.applies(question.target.arn, question.context):
                    found.append(statement)
        return found

    def _matched(self, statement: Statement) -> dict[str, Any]:
        return {"SourcePolicyId": statement.policy, "SourcePolicyType": self.types[statement.policy]}

    def _missing(self, action: str) -> list[str]:
        """Keys that statements about the action ask for and the request does not give."""
        keys = {
            condition.key
            for asked in (*self.levels, self.identity, self.boundary, self.resource)
            if asked is not None
            for statements in asked.covering(action.lower())
            for statement in statements
            for condition in statement.conditions
        }
        return sorted(key for key in keys if key.lower() not in self.context)


def _compiled(source: Source, validate: Any) -> Policy:
    try:
        return compile_policy(validate(source.document), source.id)
    except MalformedPolicy as error:
        raise InvalidInput(f"{source.id}: {error}") from error


def given_context(request: Mapping[str, Any]) -> dict[str, ContextValue]:
    """The condition values of a simulator request."""
    found: dict[str, ContextValue] = {}
    for entry in request.get("ContextEntries") or ():
        values = [str(value) for value in entry.get("ContextKeyValues") or ()]
        many = str(entry.get("ContextKeyType", "")).endswith("List")
        if entry.get("ContextKeyName") and values:
            found[entry["ContextKeyName"].lower()] = values if many else values[0]
    return found


def inputs(documents: Sequence[str] | None, name: str) -> list[Source]:
    """Documents of a request, named by their place as AWS does: `PolicyInputList.1`."""
    return [Source(f"{name}.{n}", "IAM Policy", text) for n, text in enumerate(documents or (), start=1)]


def caller_from(arn: str) -> Caller:
    """A user or role as the simulated caller. Raises InvalidInput."""
    try:
        parsed = Arn.parse(arn)
    except ValueError as error:
        raise InvalidInput(f"Invalid ARN: {arn[:200]}") from error
    if parsed.resource == "root":
        return Caller(PrincipalKind.ROOT, arn, parsed.account)
    kind, _, name = parsed.resource.partition("/")
    if kind == "role":
        session = f"arn:aws:sts::{parsed.account}:assumed-role/{name.rpartition('/')[2]}/simulated"
        return Caller(PrincipalKind.ASSUMED_ROLE, session, parsed.account, arn)
    return Caller(PrincipalKind.USER, arn, parsed.account)


def _account_of(arn: str) -> str:
    try:
        return Arn.parse(arn).account
    except ValueError:
        return ""


def context_keys(documents: Iterable[str]) -> list[str]:
    """The condition keys and policy variables in documents, sorted. Raises InvalidInput."""
    found: dict[str, str] = {}
    for document in documents:
        try:
            content = validate_identity(document)
        except MalformedPolicy as error:
            raise InvalidInput(str(error)) from error
        names = [
            key for item in statements_of(content) for keys in (item.get("Condition") or {}).values() for key in keys
        ]
        for name in [*names, *_VARIABLE.findall(document)]:
            found.setdefault(name.lower(), name)
    return sorted(found.values())

"""The evaluation rules: all policies that apply to a request, one decision.

Follows the order of AWS's "policy evaluation logic": any explicit deny wins; then organization policies must allow on
every level; then a resource policy may grant by itself within the account; then identity policies, boundary and
session policies must all allow. Across accounts both sides must allow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from controlplane.access.policy.decision import Decision, PolicyKind
from controlplane.access.policy.match import Context
from controlplane.access.policy.parse import Policy, Statement
from controlplane.access.policy.principals import Caller, Named, PrincipalKind

_MEMO_LIMIT = 512


class PolicySet:
    """Policies that are asked together, indexed by action.

    The index is a memo of at most 512 actions; it is exact, never a filter, so losing it costs only time.
    """

    __slots__ = ("_memo", "policies")

    def __init__(self, policies: Iterable[Policy]) -> None:
        self.policies = tuple(policies)
        self._memo: dict[str, tuple[tuple[Statement, ...], tuple[Statement, ...]]] = {}

    def covering(self, action: str) -> tuple[tuple[Statement, ...], tuple[Statement, ...]]:
        """The Deny and the Allow statements whose action element covers a lower-case action."""
        found = self._memo.get(action)
        if found is None:
            statements = [s for policy in self.policies for s in policy.statements if s.covers_action(action)]
            found = tuple(s for s in statements if not s.allow), tuple(s for s in statements if s.allow)
            if len(self._memo) >= _MEMO_LIMIT:
                self._memo.clear()
            self._memo[action] = found
        return found


NO_POLICIES = PolicySet(())


@dataclass(frozen=True, slots=True)
class PrincipalPolicies:
    """Everything that limits or empowers a caller.

    `session` is None where the session has no session policies (they only ever limit). `service_control` has one set
    per level: root, each unit down, the account; empty outside an organization and for the management account.
    """

    identity: PolicySet = NO_POLICIES
    boundary: PolicySet | None = None
    session: PolicySet | None = None
    service_control: tuple[PolicySet, ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """The thing acted on: its ARN (or `*`), the account that owns it and the policies attached to it.

    `resource_control` has one set per level of the owner's organization. `trust` marks a role's trust policy and
    `delegates` any policy (a trust policy, a KMS key policy) without which not even the owner's account has access.
    """

    arn: str
    account: str
    policy: PolicySet | None = None
    resource_control: tuple[PolicySet, ...] = ()
    trust: bool = False
    delegates: bool = False


@dataclass(slots=True)
class Question:
    """One request to decide: who wants to do what to which target, with which condition values."""

    caller: Caller
    action: str
    target: Target
    context: Context = field(default_factory=dict)

    @property
    def resource_kind(self) -> PolicyKind:
        """What the target's policy is called."""
        return PolicyKind.TRUST if self.target.trust else PolicyKind.RESOURCE


def evaluate(question: Question, policies: PrincipalPolicies) -> Decision:
    """Decide one request on one resource."""
    action = question.action.lower()
    controlled = () if question.caller.service_linked else policies.service_control
    denial = _explicit_denial(question, action, policies, controlled)
    if denial is not None:
        return denial
    if not _every_level_allows(question.target.resource_control, question, action, named=True):
        return Decision(False, PolicyKind.RESOURCE_CONTROL)
    if not _every_level_allows(controlled, question, action, named=False):
        return Decision(False, PolicyKind.SERVICE_CONTROL)
    granted, by = _grant_of_resource(question, action)
    if question.caller.kind in (PrincipalKind.SERVICE, PrincipalKind.WEB_IDENTITY, PrincipalKind.ANONYMOUS):
        return _decided_by_resource(question, granted, by)
    if question.caller.account != question.target.account:
        if granted is Named.NOT:
            own = _allowed_by_principal(question, action, policies)
            return own if not own.allowed else Decision(False, question.resource_kind)
        return _allowed_by_principal(question, action, policies)
    return _within_account(question, action, policies, granted, by)


def _decided_by_resource(question: Question, granted: Named, by: Statement | None) -> Decision:
    if granted is Named.DIRECTLY:
        return Decision(True, question.resource_kind, by)
    return Decision(False, question.resource_kind)


def _within_account(
    question: Question, action: str, policies: PrincipalPolicies, granted: Named, by: Statement | None
) -> Decision:
    """A grant to the caller itself needs nothing else; one to its role is still limited by boundary and session."""
    if granted is Named.DIRECTLY:
        return Decision(True, question.resource_kind, by)
    if granted is Named.ISSUER:
        limit = _limited(question, action, policies)
        return limit or Decision(True, question.resource_kind, by)
    if question.target.delegates and granted is Named.NOT:
        return Decision(False, question.resource_kind)
    return _allowed_by_principal(question, action, policies)


def _allowed_by_principal(question: Question, action: str, policies: PrincipalPolicies) -> Decision:
    if question.caller.kind is PrincipalKind.ROOT:
        limit = _limited(question, action, policies)
        return limit or Decision(True, None)
    by = _first(policies.identity.covering(action)[1], question)
    if by is None:
        return Decision(False, PolicyKind.IDENTITY)
    return _limited(question, action, policies) or Decision(True, PolicyKind.IDENTITY, by)


def _limited(question: Question, action: str, policies: PrincipalPolicies) -> Decision | None:
    """The denial by a boundary or session policy that lacks an allowance, or None."""
    if policies.boundary is not None and _first(policies.boundary.covering(action)[1], question) is None:
        return Decision(False, PolicyKind.BOUNDARY)
    if policies.session is not None and _first(policies.session.covering(action)[1], question) is None:
        return Decision(False, PolicyKind.SESSION)
    return None


def _explicit_denial(
    question: Question, action: str, policies: PrincipalPolicies, controlled: tuple[PolicySet, ...]
) -> Decision | None:
    for level in controlled:
        if (by := _first(level.covering(action)[0], question)) is not None:
            return Decision(False, PolicyKind.SERVICE_CONTROL, by)
    for level in question.target.resource_control:
        if (by := _first_naming(level.covering(action)[0], question)) is not None:
            return Decision(False, PolicyKind.RESOURCE_CONTROL, by)
    attached = question.target.policy
    if attached is not None and (by := _first_naming(attached.covering(action)[0], question)) is not None:
        return Decision(False, question.resource_kind, by)
    if (by := _first(policies.identity.covering(action)[0], question)) is not None:
        return Decision(False, PolicyKind.IDENTITY, by)
    if policies.boundary is not None and (by := _first(policies.boundary.covering(action)[0], question)) is not None:
        return Decision(False, PolicyKind.BOUNDARY, by)
    if policies.session is not None and (by := _first(policies.session.covering(action)[0], question)) is not None:
        return Decision(False, PolicyKind.SESSION, by)
    return None


def _first(statements: tuple[Statement, ...], question: Question) -> Statement | None:
    resource, context = question.target.arn, question.context
    for statement in statements:
        if statement.applies(resource, context):
            return statement
    return None


def _first_naming(statements: tuple[Statement, ...], question: Question) -> Statement | None:
    for statement in statements:
        if _names(statement, question.caller) is not Named.NOT and statement.applies(
            question.target.arn, question.context
        ):
            return statement
    return None


def _names(statement: Statement, caller: Caller) -> Named:
    return Named.NOT if statement.principals is None else statement.principals.names(caller)


def _every_level_allows(levels: tuple[PolicySet, ...], question: Question, action: str, *, named: bool) -> bool:
    first: Callable[[tuple[Statement, ...], Question], Statement | None] = _first_naming if named else _first
    return all(first(level.covering(action)[1], question) is not None for level in levels)


def _grant_of_resource(question: Question, action: str) -> tuple[Named, Statement | None]:
    """The closest naming of the caller among the target's Allow statements that apply."""
    closest, by = Named.NOT, None
    if question.target.policy is None:
        return closest, by
    for statement in question.target.policy.covering(action)[1]:
        named = _names(statement, question.caller)
        if named > closest and statement.applies(question.target.arn, question.context):
            closest, by = named, statement
            if named is Named.DIRECTLY:
                break
    return closest, by

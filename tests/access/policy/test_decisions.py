"""Every decision case against our engine, and the words of denials."""

from __future__ import annotations

import pytest

from controlplane.access.policy.decision import PolicyKind, denial_message
from tests.access.policy.asking import decide, question_of
from tests.access.policy.cases import ALLOW, NO_IDENTITY, USER, Case, allow, conditions, deny, document, elements, rules

CASES: list[Case] = [*conditions.CASES, *elements.CASES, *rules.CASES]


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 300
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_decision(case: Case) -> None:
    decision = decide(case)
    if case.expect == ALLOW:
        assert decision.allowed, decision.reason(case.action)
        return
    assert not decision.allowed
    expected = f"with an {case.expect}" if case.expect.startswith("explicit") else f"because {case.expect} allows the"
    assert decision.reason(case.action).startswith(expected)


def test_words_of_an_implicit_denial() -> None:
    question = question_of(Case("", NO_IDENTITY, action="ec2:RunInstances"))
    decision = decide(Case("", NO_IDENTITY, action="ec2:RunInstances"))
    assert denial_message(
        question.caller, "ec2:RunInstances", "arn:aws:ec2:us-east-1:111111111111:instance/*", decision
    ) == (
        f"User: {USER} is not authorized to perform: ec2:RunInstances on resource: "
        "arn:aws:ec2:us-east-1:111111111111:instance/* "
        "because no identity-based policy allows the ec2:RunInstances action"
    )


def test_words_of_an_explicit_denial_without_resource() -> None:
    case = Case("", "", [document(allow())], scp=[[document(allow(), deny("ec2:*", Sid="NoMachines"))]], action="ec2:X")
    decision = decide(case)
    assert denial_message(question_of(case).caller, "ec2:X", "", decision) == (
        f"User: {USER} is not authorized to perform: ec2:X with an explicit deny in a service control policy"
    )
    assert decision.kind is PolicyKind.SERVICE_CONTROL
    assert decision.statement is not None
    assert (decision.statement.policy, decision.statement.sid, decision.statement.index) == (
        "policy-1",
        "NoMachines",
        2,
    )

"""Time of one policy decision: 20 policies of 10 statements each, warm. Run as a script; prints one line a case."""

from __future__ import annotations

import time

from controlplane.access.policy.evaluate import PolicySet, PrincipalPolicies, Question, Target, evaluate
from controlplane.access.policy.parse import compile_policy
from controlplane.access.policy.principals import Caller, PrincipalKind

BUDGET = 30e-6
_ACCOUNT = "111111111111"
_CALLER = Caller(PrincipalKind.USER, f"arn:aws:iam::{_ACCOUNT}:user/ann", _ACCOUNT)
_SERVICES = ["s3", "sqs", "sns", "iam", "ec2", "kms", "logs", "lambda", "dynamodb", "events"]


def policies() -> PrincipalPolicies:
    """Twenty policies that mix literals, wildcards, variables and conditions; only the last allows."""
    documents = []
    for number in range(20):
        statements = [
            {
                "Effect": "Allow",
                "Action": [f"{service}:Get*", f"{service}:List*", f"{service}:Describe{number}"],
                "Resource": f"arn:aws:{service}:*:{_ACCOUNT}:*team-{number}/${{aws:username}}/*",
                "Condition": {"StringEquals": {"aws:PrincipalTag/team": f"t{number}"}},
            }
            for service in _SERVICES[:9]
        ]
        statements.append(
            {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
        )
        documents.append({"Version": "2012-10-17", "Statement": statements})
    return PrincipalPolicies(PolicySet(compile_policy(item, f"policy-{n}") for n, item in enumerate(documents)))


def measure(repeat: int = 500) -> float:
    """CPU seconds of one decision, the best of twenty rounds."""
    everything = policies()
    question = Question(
        _CALLER,
        "sqs:GetQueueUrl",
        Target(f"arn:aws:sqs:us-east-1:{_ACCOUNT}:x-team-19/ann/jobs", _ACCOUNT),
        {"aws:username": "ann", "aws:principaltag/team": "t19", "aws:securetransport": "true"},
    )
    assert evaluate(question, everything).allowed
    rounds = []
    for _ in range(20):
        started = time.process_time()
        for _ in range(repeat):
            evaluate(question, everything)
        rounds.append((time.process_time() - started) / repeat)
    return min(rounds)


def main() -> None:
    """Print the time and its budget."""
    print(
        f"policy decision, 20 policies of 10 statements, warm: {measure() * 1e6:.1f} µs (budget {BUDGET * 1e6:.0f} µs)"
    )


if __name__ == "__main__":
    main()

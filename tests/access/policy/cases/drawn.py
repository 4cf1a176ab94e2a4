"""Cases drawn at random, the same for the same seed, for comparison with the independent evaluator."""

from __future__ import annotations

from random import Random
from typing import Any

from tests.access.policy.cases import ACCOUNT, OTHER, ROLE, ROOT, SESSION, USER, Case, Document, document

_ACTIONS = ["s3:GetObject", "s3:PutObject", "s3:GetObjectAcl", "sqs:SendMessage", "sqs:ReceiveMessage"]
_PATTERNS = [*_ACTIONS, "*", "s3:*", "sqs:*", "s3:Get*", "s3:*Object", "s3:G?tObject", "sqs:*Message", "S3:getobject"]
_RESOURCES = {
    "s3": ["arn:aws:s3:::red/ann/a", "arn:aws:s3:::red/bob/b.txt", "arn:aws:s3:::blue/ann"],
    "sqs": [f"arn:aws:sqs:us-east-1:{ACCOUNT}:red", f"arn:aws:sqs:eu-west-1:{ACCOUNT}:blue-1"],
}
_RESOURCE_PATTERNS = [
    "*",
    "arn:aws:s3:::red/*",
    "arn:aws:s3:::*/ann*",
    "arn:aws:s3:::red/${aws:username}/*",
    "arn:aws:s3:::${aws:PrincipalTag/team, 'blue'}/*",
    "arn:aws:s3:::???/ann/?",
    "arn:aws:sqs:*:*:*",
    "arn:aws:sqs:us-*:*:red",
    f"arn:aws:sqs:*:{ACCOUNT}:blue-?",
    "arn:aws:s*:::red/ann/a",
]
_PRINCIPALS: list[Any] = [
    "*",
    {"AWS": "*"},
    {"AWS": USER},
    {"AWS": ROLE},
    {"AWS": SESSION},
    {"AWS": ROOT},
    {"AWS": ACCOUNT},
    {"AWS": OTHER},
    {"AWS": [ROLE, USER]},
    {"Service": "ec2.amazonaws.com"},
]
_KEYS: dict[str, tuple[list[str], list[Any]]] = {
    "aws:username": (["String"], ["ann", "bob"]),
    "aws:PrincipalTag/team": (["String"], ["red", "blue", "Red"]),
    "aws:TagKeys": (["Set"], [["a"], ["a", "b"], ["b", "c"]]),
    "aws:MultiFactorAuthAge": (["Numeric"], ["5", "10", "100"]),
    "aws:CurrentTime": (["Date"], ["2026-11-21T12:00:00Z", "2020-01-01T00:00:00Z"]),
    "aws:SecureTransport": (["Bool"], ["true", "false"]),
    "aws:SourceIp": (["Ip"], ["10.1.2.3", "203.0.113.9"]),
    "aws:SourceArn": (["Arn"], ["arn:aws:sns:us-east-1:111111111111:news", "arn:aws:sns:eu-west-1:222222222222:x"]),
}
_STRINGS = ["StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase",
            "StringNotEqualsIgnoreCase"]  # fmt: skip
_NUMERIC = [f"Numeric{name}" for name in ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan")]
_SETS = [f"{qualifier}:{name}" for qualifier in ("ForAllValues", "ForAnyValue") for name in _STRINGS]
_ARNS = ["ArnLike", "ArnEquals", "ArnNotLike", "ArnNotEquals"]
_OPERATORS: dict[str, tuple[list[str], list[str]]] = {
    "String": (_STRINGS, ["ann", "a*", "red", "RED", "r?d", "${aws:username}", "*"]),
    "Set": (_SETS, ["a", "b", "*", "?", "B"]),
    "Numeric": (_NUMERIC, ["5", "10.0", "50"]),
    "Date": (["DateEquals", "DateLessThan", "DateGreaterThanEquals"], ["2026-11-21T12:00:00Z", "2024-01-01T00:00:00Z"]),
    "Bool": (["Bool"], ["true", "false"]),
    "Ip": (["IpAddress", "NotIpAddress"], ["10.0.0.0/8", "203.0.113.9/32", "10.1.2.0/24"]),
    "Arn": (_ARNS, ["arn:aws:sns:*:*:*", "arn:aws:sns:us-east-1:*:n*"]),
}


def draw(seed: int) -> Case:
    """One case."""
    random = Random(seed)
    action = random.choice(_ACTIONS)
    service = action.split(":")[0]
    across = random.random() < 0.25
    caller = random.choice([USER, USER, SESSION, SESSION, ""]) if not across else random.choice([USER, SESSION])
    resource = random.choice(_RESOURCES[service])
    anonymous = caller == ""
    owner = OTHER if across else ACCOUNT
    if across and service == "sqs":
        resource = resource.replace(ACCOUNT, OTHER)
    return Case(
        name=f"drawn {seed}",
        expect="",
        identity=[] if anonymous else [_policy(random) for _ in range(random.randint(0, 3))],
        action=action,
        resource=resource,
        owner=owner,
        caller=caller,
        context=_context(random),
        boundary=_policy(random, generous=True) if not anonymous and random.random() < 0.25 else None,
        scp=[]
        if anonymous or random.random() < 0.7
        else [[_policy(random, generous=True)] for _ in range(random.randint(1, 2))],
        policy=_policy(random, principal=True) if random.random() < 0.5 or anonymous else None,
    )


def _context(random: Random) -> dict[str, Any]:
    """Values of most keys; of `aws:username` always: without it NotResource and negated conditions would ask what a
    missing value is not, where the evaluator says nothing and AWS's documentation says that they match."""
    return {
        key: random.choice(values)
        for key, (_, values) in _KEYS.items()
        if key == "aws:username" or random.random() < 0.7
    }


def _policy(random: Random, *, generous: bool = False, principal: bool = False) -> Document:
    statements = [_statement(random, principal) for _ in range(random.randint(1, 3))]
    if generous:
        statements.append({"Effect": "Allow", "Action": "*", "Resource": "*"})
    return document(*statements)


def _some(random: Random, values: list[Any]) -> Any:
    return random.choice(values) if random.random() < 0.6 else random.sample(values, 2)


def _statement(random: Random, principal: bool) -> Document:
    made: Document = {"Effect": "Deny" if random.random() < 0.25 else "Allow"}
    made["NotAction" if random.random() < 0.15 else "Action"] = _some(random, _PATTERNS)
    made["NotResource" if random.random() < 0.15 else "Resource"] = _some(random, _RESOURCE_PATTERNS)
    if principal:
        made["Principal"] = random.choice(_PRINCIPALS)
    if random.random() < 0.45:
        made["Condition"] = _condition(random)
    return made


def _condition(random: Random) -> Document:
    block: Document = {}
    for key in random.sample(list(_KEYS), random.randint(1, 2)):
        operators, values = _OPERATORS[_KEYS[key][0][0]]
        if random.random() < 0.15:
            block["Null"] = {key: random.choice(["true", "false"])}
            continue
        operator = random.choice(operators)
        # The evaluator does not know ForAnyValue together with IfExists.
        if random.random() < 0.25 and not operator.startswith("ForAnyValue"):
            operator += "IfExists"
        block.setdefault(operator, {})[key] = _some(random, values)
    return block

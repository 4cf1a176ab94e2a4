"""Every condition operator: (operator, values in the policy, value in the request or None, does it hold)."""

from __future__ import annotations

from typing import Any

from tests.access.policy.cases import ALLOW, NO_IDENTITY, Case, permit

TAG, LIST = "aws:PrincipalTag/team", "aws:TagKeys"
NUMBER, DATE, BOOL, IP, ARN = (
    "aws:MultiFactorAuthAge",
    "aws:CurrentTime",
    "aws:SecureTransport",
    "aws:SourceIp",
    "aws:SourceArn",
)
TOPIC = "arn:aws:sns:us-east-1:111111111111:topic"

STRINGS = [
    ("StringEquals", "red", "red", True),
    ("StringEquals", "red", "Red", False),
    ("StringEquals", ["blue", "red"], "red", True),
    ("StringEquals", ["blue", "red"], "green", False),
    ("StringEquals", "red", None, False),
    ("StringEquals", "r*", "red", False),
    ("StringEquals", "r*", "r*", True),
    ("StringEquals", "", "", True),
    ("StringEqualsIfExists", "red", None, True),
    ("StringEqualsIfExists", "red", "blue", False),
    ("stringequals", "red", "red", True),
    ("StringNotEquals", "red", "blue", True),
    ("StringNotEquals", "red", "red", False),
    ("StringNotEquals", ["red", "blue"], "blue", False),
    ("StringNotEquals", ["red", "blue"], "green", True),
    ("StringNotEquals", "red", None, True),
    ("StringNotEqualsIfExists", "red", None, True),
    ("StringNotEqualsIfExists", "red", "red", False),
    ("StringEqualsIgnoreCase", "rED", "Red", True),
    ("StringEqualsIgnoreCase", "red", "reed", False),
    ("StringEqualsIgnoreCase", "red", None, False),
    ("StringNotEqualsIgnoreCase", "RED", "red", False),
    ("StringNotEqualsIgnoreCase", "RED", "blue", True),
    ("StringNotEqualsIgnoreCase", "RED", None, True),
    ("StringLike", "r*d", "red", True),
    ("StringLike", "r*d", "rd", True),
    ("StringLike", "r?d", "red", True),
    ("StringLike", "r?d", "reed", False),
    ("StringLike", "*", "", True),
    ("StringLike", "*", None, False),
    ("StringLike", "*e*", "red", True),
    ("StringLike", "R*", "red", False),
    ("StringLike", "a*b*c", "a1b2b3c", True),
    ("StringLike", "a*b*c", "a1c2b", False),
    ("StringLike", "a.c", "abc", False),
    ("StringLike", ["x*", "r*"], "red", True),
    ("StringLikeIfExists", "x*", None, True),
    ("StringNotLike", "r*", "red", False),
    ("StringNotLike", "r*", "blue", True),
    ("StringNotLike", "r*", None, True),
    ("StringNotLike", ["r*", "b*"], "blue", False),
    ("StringNotLikeIfExists", "r*", None, True),
]
NUMBERS = [
    ("NumericEquals", "5", "5", True),
    ("NumericEquals", "5", "5.0", True),
    ("NumericEquals", "5", "6", False),
    ("NumericEquals", ["4", "6"], "6", True),
    ("NumericEquals", "5", None, False),
    ("NumericEqualsIfExists", "5", None, True),
    ("NumericNotEquals", "5", "6", True),
    ("NumericNotEquals", "5", "5", False),
    ("NumericNotEquals", "5", None, True),
    ("NumericLessThan", "5", "4", True),
    ("NumericLessThan", "5", "5", False),
    ("NumericLessThan", "10", "9", True),
    ("NumericLessThan", "5", None, False),
    ("NumericLessThanEquals", "5", "5", True),
    ("NumericLessThanEquals", "5", "5.1", False),
    ("NumericGreaterThan", "5", "6", True),
    ("NumericGreaterThan", "5", "5", False),
    ("NumericGreaterThan", "9", "10", True),
    ("NumericGreaterThanEquals", "5", "5", True),
    ("NumericGreaterThanEquals", "5", "4", False),
    ("NumericGreaterThanIfExists", "5", None, True),
    ("NumericLessThan", "-1", "-2", True),
]
NOON = "2026-11-21T12:00:00Z"
DATES = [
    ("DateEquals", NOON, NOON, True),
    ("DateEquals", "2026-11-21T13:00:00+01:00", NOON, True),
    ("DateEquals", "2026-11-22T12:00:00Z", NOON, False),
    ("DateEquals", NOON, None, False),
    ("DateNotEquals", NOON, NOON, False),
    ("DateNotEquals", "2026-11-22T12:00:00Z", NOON, True),
    ("DateLessThan", "2026-11-22T00:00:00Z", NOON, True),
    ("DateLessThan", NOON, NOON, False),
    ("DateLessThanEquals", NOON, NOON, True),
    ("DateGreaterThan", "2026-11-20T00:00:00Z", NOON, True),
    ("DateGreaterThan", "2027-01-01T00:00:00Z", NOON, False),
    ("DateGreaterThan", "2026-11-21", NOON, True),
    ("DateGreaterThanEquals", NOON, NOON, True),
    ("DateGreaterThanEquals", NOON, None, False),
    ("DateLessThanIfExists", NOON, None, True),
    ("DateGreaterThan", "1700000000", NOON, True),
]
BOOLS = [
    ("Bool", "true", "true", True),
    ("Bool", "true", "false", False),
    ("Bool", "false", "false", True),
    ("Bool", "TRUE", "true", True),
    ("Bool", True, "true", True),
    ("Bool", "true", None, False),
    ("BoolIfExists", "true", None, True),
    ("BoolIfExists", "false", "true", False),
    ("Bool", ["true", "false"], "false", True),
]
BINARIES = [
    ("BinaryEquals", "QmluYXJ5", "QmluYXJ5", True),
    ("BinaryEquals", "QmluYXJ5", "QmluYXJ6", False),
    ("BinaryEquals", "not base64!", "not base64!", False),
    ("BinaryEquals", "QmluYXJ5", None, False),
]
ADDRESSES = [
    ("IpAddress", "10.0.0.0/8", "10.1.2.3", True),
    ("IpAddress", "10.0.0.0/8", "11.1.2.3", False),
    ("IpAddress", "10.1.2.3", "10.1.2.3", True),
    ("IpAddress", "10.1.2.3/32", "10.1.2.4", False),
    ("IpAddress", ["192.0.2.0/24", "10.0.0.0/8"], "10.1.2.3", True),
    ("IpAddress", "0.0.0.0/0", "203.0.113.9", True),
    ("IpAddress", "10.0.0.0/8", None, False),
    ("IpAddressIfExists", "10.0.0.0/8", None, True),
    ("IpAddress", "2001:db8::/32", "2001:db8::1", True),
    ("IpAddress", "2001:db8::/32", "2001:db9::1", False),
    ("NotIpAddress", "10.0.0.0/8", "10.1.2.3", False),
    ("NotIpAddress", "10.0.0.0/8", "203.0.113.9", True),
    ("NotIpAddress", ["10.0.0.0/8", "203.0.113.0/24"], "203.0.113.9", False),
    ("NotIpAddress", "10.0.0.0/8", None, True),
]
ARNS = [
    ("ArnEquals", TOPIC, TOPIC, True),
    ("ArnEquals", TOPIC, TOPIC + "2", False),
    ("ArnEquals", "arn:aws:sns:*:111111111111:*", TOPIC, True),
    ("ArnLike", "arn:aws:sns:*:*:top*", TOPIC, True),
    ("ArnLike", "arn:aws:sns:*:222222222222:*", TOPIC, False),
    ("ArnLike", "arn:aws:sns:us-east-?:111111111111:topic", TOPIC, True),
    ("ArnLike", ["arn:aws:sqs:*:*:*", "arn:aws:sns:*:*:*"], TOPIC, True),
    ("ArnLike", TOPIC, None, False),
    ("ArnLikeIfExists", TOPIC, None, True),
    ("ArnNotEquals", TOPIC, TOPIC, False),
    ("ArnNotEquals", TOPIC, TOPIC + "2", True),
    ("ArnNotLike", "arn:aws:sns:*:*:*", TOPIC, False),
    ("ArnNotLike", "arn:aws:sqs:*:*:*", TOPIC, True),
    ("ArnNotLike", "arn:aws:sqs:*:*:*", None, True),
    ("ArnLike", "arn:aws:s*:111111111111:topic", "arn:aws:s:x:y:111111111111:topic", False),
    ("StringLike", "arn:aws:sns:*:topic", TOPIC, True),
]
NULLS = [
    ("Null", "true", None, True),
    ("Null", "true", "red", False),
    ("Null", "false", None, False),
    ("Null", "false", "red", True),
    ("Null", False, "red", True),
]
SETS = [
    ("ForAllValues:StringEquals", ["a", "b"], ["a"], True),
    ("ForAllValues:StringEquals", ["a", "b"], ["a", "b"], True),
    ("ForAllValues:StringEquals", ["a", "b"], ["a", "c"], False),
    ("ForAllValues:StringEquals", ["a", "b"], None, True),
    ("ForAllValues:StringEquals", "a", ["a"], True),
    ("ForAllValues:StringLike", ["a*"], ["a1", "a2"], True),
    ("ForAllValues:StringLike", ["a*"], ["a1", "b2"], False),
    ("ForAllValues:StringNotEquals", ["a"], ["b", "c"], True),
    ("ForAllValues:StringNotEquals", ["a"], ["a", "c"], False),
    ("ForAllValues:StringNotEquals", ["a"], None, True),
    ("ForAllValues:StringNotLike", ["a*"], ["b", "c"], True),
    ("ForAllValues:StringNotLike", ["a*"], ["a1", "c"], False),
    ("ForAllValues:StringEqualsIfExists", ["a"], None, True),
    ("ForAnyValue:StringEquals", ["a", "b"], ["a", "c"], True),
    ("ForAnyValue:StringEquals", ["a", "b"], ["c"], False),
    ("ForAnyValue:StringEquals", ["a", "b"], None, False),
    ("ForAnyValue:StringLike", ["a*"], ["b", "a1"], True),
    ("ForAnyValue:StringLike", ["a*"], ["b"], False),
    ("ForAnyValue:StringNotEquals", ["a"], ["a", "c"], True),
    ("ForAnyValue:StringNotEquals", ["a"], ["a"], False),
    ("ForAnyValue:StringNotLike", ["a*"], ["a1", "c"], True),
    ("ForAnyValue:StringEqualsIgnoreCase", ["A"], ["a"], True),
    ("foranyvalue:stringequals", ["a"], ["a"], True),
]

_GROUPS: list[tuple[str, list[tuple[str, Any, Any, bool]], bool]] = [
    (TAG, STRINGS, True),
    (NUMBER, NUMBERS, True),
    (DATE, DATES, True),
    (BOOL, BOOLS, True),
    ("s3:binary", BINARIES, False),
    (IP, ADDRESSES, True),
    (ARN, ARNS, True),
    (TAG, NULLS, True),
    (LIST, SETS, True),
]


def _case(key: str, row: tuple[str, Any, Any, bool], oracle: bool) -> Case:
    operator, values, actual, holds = row
    return Case(
        name=f"{operator} {values} against {actual}",
        expect=ALLOW if holds else NO_IDENTITY,
        identity=[permit("s3:GetObject", Condition={operator: {key: values}})],
        context={} if actual is None else {key: actual},
        oracle=oracle,
    )


_TWO_KEYS = {"StringEquals": {TAG: "red", "aws:PrincipalTag/stage": "prod"}}
_TWO_OPERATORS = {"StringEquals": {TAG: "red"}, "Bool": {BOOL: "true"}}

CASES = [_case(key, row, oracle) for key, rows, oracle in _GROUPS for row in rows] + [
    Case(
        "all keys of an operator must hold",
        ALLOW,
        [permit(Condition=_TWO_KEYS)],
        context={TAG: "red", "aws:PrincipalTag/stage": "prod"},
    ),
    Case("one key of an operator fails", NO_IDENTITY, [permit(Condition=_TWO_KEYS)], context={TAG: "red"}),
    Case("all operators must hold", ALLOW, [permit(Condition=_TWO_OPERATORS)], context={TAG: "red", BOOL: "true"}),
    Case("one operator fails", NO_IDENTITY, [permit(Condition=_TWO_OPERATORS)], context={TAG: "red", BOOL: "false"}),
    Case(
        "keys are compared without case",
        ALLOW,
        [permit(Condition={"StringEquals": {"AWS:principaltag/TEAM": "red"}})],
        context={TAG: "red"},
    ),
]

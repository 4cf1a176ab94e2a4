"""What somebody would send who wants to stop or to fool the engine."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.access.policy import match
from controlplane.access.policy.conditions import compile_condition
from controlplane.access.policy.evaluate import PolicySet, PrincipalPolicies, Question, Target, evaluate
from controlplane.access.policy.grammar import MalformedPolicy, validate_identity, validate_resource, validate_trust
from controlplane.access.policy.match import arn_test, glob_test, resolve, tokenize
from controlplane.access.policy.parse import compile_policy
from tests.access.policy.asking import caller_of
from tests.access.policy.cases import ACCOUNT, USER

LONG = "a" * 2048
SECOND = 1.0


def _matches(pattern: str, value: str, compile: Any = glob_test) -> bool:
    tokens = resolve(tokenize(pattern, variables=True), {})
    return tokens is not None and compile(tokens)(value)


@pytest.mark.parametrize(
    "pattern",
    [
        "*a" * 1500 + "b",
        "a*" * 1500 + "b",
        "*" * 6000 + "b",
        "?" * 3000,
        "*?" * 3000 + "b",
        "*" + "a" * 1000 + "?" * 1000 + "b",
        "*aaaaaaaaab" * 500,
        "**a**a**a**a**a**a**a**a**a**a**a**a**b",
    ],
)
@pytest.mark.parametrize("compile", [glob_test, arn_test])
def test_patterns_cannot_backtrack_for_long(pattern: str, compile: Any) -> None:
    started = time.perf_counter()
    assert not _matches(f"arn:aws:s3:::{pattern}", f"arn:aws:s3:::{LONG}", compile)
    assert time.perf_counter() - started < SECOND


def test_wildcards_in_every_part() -> None:
    started = time.perf_counter()
    part = "*a*a*a*a*a*a*a*b"
    assert not _matches(":".join(["arn", *[part] * 5]), ":".join(["arn", *["a" * 300] * 5]), arn_test)
    assert time.perf_counter() - started < SECOND


@given(st.text("ab*?", max_size=12), st.text("ab", max_size=12))
@settings(max_examples=500, deadline=None)
def test_globs_agree_with_the_plain_definition(pattern: str, value: str) -> None:
    def plain(p: str, v: str) -> bool:
        if not p:
            return not v
        if p[0] == "*":
            return plain(p[1:], v) or bool(v and plain(p, v[1:]))
        return bool(v) and p[0] in (v[0], "?") and plain(p[1:], v[1:])

    assert _matches(pattern, value) == plain(pattern, value)


def test_a_resource_cannot_pose_as_another_account() -> None:
    mine = "arn:aws:*:*:111111111111:*"
    assert _matches(mine, "arn:aws:sqs:us-east-1:111111111111:q", arn_test)
    assert not _matches(mine, "arn:aws:sqs:us-east-1:222222222222:x:111111111111:q", arn_test)


def test_values_of_the_request_are_never_patterns() -> None:
    tokens = tokenize("home/${aws:username}/*", variables=True)
    glob = resolve(tokens, {"aws:username": "*"})
    assert glob is not None
    assert not glob_test(glob)("home/ann/x")
    assert glob_test(glob)("home/*/x")
    nested = resolve(tokenize("${aws:username}", variables=True), {"aws:username": "${aws:userid}", "aws:userid": "x"})
    assert nested == ("${aws:userid}",)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 50_000,
        '{"Version":"2012-10-17","Statement":' + "[" * 900 + "]" * 900 + "}",
        '{"Version":"2012-10-17","Statement":[' + "{}," * 9_000 + "{}]}",
        '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Sid":1e999}}',
        '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Sid":NaN}}',
        '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Sid":' + "9" * 9000 + "}}",
        "\ufeff{}",
        "\x00",
        "\ud800",
        '"\\ud800"',
    ],
)
@pytest.mark.parametrize("validate", [validate_identity, validate_trust, validate_resource])
def test_bombs_are_malformed(text: str, validate: Any) -> None:
    started = time.perf_counter()
    with pytest.raises(MalformedPolicy):
        validate(text)
    assert time.perf_counter() - started < SECOND


@pytest.mark.parametrize("text", ["\\u0000", "\\ud800", "\\udc00\\ud800", "x\\u0000"])
@pytest.mark.parametrize("place", ["key", "value"])
def test_what_can_neither_be_stored_nor_told_is_no_text(text: str, place: str) -> None:
    def statement(text: str) -> str:
        condition = f'"{text}":"a"' if place == "key" else f'"aws:username":"{text}"'
        statement = f'"Effect":"Allow","Action":"s3:*","Condition":{{"StringEquals":{{{condition}}}}}'
        return f'{{"Version":"2012-10-17","Statement":{{{statement},MORE}}}}'

    for validate, more in ((validate_identity, '"Resource":"*"'), (validate_resource, '"Principal":"*"')):
        validate(statement("\\ud83d\\ude00").replace("MORE", more))
        with pytest.raises(MalformedPolicy):
            validate(statement(text).replace("MORE", more))


_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(
        ["*", "s3:*", "arn:aws:s3:::b/*", "${aws:username}", "Allow", "Deny", "2012-10-17", "arn:aws", "${", "$"]
    ),
)
_KEYS = st.sampled_from(
    ["Version", "Id", "Statement", "Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal",
     "NotPrincipal", "Condition", "StringLike", "ForAllValues:Bool", "IpAddress", "DateLessThan", "Null", "AWS",
     "Service"]
)  # fmt: skip
_JSON = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=5), max_leaves=20
)
_STATEMENT = st.fixed_dictionaries(
    {"Effect": st.sampled_from(["Allow", "Deny"]), "Action": _SCALARS | st.lists(_SCALARS, max_size=2)},
    optional={
        "Resource": _SCALARS | st.lists(_SCALARS, max_size=2),
        "Condition": st.dictionaries(_KEYS, st.dictionaries(st.text(max_size=5), _JSON, max_size=2), max_size=2)
        | _JSON,
        "Principal": _JSON,
        "Sid": _SCALARS,
    },
)
_DOCUMENTS = _JSON | st.fixed_dictionaries(
    {"Version": st.just("2012-10-17"), "Statement": _STATEMENT | st.lists(_STATEMENT, max_size=2)}
)


@given(_DOCUMENTS)
@settings(max_examples=600, deadline=None)
def test_any_json_is_refused_or_decides(document: Any) -> None:
    """No document makes the engine raise anything but MalformedPolicy; what is accepted compiles and decides."""
    text = json.dumps(document)
    for validate in (validate_identity, validate_trust, validate_resource):
        try:
            accepted = validate(text)
        except MalformedPolicy:
            continue
        policy = PolicySet([compile_policy(accepted, "p")])
        question = Question(
            caller_of(USER), "s3:GetObject", Target("arn:aws:s3:::b/k", ACCOUNT, policy), {"a": ["x", ""]}
        )
        evaluate(question, PrincipalPolicies(policy, policy, policy, (policy,)))


_OPERATORS = st.sampled_from(
    ["StringEquals", "StringLike", "NumericLessThan", "DateGreaterThan", "Bool", "BinaryEquals", "IpAddress", "ArnLike",
     "Null", "ForAllValues:StringEquals", "ForAnyValue:IpAddress", "NumericEqualsIfExists", "NotIpAddress"]
)  # fmt: skip


@given(_OPERATORS, st.lists(st.text(max_size=20), max_size=3), st.text(max_size=40) | st.lists(st.text(max_size=9)))
@settings(max_examples=500, deadline=None)
def test_no_value_breaks_an_operator(operator: str, values: list[str], actual: Any) -> None:
    condition = compile_condition(operator, "k", values, variables=True)
    assert condition.test({"k": actual}) in (True, False)
    assert condition.test({}) in (True, False)


@pytest.mark.parametrize(
    "date", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "-99999999999999999", "2026-13-01", "٢٠٢٦"]
)
def test_dates_at_the_edge(date: str) -> None:
    condition = compile_condition("DateLessThan", "k", [date], variables=False)
    assert condition.test({"k": "2026-11-21T12:00:00Z"}) in (True, False)
    assert condition.test({"k": date}) is False


def test_long_values_are_not_kept() -> None:
    """A caller who sends ever new long values must not fill the caches."""
    before = match._compiled.cache_info().currsize, glob_test.cache_info().currsize
    condition = compile_condition("StringLike", "k", ["x${aws:useragent}*"], variables=True)
    for number in range(50):
        condition.test({"k": "x", "aws:useragent": f"{number}" * 300})
    assert (match._compiled.cache_info().currsize, glob_test.cache_info().currsize) == before
    for number in range(50):
        condition.test({"k": "x", "aws:useragent": f"{number}"})
    assert match._compiled.cache_info().currsize > before[0]
    assert glob_test.cache_info().currsize == before[1]

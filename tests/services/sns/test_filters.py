"""Filter policies: what passes, and what is no policy."""

from __future__ import annotations

import json
from typing import Any

import pytest

from controlplane.services.sns.filters import ATTRIBUTES, BODY, InvalidFilter, check, compiled


def passes(policy: Any, body: Any = None, **attributes: tuple[str, str]) -> bool:
    text = json.dumps(policy)
    scope = ATTRIBUTES if body is None else BODY
    check(text, scope)
    given = {name: {"DataType": type, "StringValue": value} for name, (type, value) in attributes.items()}
    return compiled(text, scope).wants(json.dumps(body), given)


NUMBER, TEXT, ARRAY = "Number", "String", "String.Array"


@pytest.mark.parametrize(
    ("condition", "wanted", "unwanted"),
    [
        ("a", (TEXT, "a"), (TEXT, "b")),
        (1, (NUMBER, "1.0"), (TEXT, "1")),
        ({"prefix": "ab"}, (TEXT, "abc"), (TEXT, "ba")),
        ({"suffix": "ab"}, (TEXT, "cab"), (TEXT, "abc")),
        ({"equals-ignore-case": "Ab"}, (TEXT, "aB"), (TEXT, "b")),
        ({"anything-but": ["a", "b"]}, (TEXT, "c"), (TEXT, "a")),
        ({"anything-but": {"prefix": "a"}}, (TEXT, "b"), (TEXT, "ab")),
        ({"numeric": [">", 0, "<=", 100]}, (NUMBER, "100"), (NUMBER, "100.5")),
        ({"numeric": ["=", 3]}, (NUMBER, "3"), (NUMBER, "-3")),
        ({"cidr": "10.0.0.0/24"}, (TEXT, "10.0.0.255"), (TEXT, "10.0.1.0")),
        ("a", (ARRAY, '["b","a"]'), (ARRAY, '["b"]')),
        ({"anything-but": ["a"]}, (ARRAY, '["a","b"]'), (ARRAY, '["a"]')),
    ],
)
def test_each_operator_on_an_attribute(condition: Any, wanted: tuple[str, str], unwanted: tuple[str, str]) -> None:
    policy = {"key": [condition]}
    assert passes(policy, key=wanted)
    assert not passes(policy, key=unwanted)
    assert not passes(policy, other=wanted), "a condition on what is not there does not hold"


def test_existence() -> None:
    assert passes({"key": [{"exists": False}]}, other=(TEXT, "a"))
    assert not passes({"key": [{"exists": False}]}, key=(TEXT, "a"))
    assert passes({"key": [{"exists": True}]}, key=(TEXT, "a"))
    assert not passes({"key": [None]}, other=(TEXT, "a"))


def test_bodies_nest_and_an_array_passes_by_one_element() -> None:
    policy = {"Records": {"s3": {"object": {"key": [{"prefix": "auto-"}]}}, "eventName": [{"prefix": "Created"}]}}
    car = {"eventName": "Created:Put", "s3": {"object": [[{"key": "auto-1"}]]}}
    home = {"eventName": "Created:Put", "s3": {"object": {"key": "home-1"}}}
    removed = {**car, "eventName": "Removed"}
    assert passes(policy, {"Records": [home, car]})
    assert not passes(policy, {"Records": [home, removed]}), "both must hold for the same element"
    assert passes({"a.b": ["x"]}, {"a": {"b": "x"}}) and passes({"a": {"b": ["x"]}}, {"a.b": "x"})
    assert passes({"list": [{"exists": False}]}, {"list": []})
    assert not passes({"a": ["x"]}, "no object")


def test_choices() -> None:
    policy = {"$or": [{"a": ["x"]}, {"b": ["y"]}], "c": ["z"]}
    assert passes(policy, {"a": "x", "c": "z"}) and passes(policy, {"b": "y", "c": "z"})
    assert not passes(policy, {"c": "z"}) and not passes(policy, {"a": "x"})


@pytest.mark.parametrize(
    ("policy", "complaint"),
    [
        ({"key": "value"}, '"key" must be an object or an array'),
        ({"key": []}, "Empty arrays are not allowed"),
        ({"key": [["a"]]}, "Match value must be String"),
        ({"key": [{"sounds-like": "a"}]}, "Unrecognized match type sounds-like"),
        ({"key": [{"prefix": 1}]}, "prefix match pattern must be a string"),
        ({"key": [{"numeric": ["<", 1, ">", 0]}]}, "Too many elements in numeric expression"),
        ({"key": [{"numeric": [">", 3, "<", 1]}]}, "Bottom must be less than top"),
        ({"key": [{"cidr": "10.0.0.0"}]}, "Malformed CIDR"),
        ({f"k{n}": ["a"] for n in range(6)}, "can not have more than 5 keys"),
        ({"a": [str(n) for n in range(151)]}, "too complex"),
        ({"$or": [{"a": [1]}, {"a": {"b": {"c": [*range(60)]}}}]}, "too complex"),
    ],
)
def test_what_is_no_policy(policy: Any, complaint: str) -> None:
    with pytest.raises(InvalidFilter, match=complaint.replace("(", "[(]")):
        check(json.dumps(policy), BODY)

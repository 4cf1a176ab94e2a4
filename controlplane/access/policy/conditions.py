"""The Condition element: every operator, with IfExists, ForAllValues and ForAnyValue."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from controlplane.access.policy.match import Context, Glob, Patterns, Test, arn_test, glob_test, literal, tokenize

Compile = Callable[[Glob], Test]

_NUMBER = re.compile(r"[+-]?\d{1,40}(\.\d{1,40})?", re.ASCII)
_EPOCH = re.compile(r"-?\d{1,18}", re.ASCII)
_MONTH = re.compile(r"\d{4}-\d\d", re.ASCII)
_SHORT_HOUR = re.compile(r"^(\d{4}-\d\d-\d\d)[Tt](\d)(?!\d)", re.ASCII)
_NAME = re.compile(r"(?:(ForAllValues|ForAnyValue):)?([A-Za-z]+?)(IfExists)?", re.IGNORECASE)


def parse_number(text: str) -> float | None:
    """A decimal number, or None."""
    return float(text) if _NUMBER.fullmatch(text) else None


def parse_date(text: str) -> float | None:
    """Seconds since the epoch of an ISO 8601 date or of epoch seconds, or None."""
    if _EPOCH.fullmatch(text):
        return float(text)
    if _MONTH.fullmatch(text):
        text += "-01"
    try:
        moment = datetime.fromisoformat(_SHORT_HOUR.sub(r"\1T0\2", text))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _parse_bool(text: str) -> bool | None:
    return {"true": True, "false": False}.get(text.lower())


def _parse_binary(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


_LONGEST_ADDRESS = 64


def _parse_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    return _address(text) if len(text) <= _LONGEST_ADDRESS else None


@lru_cache(maxsize=4096)
def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _ordered(parse: Callable[[str], Any], compare: Callable[[Any, Any], bool]) -> Compile:
    """A comparison of parsed values; what cannot be parsed, on either side, is not equal, less or greater."""

    def compile(glob: Glob) -> Test:
        text = literal(glob)
        wanted = None if text is None else parse(text)

        def test(value: str) -> bool:
            actual = parse(value)
            return actual is not None and wanted is not None and compare(actual, wanted)

        return test

    return compile


def _ignore_case(glob: Glob) -> Test:
    wanted = (literal(glob) or "").casefold()
    return lambda value: value.casefold() == wanted


def _in_network(glob: Glob) -> Test:
    try:
        network = ipaddress.ip_network(literal(glob) or "", strict=False)
    except ValueError:
        return lambda _value: False

    def test(value: str) -> bool:
        address = _parse_address(value)
        return address is not None and address.version == network.version and address in network

    return test


@dataclass(frozen=True, slots=True)
class _Operator:
    compile: Compile
    negated: bool = False
    wildcards: bool = False


def _family(prefix: str, parse: Callable[[str], Any]) -> dict[str, _Operator]:
    return {
        f"{prefix}equals": _Operator(_ordered(parse, operator.eq)),
        f"{prefix}notequals": _Operator(_ordered(parse, operator.eq), negated=True),
        f"{prefix}lessthan": _Operator(_ordered(parse, operator.lt)),
        f"{prefix}lessthanequals": _Operator(_ordered(parse, operator.le)),
        f"{prefix}greaterthan": _Operator(_ordered(parse, operator.gt)),
        f"{prefix}greaterthanequals": _Operator(_ordered(parse, operator.ge)),
    }


_OPERATORS: dict[str, _Operator] = {
    "stringequals": _Operator(glob_test),
    "stringnotequals": _Operator(glob_test, negated=True),
    "stringequalsignorecase": _Operator(_ignore_case),
    "stringnotequalsignorecase": _Operator(_ignore_case, negated=True),
    "stringlike": _Operator(glob_test, wildcards=True),
    "stringnotlike": _Operator(glob_test, negated=True, wildcards=True),
    **_family("numeric", parse_number),
    **_family("date", parse_date),
    "bool": _Operator(_ordered(_parse_bool, operator.eq)),
    "binaryequals": _Operator(_ordered(_parse_binary, operator.eq)),
    "ipaddress": _Operator(_in_network),
    "notipaddress": _Operator(_in_network, negated=True),
    "arnequals": _Operator(arn_test, wildcards=True),
    "arnlike": _Operator(arn_test, wildcards=True),
    "arnnotequals": _Operator(arn_test, negated=True, wildcards=True),
    "arnnotlike": _Operator(arn_test, negated=True, wildcards=True),
}


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator on one key. `test` answers for a request; the rest is for explanations."""

    operator: str
    key: str
    values: tuple[str, ...]
    test: Callable[[Context], bool]


def is_operator(name: str) -> bool:
    """Whether a name such as `ForAllValues:StringLikeIfExists` is an operator of the language."""
    parts = _NAME.fullmatch(name)
    if parts is None:
        return False
    return parts[2].lower() in _OPERATORS or (parts[2].lower() == "null" and not parts[1] and not parts[3])


def is_date_operator(name: str) -> bool:
    """Whether an operator compares dates."""
    parts = _NAME.fullmatch(name)
    return parts is not None and parts[2].lower().startswith("date")


def compile_condition(name: str, key: str, values: Sequence[str], *, variables: bool) -> Condition:
    """Compile one operator on one key. Raises ValueError when the operator is unknown."""
    parts = _NAME.fullmatch(name)
    if parts is None or not is_operator(name):
        raise ValueError(f"unknown condition operator {name!r}")
    qualifier, base, if_exists = (parts[1] or "").lower(), parts[2].lower(), bool(parts[3])
    lowered = key.lower()
    if base == "null":
        test = _null_test(lowered, values)
    else:
        kind = _OPERATORS[base]
        patterns = Patterns([tokenize(v, variables=variables, wildcards=kind.wildcards) for v in values], kind.compile)
        test = _test(lowered, qualifier, kind.negated, if_exists, patterns)
    return Condition(name, key, tuple(values), test)


def _null_test(key: str, values: Sequence[str]) -> Callable[[Context], bool]:
    wanted = {_parse_bool(value) for value in values}

    def test(context: Context) -> bool:
        return (not context.get(key)) in wanted

    return test


def _test(key: str, qualifier: str, negated: bool, if_exists: bool, patterns: Patterns) -> Callable[[Context], bool]:
    matches = patterns.matches
    if qualifier:
        when_missing = qualifier == "forallvalues" or if_exists
        decide = all if qualifier == "forallvalues" else any

        def test(context: Context) -> bool:
            value = context.get(key)
            if not value and not isinstance(value, str):
                return when_missing
            items = [value] if isinstance(value, str) else value
            return decide(matches(item, context) is not negated for item in items)

        return test
    when_missing = negated or if_exists

    def test_single(context: Context) -> bool:
        value = context.get(key)
        if isinstance(value, str):
            return matches(value, context) is not negated
        if not value:
            return when_missing
        return any(matches(item, context) for item in value) is not negated

    return test_single

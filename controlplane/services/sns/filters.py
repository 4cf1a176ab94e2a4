"""Filter policies: which of a topic's messages a subscription wants.

A policy is a tree of names; below each of them stands a list of conditions of which one must hold. It is asked about
the message's attributes or about its body, in which it holds for an array when it holds for one of its elements.

Source: "Amazon SNS subscription filter policies" in the SNS developer guide.
"""

from __future__ import annotations

import ipaddress
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

BODY = "MessageBody"
ATTRIBUTES = "MessageAttributes"
_MOST_KEYS = 5
_MOST_COMBINATIONS = 150
_LARGEST = 256 * 1024
_DEEPEST = 16
_DEEPEST_DOCUMENT = 100
_MOST_ALTERNATIVES = 1000
_OR = "$or"
_ABSENT = object()
_WORDS = {"=": "equals"}
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

Condition = Callable[[Any], bool]


class InvalidFilter(Exception):
    """The policy is none. The message is AWS's."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A policy, ready to be asked."""

    scope: str
    tree: _Tree

    def wants(self, body: str, attributes: Mapping[str, Any]) -> bool:
        """Whether a message passes."""
        if self.scope == BODY:
            document = _document(body)
            return document is not None and self.tree.holds(document)
        return self.tree.holds({name: _value(attribute) for name, attribute in attributes.items()})


@lru_cache(maxsize=8)
def _document(body: str) -> dict[str, Any] | None:
    """A body as policies see it, read once for all that are asked about it; None where it is no JSON object."""
    try:
        document = orjson.loads(body)
        return _unfolded(document) if isinstance(document, dict) else None
    except (orjson.JSONDecodeError, InvalidFilter):
        return None


@dataclass(frozen=True, slots=True)
class _Tree:
    """All of `names` must hold, and one of each of `choices`."""

    names: Mapping[str, _Tree | tuple[Condition, ...]]
    choices: tuple[tuple[_Tree, ...], ...]

    def holds(self, node: Any) -> bool:
        if isinstance(node, list):
            return any(self.holds(item) for item in node)
        found = node if isinstance(node, dict) else {}
        return all(_holds(rule, found.get(name, _ABSENT)) for name, rule in self.names.items()) and all(
            any(tree.holds(found) for tree in choice) for choice in self.choices
        )


def _holds(rule: _Tree | tuple[Condition, ...], node: Any) -> bool:
    if isinstance(rule, _Tree):
        return rule.holds(node)
    leaves = list(_leaves(node))
    return any(condition(leaf) for condition in rule for leaf in leaves)


def _leaves(node: Any) -> Sequence[Any]:
    """The values of an array at any depth; of an empty one, that nothing is there."""
    if not isinstance(node, list):
        return [node]
    return [leaf for item in node for leaf in _leaves(item)] or [_ABSENT]


def _unfolded(node: Any, depth: int = 0) -> Any:
    """The document with `{"a.b": 1}` as `{"a": {"b": 1}}`: policies do not tell them apart."""
    if depth > _DEEPEST_DOCUMENT:
        raise InvalidFilter("Filter policy is too complex")
    if isinstance(node, list):
        return [_unfolded(item, depth + 1) for item in node]
    if not isinstance(node, dict):
        return node
    found: dict[str, Any] = {}
    for name, value in node.items():
        below = found
        *path, last = name.split(".") if name.count(".") < _DEEPEST else [name]
        for part in path:
            below = below.setdefault(part, {}) if isinstance(below.get(part, {}), dict) else {}
        below[last] = _unfolded(value, depth + 1)
    return found


def _value(attribute: Mapping[str, Any]) -> Any:
    """A message attribute as a value of JSON; binary ones match nothing."""
    kind, text = attribute["DataType"], attribute.get("StringValue")
    if text is None:
        return object()
    if kind.startswith("Number"):
        return float(text)
    if kind == "String.Array":
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            return text
    return text


@lru_cache(maxsize=8192)
def compiled(text: str, scope: str) -> Filter:
    """The policy of a JSON text, which `check` has let pass once. Raises InvalidFilter."""
    if len(text) > _LARGEST:
        raise InvalidFilter("Filter policy is too long")
    try:
        policy = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidFilter(parse_problem(text)) from error
    if not isinstance(policy, dict):
        raise InvalidFilter("Filter policy must be a JSON object")
    return Filter(scope, _tree(_unfolded(policy), 0))


def check(text: str, scope: str) -> None:
    """Refuse what is no policy or too complex a one. Raises InvalidFilter."""
    compiled(text, scope)
    policy = orjson.loads(text)
    keys = _keys(policy)
    alternatives = _alternatives(policy, 1)
    if sum(math.prod(one) for one in alternatives) > _MOST_COMBINATIONS:
        raise InvalidFilter("Filter policy is too complex")
    if keys > _MOST_KEYS:
        raise InvalidFilter(f"Filter policy can not have more than {_MOST_KEYS} keys")


def is_nested(text: str) -> bool:
    """Whether a policy asks about something within something."""
    return any(isinstance(value, dict) for value in orjson.loads(text).values())


def parse_problem(text: str) -> str:
    """Why a text is no JSON, in the words of the parser that AWS uses; only its most frequent complaints."""
    source = "\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: "
    stripped = text.lstrip()
    if stripped.startswith("{"):
        inner = stripped[1:].lstrip()[:1]
        if inner and inner not in '"}':
            column = text.index("{") + 2
            return (
                f"failed to parse JSON. Unexpected character ('{inner}' (code {ord(inner)})): was expecting "
                f"double-quote to start field name{source}{column}]"
            )
    word = stripped.split(" ")[0].split(",")[0][:64]
    return (
        f"failed to parse JSON. Unrecognized token '{word}': was expecting (JSON String, Number, Array, Object or "
        f"token 'null', 'true' or 'false'){source}{len(word) + 1}]"
    )


def _is_choice(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 1 and all(isinstance(item, dict) and item for item in value)


def _tree(policy: Mapping[str, Any], depth: int) -> _Tree:
    if depth > _DEEPEST:
        raise InvalidFilter("Filter policy is too complex")
    names: dict[str, _Tree | tuple[Condition, ...]] = {}
    choices = []
    for name, value in policy.items():
        if name == _OR and _is_choice(value):
            choices.append(tuple(_tree(item, depth + 1) for item in value))
        elif isinstance(value, dict):
            names[name] = _tree(value, depth + 1)
        elif isinstance(value, list):
            if not value:
                raise InvalidFilter("Empty arrays are not allowed")
            texts = frozenset(item for item in value if isinstance(item, str))
            others = tuple(_condition(item) for item in value if not isinstance(item, str))
            names[name] = (_one_of(texts), *others) if texts else others
        else:
            raise InvalidFilter(f'"{name}" must be an object or an array')
    return _Tree(names, tuple(choices))


def _one_of(texts: frozenset[str]) -> Condition:
    return lambda found: isinstance(found, str) and found in texts


def _condition(item: Any) -> Condition:
    if isinstance(item, dict):
        if len(item) != 1:
            raise InvalidFilter("Only one key allowed in match expression")
        ((name, value),) = item.items()
        make = _OPERATORS.get(name)
        if make is None:
            raise InvalidFilter(f"Unrecognized match type {name}")
        return make(value)
    if isinstance(item, list):
        raise InvalidFilter("Match value must be String, number, true, false, or null")
    return lambda value: _same(value, item)


def _same(value: Any, wanted: Any) -> bool:
    return isinstance(value, bool) == isinstance(wanted, bool) and bool(value == wanted)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidFilter(f"{name} match pattern must be a string")
    return value


def _prefix(value: Any) -> Condition:
    text = _text("prefix", value)
    return lambda found: isinstance(found, str) and found.startswith(text)


def _suffix(value: Any) -> Condition:
    text = _text("suffix", value)
    return lambda found: isinstance(found, str) and found.endswith(text)


def _equals_ignore_case(value: Any) -> Condition:
    text = _text("equals-ignore-case", value).casefold()
    return lambda found: isinstance(found, str) and found.casefold() == text


def _exists(value: Any) -> Condition:
    if not isinstance(value, bool):
        raise InvalidFilter("exists match pattern must be either true or false.")
    return lambda found: (found is not _ABSENT) == value


def _anything_but(value: Any) -> Condition:
    if isinstance(value, dict):
        name = next(iter(value), "")
        if len(value) != 1 or name != "prefix":
            raise InvalidFilter(f"Unsupported anything-but pattern: {name}")
        prefix = _prefix(value["prefix"])
        return lambda found: isinstance(found, str) and not prefix(found)
    unwanted = value if isinstance(value, list) else [value]
    if not unwanted or any(isinstance(item, dict | list) for item in unwanted):
        raise InvalidFilter("Value of anything-but must be an array or single string/number value.")
    texts = frozenset(item for item in unwanted if isinstance(item, str))
    others = [item for item in unwanted if not isinstance(item, str)]

    def another(found: Any) -> bool:
        if isinstance(found, str):
            return found not in texts
        return found is not _ABSENT and not any(_same(found, item) for item in others)

    return another


def _cidr(value: Any) -> Condition:
    text = _text("prefix", value)
    address, slash, bits = text.partition("/")
    if not slash:
        raise InvalidFilter("Malformed CIDR, one '/' required")
    if not bits.isdigit():
        raise InvalidFilter("Malformed CIDR, mask bits must be an integer")
    try:
        ipaddress.ip_address(address)
        network = ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise InvalidFilter(f"Nonstandard IP address: {address}") from error

    def within(found: Any) -> bool:
        try:
            return isinstance(found, str) and ipaddress.ip_address(found) in network
        except ValueError:
            return False

    return within


def _numeric(value: Any) -> Condition:
    if not isinstance(value, list) or not value or not isinstance(value[0], str):
        shown = value[0] if isinstance(value, list) and value else "]"
        raise InvalidFilter(f"Invalid member in numeric match: {shown}")
    sign = value[0]
    if sign not in _COMPARISONS:
        raise InvalidFilter(f"Unrecognized numeric range operator: {sign}")
    bound = _number(sign, value[1] if len(value) > 1 else None)
    compare = _COMPARISONS[sign]
    if len(value) == 2:
        return lambda found: _is_number(found) and compare(found, bound)
    if sign not in (">", ">="):
        raise InvalidFilter("Too many elements in numeric expression")
    second = value[2]
    if not isinstance(second, str):
        raise InvalidFilter(f"Bad value in numeric range: {second}")
    if second not in ("<", "<="):
        raise InvalidFilter(f"Bad numeric range operator: {second}")
    top = _number(second, value[3] if len(value) > 3 else None)
    if len(value) > 4:
        raise InvalidFilter("Too many terms in numeric range expression")
    if bound >= top:
        raise InvalidFilter("Bottom must be less than top")
    below = _COMPARISONS[second]
    return lambda found: _is_number(found) and compare(found, bound) and below(found, top)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(sign: str, value: Any) -> float:
    if not _is_number(value):
        raise InvalidFilter(f"Value of {_WORDS.get(sign, sign)} must be numeric")
    number: float = value
    return number


_OPERATORS: dict[str, Callable[[Any], Condition]] = {
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _equals_ignore_case,
    "exists": _exists,
    "anything-but": _anything_but,
    "cidr": _cidr,
    "numeric": _numeric,
}


def _keys(policy: Mapping[str, Any]) -> int:
    """How many names have conditions."""
    count = 0
    for name, value in policy.items():
        if name == _OR and _is_choice(value):
            count += sum(_keys(item) for item in value)
        else:
            count += _keys(value) if isinstance(value, dict) else 1
    return count


def _alternatives(policy: Mapping[str, Any], depth: int) -> list[list[int]]:
    """Each way through the choices, as the weights of its names: how many conditions, times how deep they stand."""
    found: list[list[int]] = [[]]
    for name, value in policy.items():
        if name == _OR and _is_choice(value):
            ways = [way for item in value for way in _alternatives(item, depth)]
        elif isinstance(value, dict):
            ways = _alternatives(value, depth + 1)
        else:
            ways = [[len(value) * depth]]
        found = [one + way for one in found for way in ways]
        if len(found) > _MOST_ALTERNATIVES:
            raise InvalidFilter("Filter policy is too complex")
    return found

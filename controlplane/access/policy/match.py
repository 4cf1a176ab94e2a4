"""Wildcards and policy variables: `*`, `?`, `${key}`, `${key, 'default'}` and the escapes `${*}`, `${?}`, `${$}`."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

ContextValue = str | list[str]
Context = Mapping[str, ContextValue]
"""Condition keys in lower case to their value; a list where the key is multi-valued."""

Test = Callable[[str], bool]

ARN_PARTS = 6
_LONGEST_KEPT = 256
"""Values of requests longer than this are never kept in a cache, so that nobody can fill the memory with them."""


class Wild(enum.Enum):
    """The two wildcards of the policy language."""

    MANY = "*"
    ONE = "?"


@dataclass(frozen=True, slots=True)
class Variable:
    """A policy variable: a lower-case condition key and what stands for it when the request does not have it."""

    key: str
    default: str | None


Token = str | Wild | Variable
Glob = tuple[str | Wild, ...]

_TOKEN = re.compile(r"\*|\?|\$\{([^{}]*)\}")
_VARIABLE = re.compile(r"\s*([^,\s]+)\s*(?:,\s*'([^']*)'\s*)?")


def tokenize(text: str, *, variables: bool, wildcards: bool = True) -> tuple[Token, ...]:
    """Split a pattern into literals, wildcards and variables; policies older than 2012-10-17 have no variables."""
    tokens: list[Token] = []
    position = 0
    for found in _TOKEN.finditer(text):
        token = _token(found, variables=variables, wildcards=wildcards)
        if token is None:
            continue
        if found.start() > position:
            tokens.append(text[position : found.start()])
        tokens.append(token)
        position = found.end()
    if position < len(text):
        tokens.append(text[position:])
    return tuple(tokens)


def _token(found: re.Match[str], *, variables: bool, wildcards: bool) -> Token | None:
    inside = found.group(1)
    if inside is None:
        return Wild(found.group()) if wildcards else None
    if not variables:
        return None
    if inside in ("*", "?", "$"):
        return inside
    variable = _VARIABLE.fullmatch(inside)
    return Variable(variable.group(1).lower(), variable.group(2)) if variable else None


def resolve(tokens: tuple[Token, ...], context: Context) -> Glob | None:
    """Put the request's values in place of the variables, as literals. None when one has no single value."""
    resolved: list[str | Wild] = []
    for token in tokens:
        if isinstance(token, Variable):
            value = context.get(token.key)
            if value is None:
                value = token.default
            if not isinstance(value, str):
                return None
            resolved.append(value)
        else:
            resolved.append(token)
    return tuple(resolved)


def has_variables(tokens: tuple[Token, ...]) -> bool:
    """Whether a pattern depends on the request."""
    return any(isinstance(token, Variable) for token in tokens)


def literal(tokens: Glob) -> str | None:
    """The text of a pattern without wildcards, or None."""
    return "".join(tokens) if all(isinstance(token, str) for token in tokens) else None  # type: ignore[arg-type]


@lru_cache(maxsize=2048)
def glob_test(tokens: Glob) -> Test:
    """Compile a pattern whose `*` stands for anything, colons included."""
    text = literal(tokens)
    if text is not None:
        return text.__eq__
    if tokens == (Wild.MANY,):
        return _anything
    if len(tokens) == 2 and tokens[1] is Wild.MANY and isinstance(tokens[0], str):
        return _starts_with(tokens[0])
    return _regex_test(_regex(tokens, "."))


@lru_cache(maxsize=2048)
def arn_test(tokens: Glob) -> Test:
    """Compile an ARN pattern: each of the six parts is matched on its own, missing parts stand for `*`.

    A `*` in one of the first five parts therefore never swallows a colon, so that no resource name can pose as
    another account or region.
    """
    if tokens == (Wild.MANY,):
        return _anything
    text = literal(tokens)
    if text is not None and text.count(":") >= ARN_PARTS - 1:
        return text.__eq__
    parts = _split_parts(tokens)
    *head, last = parts
    if last == (Wild.MANY,) and all(literal(part) is not None for part in head):
        return _starts_with("".join(f"{literal(part)}:" for part in head))
    pattern = "".join(_regex(part, "[^:]") + ":" for part in head) + _regex(last, ".")
    return _regex_test(pattern)


def _split_parts(tokens: Glob) -> list[Glob]:
    parts: list[list[str | Wild]] = [[]]
    for token in tokens:
        if isinstance(token, Wild):
            parts[-1].append(token)
            continue
        pieces = token.split(":", ARN_PARTS - len(parts))
        parts[-1].append(pieces[0])
        parts.extend([piece] for piece in pieces[1:])
    parts.extend([Wild.MANY] for _ in range(ARN_PARTS - len(parts)))
    return [tuple(token for token in part if token != "") for part in parts]


def _regex(tokens: Glob, character: str) -> str:
    """Translate to a regular expression that cannot backtrack catastrophically.

    A glob matches exactly when each run of fixed length after a `*` is found at the first place possible, so every
    such run is taken in an atomic group; only the last one, bound to the end, may look further.
    """
    runs: list[str] = [""]
    for token in tokens:
        if token is Wild.MANY:
            runs.append("")
        else:
            runs[-1] += character if isinstance(token, Wild) else re.escape(token)
    first, *rest = runs
    if not rest:
        return first
    middle = "".join(f"(?>{character}*?{run})" for run in rest[:-1] if run)
    return f"{first}{middle}{character}*{rest[-1]}"


def _regex_test(pattern: str) -> Test:
    match = re.compile(pattern, re.DOTALL).fullmatch
    return lambda value: match(value) is not None


def _starts_with(prefix: str) -> Test:
    return lambda value: value.startswith(prefix)


def _anything(_value: str) -> bool:
    return True


def _is_compared_as_text(text: str, compile: Callable[[Glob], Test]) -> bool:
    return compile is glob_test or (compile is arn_test and text.count(":") >= ARN_PARTS - 1)


class Patterns:
    """A set of patterns of one element (Resource, Action, a condition's values), tested together.

    `matches` is true when any pattern matches; a pattern with a variable that the request lacks matches nothing.
    """

    __slots__ = ("_exact", "_templates", "_tests", "everything")

    def __init__(self, token_lists: list[tuple[Token, ...]], compile: Callable[[Glob], Test]) -> None:
        self.everything = (Wild.MANY,) in token_lists
        exact: set[str] = set()
        tests: list[Test] = []
        templates: list[_Template] = []
        for tokens in token_lists:
            if has_variables(tokens):
                templates.append(_Template(tokens, compile))
                continue
            glob = resolve(tokens, {})
            text = None if glob is None else literal(glob)
            if text is not None and _is_compared_as_text(text, compile):
                exact.add(text)
            elif glob is not None:
                tests.append(compile(glob))
        self._exact = frozenset(exact)
        self._tests = tuple(tests)
        self._templates = tuple(templates)

    def matches(self, value: str, context: Context) -> bool:
        """Whether any pattern matches this value in this request."""
        if self.everything or value in self._exact:
            return True
        for test in self._tests:
            if test(value):
                return True
        for template in self._templates:
            resolved = template.test(context)
            if resolved is not None and resolved(value):
                return True
        return False

    def unresolved(self, context: Context) -> bool:
        """Whether some pattern has a variable for which this request has no value."""
        return any(template.test(context) is None for template in self._templates)


class _Template:
    """One pattern with variables. Hashed by identity, as key of the tests compiled for the values that it met."""

    __slots__ = ("compile", "keys", "tokens")

    def __init__(self, tokens: tuple[Token, ...], compile: Callable[[Glob], Test]) -> None:
        self.tokens = tokens
        self.compile = compile
        self.keys = tuple(token.key for token in tokens if isinstance(token, Variable))

    def test(self, context: Context) -> Test | None:
        """The test for this request; None when a variable has no single value."""
        values = tuple([context.get(key) for key in self.keys])
        if any(value is not None and len(value) > _LONGEST_KEPT for value in values):
            return _compiled.__wrapped__(self, values)
        try:
            return _compiled(self, values)
        except TypeError:  # a list cannot be hashed: multi-valued keys have no place in a pattern
            return None


@lru_cache(maxsize=4096)
def _compiled(template: _Template, values: tuple[str | None, ...]) -> Test | None:
    given = {key: value for key, value in zip(template.keys, values, strict=True) if value is not None}
    glob = resolve(template.tokens, given)
    if glob is None:
        return None
    # The inner cache is for patterns that policies hold; those that requests complete are kept here alone.
    return getattr(template.compile, "__wrapped__", template.compile)(glob)

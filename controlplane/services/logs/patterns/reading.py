"""What the languages of patterns share: tokens, conditions with `&&` and `||`, and comparing a value."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

import re2

Test = Callable[[Any], bool]
_DEEPEST = 32
_MOST_REGEXES = 2
"""In a pattern, as at AWS."""
_REGEX_MEMORY = 32 * 1024
"""Bytes of a compiled regular expression. RE2 takes time for each of its states at each character: one of this size
takes about two seconds for a message of a mebibyte, during which others run."""
_TOKEN = re.compile(
    r"""\s*(?:(?P<quoted>"(?:[^"\\]|\\.)*+")|(?P<regex>%[^%]*%)|(?P<sign>&&|\|\||!=|<=|>=|[=<>(),]|\.\.\.)"""
    r"""|(?P<word>(?:\[[^\]]*\]|[^\s"%&|!<>=(),\[\]])++))""",
    re.DOTALL,
)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_LONGEST_NUMBER = 64
_PADDED = re.compile(r"[+-]?0\d", re.ASCII)
"""What begins like `007` is the same as no other text."""
_REGEX = re.compile(r"%[A-Za-z0-9:_#=@/;,\-^$?\[\]{}|\\*+.]+%", re.ASCII)
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
COMPARISONS = frozenset({"=", "!=", *_ORDERS})


class Unreadable(Exception):
    """A pattern that is none; the message says why."""


class Tokens:
    """The tokens of a pattern, read one after the other: pairs of kind and text."""

    def __init__(self, text: str) -> None:
        self._items: list[tuple[str, str]] = []
        self._next = 0
        place, text = 0, text.rstrip()
        while place < len(text):
            match = _TOKEN.match(text, place)
            if match is None or match.lastgroup is None:
                raise Unreadable(f"what stands at character {place + 1} cannot be read")
            self._items.append((match.lastgroup, match[match.lastgroup]))
            place = match.end()
        check_regexes(self.count("regex"))

    def count(self, kind: str, holding: str = "") -> int:
        """How many tokens are of a kind and hold a text."""
        return sum(found == kind and holding in text for found, text in self._items)

    @property
    def ended(self) -> bool:
        return self._next == len(self._items)

    def take(self) -> tuple[str, str]:
        """The next token. Raises Unreadable at the end."""
        if self.ended:
            raise Unreadable("it ends too early")
        self._next += 1
        return self._items[self._next - 1]

    def skip(self, text: str) -> bool:
        """Pass a sign, or a word whatever its case, if it comes next."""
        if self.ended:
            return False
        kind, found = self._items[self._next]
        if kind == "quoted" or found.upper() != text:
            return False
        self._next += 1
        return True


def condition(tokens: Tokens, single: Callable[[Tokens], Test], depth: int = 0) -> Test:
    """Conditions that `single` reads, joined by `||` and the stronger `&&`, in brackets or not."""
    if depth > _DEEPEST:
        raise Unreadable("it is nested too deeply")
    either = [_all(tokens, single, depth)]
    while tokens.skip("||"):
        either.append(_all(tokens, single, depth))
    return either[0] if len(either) == 1 else lambda value: any(test(value) for test in either)


def _all(tokens: Tokens, single: Callable[[Tokens], Test], depth: int) -> Test:
    every = [_one(tokens, single, depth)]
    while tokens.skip("&&"):
        every.append(_one(tokens, single, depth))
    return every[0] if len(every) == 1 else lambda value: all(test(value) for test in every)


def _one(tokens: Tokens, single: Callable[[Tokens], Test], depth: int) -> Test:
    if not tokens.skip("("):
        return single(tokens)
    found = condition(tokens, single, depth + 1)
    if not tokens.skip(")"):
        raise Unreadable("a bracket is not closed")
    return found


def comparison(sign: str, kind: str, text: str) -> Test:
    """A test of a value (text or number) against what stands behind a sign. Raises Unreadable."""
    if kind == "regex" and sign in ("=", "!="):
        found = regex(text)
        matches: Test = lambda value: isinstance(value, str) and found(value)  # noqa: E731
        return matches if sign == "=" else lambda value: not matches(value)
    if kind not in ("quoted", "word"):
        raise Unreadable(f"{text} is not a value")
    number = as_number(text) if kind == "word" else None
    if sign in _ORDERS:
        if number is None:
            raise Unreadable(f"{text} is not a number")
        order = _ORDERS[sign]
        return lambda value: (found := as_number(value)) is not None and order(found, number)
    wanted = plain(text) if kind == "quoted" else text
    if number is None or _PADDED.match(text):
        equals = like(wanted)
    else:
        equals = lambda value: as_number(value) == number and not _is_padded(value)  # noqa: E731
    return equals if sign == "=" else lambda value: not equals(value)


def _is_padded(value: Any) -> bool:
    return isinstance(value, str) and _PADDED.match(value) is not None


def check_regexes(count: int) -> None:
    """Raises Unreadable where there are more than a pattern may have."""
    if count > _MOST_REGEXES:
        raise Unreadable(f"it has more than {_MOST_REGEXES} regular expressions")


def regex(text: str) -> Callable[[str], bool]:
    """A test of text against what stands between `%`: by RE2, whose time does not explode. Raises Unreadable."""
    if not _REGEX.fullmatch(text):
        raise Unreadable(f"{text} holds what regular expressions of patterns must not")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _REGEX_MEMORY
    try:
        search = re2.compile(text[1:-1], options=options).search
    except re2.error as error:
        raise Unreadable(f"{text} is not a regular expression, or too large a one") from error
    return lambda value: search(value) is not None


def plain(quoted: str) -> str:
    """What stands between quotes."""
    return re.sub(r"\\(.)", r"\1", quoted[1:-1], flags=re.DOTALL)


def as_number(value: Any) -> int | float | None:
    """A value as a number, if it is one or says one. Integers stay what they are: ids are longer than floats."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if not isinstance(value, str) or len(value) >= _LONGEST_NUMBER or not _NUMBER.fullmatch(value):
        return None
    return int(value) if _INTEGER.fullmatch(value) else float(value)


def like(pattern: str) -> Test:
    """A test against text in which `*` stands for anything. It looks at each part once: nothing backtracks."""
    if pattern == "*":
        return lambda value: value is not None
    if "*" not in pattern:
        return lambda value: value == pattern
    first, *middle, last = pattern.split("*")

    def fits(value: Any) -> bool:
        if not isinstance(value, str) or len(value) < len(first) + len(last):
            return False
        if not value.startswith(first) or not value.endswith(last):
            return False
        place, end = len(first), len(value) - len(last)
        for part in middle:
            found = value.find(part, place, end)
            if found < 0:
                return False
            place = found + len(part)
        return True

    return fits

"""Fields of a line: `[ip, user, status = 4* && status != 403, ...]`. What stands in quotes or square brackets is one
field; `...` stands for any number of fields."""

from __future__ import annotations

import re
from collections.abc import Callable

from controlplane.services.logs.patterns.reading import COMPARISONS, Test, Tokens, Unreadable, comparison, condition

_CLOSING = {'"': '"', "[": "]"}
_GAP, _WORD = re.compile(r"\s*"), re.compile(r"\S+")
_NAME = re.compile(r"[A-Za-z0-9_\-.$]+", re.ASCII)


def compiled(text: str) -> Callable[[str], bool]:
    """The test of a pattern. Raises Unreadable."""
    if not text.endswith("]"):
        raise Unreadable("the bracket is not closed")
    tokens, gap = Tokens(text[1:-1]), None
    tests: list[Test] = []
    while True:
        if tokens.skip("..."):
            if gap is not None:
                raise Unreadable("... stands twice")
            gap = len(tests)
        else:
            tests.append(_field(tokens))
        if tokens.ended:
            break
        if not tokens.skip(","):
            raise Unreadable("a comma is missing")
    if gap is None:
        return lambda message: _fits(tests, fields_of(message))
    before, after = tests[:gap], tests[gap:]

    def fits(message: str) -> bool:
        found = fields_of(message)
        if len(found) < len(tests):
            return False
        return _fits(before, found[: len(before)]) and _fits(after, found[len(found) - len(after) :])

    return fits


def fields_of(message: str) -> list[str]:
    """The fields of a line, each character of which is looked at once or twice."""
    found: list[str] = []
    unclosed: set[str] = set()
    place = _end(_GAP, message, 0)
    while place < len(message):
        closing = _CLOSING.get(message[place], "")
        end = message.find(closing, place + 1) if closing and closing not in unclosed else -1
        if end >= 0:
            found.append(message[place + 1 : end])
            place = end + 1
        else:
            unclosed.add(closing)
            end = _end(_WORD, message, place)
            found.append(message[place:end])
            place = end
        place = _end(_GAP, message, place)
    return found


def _end(what: re.Pattern[str], message: str, place: int) -> int:
    match = what.match(message, place)
    return match.end() if match else place


def _fits(tests: list[Test], found: list[str]) -> bool:
    return len(tests) == len(found) and all(test(value) for test, value in zip(tests, found, strict=True))


def _field(tokens: Tokens) -> Test:
    """A field's name alone, or what is asked of it."""

    def single(tokens: Tokens) -> Test:
        kind, name = tokens.take()
        if kind != "word" or not _NAME.fullmatch(name):
            raise Unreadable(f"{name} is not the name of a field")
        for sign in COMPARISONS:
            if tokens.skip(sign):
                return comparison(sign, *tokens.take())
        return lambda value: True

    return condition(tokens, single)

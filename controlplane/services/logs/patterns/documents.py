"""Messages that are JSON: `{ ($.status = 404 || $.status = 5*) && $.user.roles[0] != "admin" }`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from controlplane.services.logs.patterns.reading import COMPARISONS, Test, Tokens, Unreadable, comparison, condition

_STEP = re.compile(r"""\.?\[(?:(\d{1,6})|(\*)|'([^']*)'|"([^"]*)")\]|\.([^.\[\]]+)""", re.ASCII)
_EACH = object()
"""The step `[*]`: every item of a list."""
_MOST_EACH = 3
"""`[*]` may stand once in a selector, and so often in a pattern, as at AWS: what a message costs stays bounded."""


def compiled(text: str) -> Callable[[str], bool]:
    """The test of a pattern. Raises Unreadable."""
    if not text.endswith("}"):
        raise Unreadable("the brace is not closed")
    tokens = Tokens(text[1:-1])
    if tokens.count("word", "[*]") > _MOST_EACH:
        raise Unreadable(f"[*] stands more than {_MOST_EACH} times")
    test = condition(tokens, _single)
    if not tokens.ended:
        raise Unreadable("it does not end where it should")

    def fits(message: str) -> bool:
        try:
            document = orjson.loads(message)
        except orjson.JSONDecodeError:
            return False
        return isinstance(document, dict | list) and test(document)

    return fits


def _single(tokens: Tokens) -> Test:
    """What is asked of one place of a document."""
    kind, text = tokens.take()
    if kind != "word":
        raise Unreadable(f"{text} is not a selector")
    steps = _steps(text)
    if tokens.skip("NOT"):
        if not tokens.skip("EXISTS"):
            raise Unreadable("NOT goes with EXISTS")
        return lambda document: not any(True for _ in _values(document, steps))
    if tokens.skip("IS"):
        for word, wanted in (("NULL", None), ("TRUE", True), ("FALSE", False)):
            if tokens.skip(word):
                return lambda document: any(value is wanted for value in _values(document, steps))
        raise Unreadable("IS goes with NULL, TRUE or FALSE")
    for sign in COMPARISONS:
        if tokens.skip(sign):
            test = comparison(sign, *tokens.take())
            return lambda document: any(
                test(value)
                for value in _values(document, steps)
                if isinstance(value, str | int | float) and not isinstance(value, bool)
            )
    raise Unreadable(f"nothing is asked of {text}")


def _steps(text: str) -> list[Any]:
    """The way that a selector such as `$.a.b[0]` leads."""
    if not text.startswith("$"):
        raise Unreadable(f"{text} is not a selector")
    steps: list[Any] = []
    place = 1
    while place < len(text):
        match = _STEP.match(text, place)
        if match is None:
            raise Unreadable(f"{text} is not a selector")
        index, each, *names = match.groups()
        steps.append(int(index) if index else _EACH if each else next(name for name in names if name is not None))
        place = match.end()
    if not steps:
        raise Unreadable("$ alone selects nothing")
    if steps.count(_EACH) > 1:
        raise Unreadable(f"[*] stands twice in {text}")
    return steps


def _values(value: Any, steps: list[Any], at: int = 0) -> Iterator[Any]:
    """What a way leads to: nothing, one value, or several through `[*]`."""
    for place in range(at, len(steps)):
        step = steps[place]
        if step is _EACH:
            for item in value if isinstance(value, list) else ():
                yield from _values(item, steps, place + 1)
            return
        if isinstance(step, int):
            if not isinstance(value, list) or step >= len(value):
                return
        elif not isinstance(value, dict) or step not in value:
            return
        value = value[step]
    yield value

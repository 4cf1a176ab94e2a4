"""The models' regular expressions, on an engine whose time is linear in the text: the text comes from callers.

The models are written for Java. What differs in RE2 is translated; patterns with look-around, which no linear engine
has (about 4 % of all), are not checked.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import re2

_LARGEST_REPEAT = 1000
_REPEAT = re.compile(r"\{(\d+),(\d+)\}")
_CODE_POINT = re.compile(r"\\u([0-9A-Fa-f]{4})")
# Java's way to write all characters beyond the basic plane.
_BEYOND_BASIC_PLANE = re.compile(r"\\u[Dd]800\\u[Dd][Cc]00-\\u[Dd][Bb][Ff]{2}\\u[Dd][Ff]{3}")
# Java's names of classes, as ranges that stand inside brackets.
_CLASSES = {
    "ASCII": r"\x00-\x7F",
    "Alnum": "0-9A-Za-z",
    "Alpha": "A-Za-z",
    "Blank": r" \t",
    "Digit": "0-9",
    "Graph": "!-~",
    "IsAlphabetic": r"\p{L}\p{Nl}",
    "IsWhitespace": r"\s",
    "Lower": "a-z",
    "Print": " -~",
    "Punct": r"!-/:-@\[-`{-~",
    "Upper": "A-Z",
    "XDigit": "0-9A-Fa-f",
    "all": r"\x00-\x{10FFFF}",
}
_CLASS = re.compile(r"\\p\{(" + "|".join(_CLASSES) + r")\}")


@cache
def compiled(pattern: str) -> Any:
    """The pattern compiled by RE2; None where it cannot be checked."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(_translated(pattern), options)
    except re2.error:
        return None


def _translated(pattern: str) -> str:
    pattern = _BEYOND_BASIC_PLANE.sub(lambda match: r"\x{10000}-\x{10FFFF}", pattern)
    pattern = _CODE_POINT.sub(r"\\x{\1}", pattern)
    return _REPEAT.sub(_bounded, _posix_classes(pattern))


def _posix_classes(pattern: str) -> str:
    pieces, end = [], 0
    for match in _CLASS.finditer(pattern):
        before = pattern[: match.start()]
        inside = before.rfind("[") > before.rfind("]")
        ranges = _CLASSES[match[1]]
        pieces += [pattern[end : match.start()], ranges if inside else f"[{ranges}]"]
        end = match.end()
    return "".join([*pieces, pattern[end:]])


def _bounded(match: re.Match[str]) -> str:
    # RE2 repeats at most 1000 times; the length that the model gives beside the pattern bounds the text anyway.
    least, most = int(match[1]), int(match[2])
    return match[0] if most <= _LARGEST_REPEAT else f"{{{min(least, _LARGEST_REPEAT)},}}"

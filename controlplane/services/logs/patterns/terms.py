"""Terms: all that stand alone must be in a message, none of those with `-`; of those with `?` one, where there is
nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable

from controlplane.services.logs.patterns.reading import Unreadable, check_regexes, plain, regex

Test = Callable[[str], bool]
_TERM = re.compile(r"\s*([-?]?)(?:(\"(?:[^\"\\]|\\.)*+\")|([^\s\"]++))", re.DOTALL)


def compiled(text: str) -> Test:
    """The test of a pattern. Raises Unreadable."""
    found: dict[str, list[Test]] = {"": [], "-": [], "?": []}
    words: list[str | None] = []
    place = 0
    while place < len(text):
        match = _TERM.match(text, place)
        if match is None:
            raise Unreadable(f"what stands at character {place + 1} cannot be read")
        sign, quoted, word = match.groups()
        found[sign].append(_term(quoted, word))
        words.append(word)
        place = match.end()
    check_regexes(sum(_is_regex(word) for word in words))
    every, none, some = found[""], found["-"], found["?"]
    if some and not every and not none:
        return lambda message: any(term(message) for term in some)
    return lambda message: all(term(message) for term in every) and not any(term(message) for term in none)


def _is_regex(word: str | None) -> bool:
    return word is not None and len(word) > 1 and word.startswith("%") and word.endswith("%")


def _term(quoted: str | None, word: str | None) -> Test:
    if word is not None and _is_regex(word):
        return regex(word)
    text = plain(quoted) if quoted is not None else word or ""
    return lambda message: text in message

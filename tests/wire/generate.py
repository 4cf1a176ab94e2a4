"""Random values of the models' shapes, the same for the same seed: valid parameters and results of operations."""

from __future__ import annotations

import re
import string
import struct
import warnings
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from controlplane.wire.patterns import compiled

try:
    from re import _constants as sre
    from re import _parser as sre_parser
except ImportError:  # pragma: no cover
    import sre_constants as sre  # type: ignore[no-redef]
    import sre_parse as sre_parser  # type: ignore[no-redef]

_DEEPEST = 5
_SHORTEST = -1
_PLAIN = string.ascii_letters + string.digits
_TEXT = _PLAIN + " &<>\"'%/+=?#.:;,-_~é日😹\n\t"
_HEADER = _PLAIN + "-_.:/=@"
_EPOCH = datetime(1971, 1, 1, tzinfo=UTC)
_XML = ("query", "ec2", "rest-xml")


class Unmakeable(Exception):
    """No value that satisfies the shape was found."""


class Generator:
    """Makes values for one direction and protocol, and leaves out what that protocol cannot carry."""

    def __init__(self, random: Random, protocol: str, *, output: bool = False, whole_seconds: bool = False) -> None:
        self.random = random
        self.whole_seconds = whole_seconds
        self.protocol = protocol
        self.output = output

    def value(self, shape: Any, depth: int = 0, place: str | None = None) -> Any:
        """A value of the shape; `place` is where a REST message carries it, None for the body. Raises Unmakeable."""
        make = getattr(self, f"_{shape.type_name}")
        return make(shape, depth, place or shape.serialization.get("location"))

    def _structure(self, shape: Any, depth: int, place: str | None) -> Any:
        if shape.is_document_type:
            return {"text": "a", "list": [1, 2.5, None, {"deep": True}]}
        members = list(shape.members.items())
        if shape.is_tagged_union:
            self.random.shuffle(members)
            return self._first_makeable(shape, members, depth)
        found = {}
        for name, member in members:
            required = name in shape.required_members
            likely = 0.6 if depth == 0 else 0.4 if depth < _DEEPEST else 0.0
            if required or self.random.random() < likely:
                try:
                    found[name] = self.value(member, depth + 1)
                except Unmakeable:
                    if required:
                        raise
        payload = shape.serialization.get("payload")
        if payload and depth == 0 and found.get(payload) in (b"", ""):
            # A body that is empty is no body.
            found[payload] = b"x" if found[payload] == b"" else "x"
        if not found and members and depth and self.protocol in ("query", "ec2"):
            return self._first_makeable(shape, members, depth)
        return found

    def _first_makeable(self, shape: Any, members: list[tuple[str, Any]], depth: int) -> dict[str, Any]:
        if depth < 2 * _DEEPEST:
            for name, member in members:
                try:
                    return {name: self.value(member, depth + 1)}
                except Unmakeable:
                    continue
        raise Unmakeable(shape.name)

    def _length(self, shape: Any, depth: int, least: int = 0, most: int = 3) -> int:
        low = max(int(shape.metadata.get("min", 0)), least)
        high = min(int(shape.metadata.get("max", most)), max(most, low))
        if low > 64 or high < low:
            raise Unmakeable(shape.name)
        return low if depth >= _DEEPEST else self.random.randint(low, high)

    def _must_not_be_empty(self, shape: Any, place: str | None) -> bool:
        """An empty collection of this kind leaves no trace on the wire."""
        flattened = bool(shape.serialization.get("flattened"))
        return place is not None or self.protocol == "ec2" or (self.protocol in _XML and flattened)

    def _list(self, shape: Any, depth: int, place: str | None) -> list[Any]:
        if depth > 2 * _DEEPEST:
            raise Unmakeable(shape.name)
        least = 1 if self._must_not_be_empty(shape, place) else 0
        return [self.value(shape.member, depth + 1, place) for _ in range(self._length(shape, depth, least))]

    def _map(self, shape: Any, depth: int, place: str | None) -> dict[str, Any]:
        if depth > 2 * _DEEPEST:
            raise Unmakeable(shape.name)
        least = 1 if self._must_not_be_empty(shape, place) or self.protocol == "query" else 0
        found = {}
        for _ in range(self._length(shape, depth, least)):
            key = self.value(shape.key, depth + 1, place)
            if place == "headers":
                key = re.sub("[^a-z0-9_.-]", "x", key.lower())
            found[key] = self.value(shape.value, depth + 1, place)
        if len(found) < max(int(shape.metadata.get("min", 0)), least):
            raise Unmakeable(shape.name)
        return found

    def _string(self, shape: Any, depth: int, place: str | None) -> Any:
        metadata = shape.metadata
        if shape.serialization.get("jsonvalue") and place == "header":
            return {"json": [1, "é"]}
        if metadata.get("enum"):
            return self.random.choice([value for value in metadata["enum"] if value] or metadata["enum"])
        low, high = int(metadata.get("min", 0)), int(metadata.get("max", 24))
        if metadata.get("pattern"):
            return self._matching(metadata["pattern"], max(low, 1 if place else 0), int(metadata.get("max", 10_000)))
        least = max(low, 1 if place else 0)
        if least > 3000:
            raise Unmakeable(shape.name)
        size = self.random.randint(least, max(least, min(high, 24)))
        alphabet = _HEADER if place in ("header", "headers") or shape.serialization.get("hostLabel") else _TEXT
        alphabet = _PLAIN if shape.serialization.get("hostLabel") else alphabet
        return "".join(self.random.choice(alphabet) for _ in range(size))

    _character = _string

    def _matching(self, pattern: str, low: int, high: int) -> str:
        regexp = compiled(pattern)
        for attempt in range(12):
            # What may stand around the rest leaves no room for it where the length is bounded.
            text = self._from_pattern(pattern.replace(".*", "") or pattern if attempt > 5 else pattern, low)
            if low <= len(text) <= high and (regexp is None or regexp.fullmatch(text)):
                return text
        raise Unmakeable(pattern)

    def _from_pattern(self, pattern: str, low: int) -> str:
        simple = re.sub(r"\\p\{[^}]*\}|\\P\{[^}]*\}|\\pL", "a", pattern)
        try:
            with warnings.catch_warnings(action="ignore"):
                parsed = sre_parser.parse(simple)
        except (re.error, OverflowError):
            return "a" * max(low, 1)
        return self._tokens(list(parsed), low)

    def _tokens(self, tokens: list[Any], low: int) -> str:
        return "".join(self._token(kind, argument, low) for kind, argument in tokens)

    def _token(self, kind: Any, argument: Any, low: int) -> str:
        if kind is sre.LITERAL:
            return _character(argument)
        if kind is sre.NOT_LITERAL:
            return "b" if argument == ord("a") else "a"
        if kind is sre.ANY:
            return self.random.choice(_PLAIN)
        if kind is sre.IN:
            return self._one_of(argument)
        if kind is sre.BRANCH:
            return self._tokens(list(self.random.choice(argument[1])), low)
        if kind is sre.SUBPATTERN:
            return self._tokens(list(argument[3]), low)
        if kind in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            least, most, inner = argument
            if low == _SHORTEST:
                return "".join(self._tokens(list(inner), low) for _ in range(least))
            wanted = max(least, min(low, most)) if low > 3 else least
            times = wanted if least > 8 else self.random.randint(wanted, max(wanted, min(int(most), least + 3)))
            return "".join(self._tokens(list(inner), 0) for _ in range(times))
        return ""

    def _one_of(self, choices: list[Any]) -> str:
        if choices[0][0] is sre.NEGATE:
            allowed = [c for c in _PLAIN if not any(_contains(choice, c) for choice in choices[1:])]
            return self.random.choice(allowed or ["!"])
        kind, argument = self.random.choice(choices)
        if kind is sre.LITERAL:
            return _character(argument)
        if kind is sre.RANGE:
            low, high = argument
            printable = range(max(low, 33), min(high, 126) + 1)
            return chr(self.random.choice(printable)) if printable else _character(low)
        return "0" if argument is sre.CATEGORY_DIGIT else " " if argument is sre.CATEGORY_SPACE else "w"

    def _integer(self, shape: Any, depth: int, place: str | None) -> int:
        if place == "statusCode":
            return self.random.choice([200, 202, 204])
        bits = 31 if shape.type_name == "integer" else 53
        low = int(shape.metadata.get("min", -(2**bits)))
        high = int(shape.metadata.get("max", 2**bits - 1))
        low, high = max(low, -(2**bits)), min(high, 2**bits - 1)
        if high < low:
            raise Unmakeable(shape.name)
        return self.random.choice([low, high, self.random.randint(low, high)])

    _long = _integer

    def _double(self, shape: Any, depth: int, place: str | None) -> float:
        low, high = float(shape.metadata.get("min", -1e6)), float(shape.metadata.get("max", 1e6))
        value = self.random.uniform(max(low, -1e300), min(high, 1e300))
        if shape.type_name == "float":
            value = struct.unpack("f", struct.pack("f", value))[0]
            value = min(max(value, low), high)
        return value

    _float = _double

    def _boolean(self, shape: Any, depth: int, place: str | None) -> bool:
        return self.random.random() < 0.5

    def _timestamp(self, shape: Any, depth: int, place: str | None) -> datetime:
        whole = _EPOCH + timedelta(seconds=self.random.randint(0, 4_000_000_000))
        form = shape.serialization.get("timestampFormat", "").lower()
        if place in ("header", "headers", "querystring", "uri") or form == "rfc822" or self.whole_seconds:
            return whole
        return whole + timedelta(milliseconds=self.random.choice([0, 1, 500, 999]))

    def _blob(self, shape: Any, depth: int, place: str | None) -> bytes:
        return self.random.randbytes(self._length(shape, depth, 0, 16))


def _character(code: int) -> str:
    # Java's patterns name the two halves of characters beyond the basic plane, which alone are no characters.
    return "a" if 0xD800 <= code < 0xE000 else chr(code)


def _contains(choice: Any, character: str) -> bool:
    kind, argument = choice
    if kind is sre.LITERAL:
        return argument == ord(character)
    if kind is sre.RANGE:
        return bool(argument[0] <= ord(character) <= argument[1])
    if argument is sre.CATEGORY_DIGIT:
        return character.isdigit()
    return argument is sre.CATEGORY_WORD

"""Which REST operation a method, path and query string mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes

Query = Mapping[str, list[str]]

MAX_SEGMENTS = 1024
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_LABEL = re.compile(r"\{([^}+]+)(\+?)\}")


class BadEscape(ValueError):
    """A path or query string with a broken percent-encoding, or one that is not UTF-8."""


def unescape(text: str, *, plus: bool = False) -> str:
    """Decode percent-encoding; with `plus`, a plus sign is a space, as in forms. Raises BadEscape."""
    if plus and "+" in text:
        text = text.replace("+", " ")
    if "%" not in text and text.isascii():
        return text
    if _BAD_ESCAPE.search(text):
        raise BadEscape("broken percent-encoding")
    try:
        return unquote_to_bytes(text.encode("latin-1")).decode()
    except UnicodeError as error:
        raise BadEscape("not UTF-8") from error


def parse_pairs(raw: bytes, limit: int) -> Iterator[tuple[str, str]]:
    """The names and values of a query string or form. Raises BadEscape, also when there are more than `limit`."""
    if not raw:
        return
    if raw.count(b"&") >= limit:
        raise BadEscape("too many parameters")
    for pair in raw.decode("latin-1").split("&"):
        if pair:
            name, _, value = pair.partition("=")
            yield unescape(name, plus=True), unescape(value, plus=True)


def parse_query(raw: bytes, limit: int = 1000) -> dict[str, list[str]]:
    """A query string as lists of values, in order. Raises BadEscape."""
    found: dict[str, list[str]] = {}
    for name, value in parse_pairs(raw, limit):
        found.setdefault(name, []).append(value)
    return found


@dataclass(frozen=True, slots=True)
class Binding:
    """How a REST operation is addressed: its labels in path order and what its query string and headers must hold."""

    name: str
    method: str
    labels: tuple[str, ...]
    constants: tuple[tuple[str, str], ...]
    required_query: frozenset[str]
    required_headers: frozenset[str]

    def score(self, query: Query, headers: Mapping[str, str]) -> tuple[int, ...] | None:
        """How well a request fits, larger is better; None where it does not.

        Operations that share a path differ by what they require: PUT on a key is CopyObject with `x-amz-copy-source`,
        UploadPart with `partNumber` and `uploadId`, and PutObject otherwise.
        """
        for key, value in self.constants:
            if key not in query or (value and value not in query[key]):
                return None
        wanted = present = 0
        if self.required_query:
            wanted, present = len(self.required_query), len(self.required_query & query.keys())
        if self.required_headers:
            wanted, present = wanted + len(self.required_headers), present + len(self.required_headers & headers.keys())
        return (wanted == present, len(self.constants), present, -wanted)


Bindings = dict[str, list[Binding]]
"""By method."""


@dataclass(slots=True)
class _Node:
    literals: dict[str, _Node] = field(default_factory=dict)
    label: _Node | None = None
    greedy: dict[tuple[str, ...], Bindings] = field(default_factory=dict)
    bindings: Bindings = field(default_factory=dict)


class PathTree:
    """The paths of one API as a tree of segments; literal segments win over labels, labels over greedy ones,
    and of these the one that is followed by more."""

    def __init__(self, description: Mapping[str, Any]) -> None:
        self._root = _Node()
        operations = description["operations"]
        for name in sorted(operations, key=lambda name: (bool(operations[name].get("deprecated")), name)):
            self._add(name, operations[name], description["shapes"])

    def find(
        self, method: str, segments: list[str], query: Query, headers: Mapping[str, str]
    ) -> tuple[str, dict[str, str]] | None:
        """The operation and its labels, decoded. Raises BadEscape."""
        found = self._find(method, segments, query, headers)
        if found is None and len(segments) > 1 and not segments[-1]:
            found = self._find(method, segments[:-1], query, headers)
        return found

    def _find(
        self, method: str, segments: list[str], query: Query, headers: Mapping[str, str]
    ) -> tuple[str, dict[str, str]] | None:
        for bindings, values in _walk(self._root, segments, 0, ()):
            best: Binding | None = None
            best_score: tuple[int, ...] = ()
            for binding in bindings.get(method, ()):
                if binding.constants and not query:
                    continue
                score = binding.score(query, headers)
                if score is not None and (best is None or score > best_score):
                    best, best_score = binding, score
            if best is not None:
                return best.name, {label: unescape(value) for label, value in zip(best.labels, values, strict=True)}
        return None

    def _add(self, name: str, operation: Mapping[str, Any], shapes: Mapping[str, Any]) -> None:
        path, _, constants = operation["http"]["requestUri"].partition("?")
        binding = _binding(name, operation, path, constants, shapes)
        node = self._root
        segments = split(path.rstrip("/") or "/")
        for position, segment in enumerate(segments):
            match = _LABEL.fullmatch(segment)
            if match is None:
                node = node.literals.setdefault(segment, _Node())
            elif match[2]:
                found = node.greedy.setdefault(tuple(segments[position + 1 :]), {})
                found.setdefault(binding.method, []).append(binding)
                node.greedy = dict(sorted(node.greedy.items(), key=lambda item: -len(item[0])))
                return
            else:
                node.label = node.label or _Node()
                node = node.label
        node.bindings.setdefault(binding.method, []).append(binding)


def split(path: str) -> list[str]:
    """The segments of a path, still encoded. Raises BadEscape when there are absurdly many."""
    if path.count("/") > MAX_SEGMENTS:
        raise BadEscape("too many path segments")
    return path[1:].split("/") if path.startswith("/") else path.split("/")


def _walk(
    node: _Node, segments: list[str], position: int, values: tuple[str, ...]
) -> Iterator[tuple[Bindings, tuple[str, ...]]]:
    if position == len(segments):
        if node.bindings:
            yield node.bindings, values
        return
    segment = segments[position]
    literal = node.literals.get(segment)
    if literal is None and "%" in segment:
        literal = node.literals.get(unescape(segment))
    if literal is not None:
        yield from _walk(literal, segments, position + 1, values)
    if node.label is not None and segment:
        yield from _walk(node.label, segments, position + 1, (*values, segment))
    for suffix, bindings in node.greedy.items():
        end = len(segments) - len(suffix)
        if end > position and tuple(segments[end:]) == suffix and (rest := "/".join(segments[position:end])):
            yield bindings, (*values, rest)


def _binding(name: str, operation: Mapping[str, Any], path: str, constants: str, shapes: Mapping[str, Any]) -> Binding:
    shape = shapes[operation["input"]["shape"]] if "input" in operation else {}
    required: dict[str, set[str]] = {"querystring": set(), "header": set()}
    for member in shape.get("required", ()):
        reference = shape["members"][member]
        if reference.get("location") in required:
            required[reference["location"]].add(reference.get("locationName", member))
    pairs = tuple((key, value) for key, _, value in (pair.partition("=") for pair in constants.split("&") if pair))
    return Binding(
        name,
        operation["http"].get("method", "POST"),
        tuple(match[1] for match in _LABEL.finditer(path)),
        pairs,
        frozenset(required["querystring"]),
        frozenset(header.lower() for header in required["header"]),
    )

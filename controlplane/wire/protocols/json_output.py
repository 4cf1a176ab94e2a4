"""Results as JSON."""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from typing import Any

import orjson

from controlplane.wire.compiler import Closure, ShapeCompiler
from controlplane.wire.protocols.text import format_string, timestamp_format
from controlplane.wire.timestamps import FORMATTERS, epoch


def dump_json(value: Any) -> bytes:
    """JSON as UTF-8; lone surrogates, which UTF-8 cannot hold, become question marks."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return orjson.dumps(replace_surrogates(value))


def replace_surrogates(value: Any) -> Any:
    """The value with lone surrogates in its text replaced by question marks."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {replace_surrogates(key): replace_surrogates(item) for key, item in value.items()}
    return [replace_surrogates(item) for item in value] if isinstance(value, list) else value


# A binding to the path or query string, which a shape shared with the input may carry, means nothing in a result.
_HEADERS = frozenset({"header", "headers", "statusCode"})


class JsonOutput(ShapeCompiler):
    """Closures from results to values that orjson writes. A member that the shape lacks is a bug of the operation."""

    def _structure(self, shape: Any) -> Closure:
        if shape.is_document_type:
            return _same
        return self.writer(shape.name, shape.members)

    def compile_body(self, shape: Any) -> Closure:
        """The closure of a body that leaves out what belongs into headers; it expects to find it in the result."""
        write = self.writer(shape.name, {n: m for n, m in shape.members.items() if not in_headers(m)})
        outside = frozenset(name for name, member in shape.members.items() if in_headers(member))
        return lambda value: write({name: item for name, item in value.items() if name not in outside})

    def writer(self, title: str, shapes: Mapping[str, Any]) -> Closure:
        """The closure of a structure with the given members."""
        members = {
            name: (member.serialization.get("name", name), self.compile(member)) for name, member in shapes.items()
        }

        def encode(value: Mapping[str, Any]) -> dict[str, Any]:
            found = {}
            for name, item in value.items():
                try:
                    member = members[name]
                except KeyError:
                    raise TypeError(f"{title} has no member {name!r}") from None
                if item is not None:
                    found[member[0]] = member[1](item)
            return found

        return encode

    def _list(self, shape: Any) -> Closure:
        encode = self.compile(shape.member)
        return lambda value: [None if item is None else encode(item) for item in value]

    def _map(self, shape: Any) -> Closure:
        encode = self.compile(shape.value)
        return lambda value: {key: None if item is None else encode(item) for key, item in value.items()}

    def _string(self, shape: Any) -> Closure:
        return format_string

    _character = _string

    def _integer(self, shape: Any) -> Closure:
        return int

    _long = _integer

    def _double(self, shape: Any) -> Closure:
        return _number

    _float = _double

    def _boolean(self, shape: Any) -> Closure:
        return bool

    def _timestamp(self, shape: Any) -> Closure:
        form = timestamp_format(shape, "unixtimestamp")
        return epoch if form == "unixtimestamp" else FORMATTERS[form]

    def _blob(self, shape: Any) -> Closure:
        return _base64


def in_headers(member: Any) -> bool:
    """The member of a result or event stands outside the body."""
    return member.serialization.get("location") in _HEADERS or bool(member.serialization.get("eventheader"))


def _same(value: Any) -> Any:
    return value


def _number(value: float) -> float | str:
    number = float(value)
    if number != number:
        return "NaN"
    if number in (float("inf"), float("-inf")):
        return "Infinity" if number > 0 else "-Infinity"
    return number


def _base64(value: bytes) -> str:
    return binascii.b2a_base64(value, newline=False).decode()

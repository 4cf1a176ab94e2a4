"""Results as JSON."""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from typing import Any

import orjson

from controlplane.wire.compiler import Closure, ShapeCompiler
from controlplane.wire.protocols.text import timestamp_format
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


class JsonOutput(ShapeCompiler):
    """Closures from results to values that orjson writes. A member that the shape lacks is a bug of the operation."""

    def _structure(self, shape: Any) -> Closure:
        if shape.is_document_type:
            return _same
        members: dict[str, tuple[str, Closure] | None] = {}
        for name, member in shape.members.items():
            bound = member.serialization.get("location") or member.serialization.get("eventheader")
            members[name] = None if bound else (member.serialization.get("name", name), self.compile(member))
        title = shape.name

        def encode(value: Mapping[str, Any]) -> dict[str, Any]:
            found = {}
            for name, item in value.items():
                try:
                    member = members[name]
                except KeyError:
                    raise TypeError(f"{title} has no member {name!r}") from None
                if item is not None and member is not None:
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
        return _same

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

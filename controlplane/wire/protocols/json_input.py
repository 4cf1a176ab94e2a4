"""JSON bodies. Messages are those of the Coral framework, which answers for AWS's JSON APIs."""

from __future__ import annotations

import binascii
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from controlplane.wire.compiler import Closure, ShapeCompiler
from controlplane.wire.errors import Malformed
from controlplane.wire.limits import Limits
from controlplane.wire.protocols.text import INTEGER_BITS, timestamp_format
from controlplane.wire.timestamps import PARSERS, parse_epoch

_SPECIAL = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_TOKENS = {str: "STRING_VALUE", int: "NUMBER_VALUE", float: "DECIMAL_VALUE"}


def parse_json(body: bytes, limits: Limits) -> Any:
    """A JSON text, UTF-8, nested no deeper than allowed. Raises Malformed."""
    brackets = body.count(b"{") + body.count(b"[")
    if brackets > limits.elements:
        raise Malformed("The body has too many structures and lists")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Malformed("Unexpected token received from parser" if body else "Unexpected end of input") from error
    # A text with fewer brackets than the limit cannot be nested deeper, which spares nearly every request the walk.
    if brackets > limits.depth:
        check_depth(value, limits)
    return value


def check_depth(value: Any, limits: Limits) -> None:
    """Raises Malformed when dicts and lists are nested deeper than allowed."""
    level: list[Any] = [value]
    for _ in range(limits.depth):
        level = [item for container in level for item in _items(container)]
        if not level:
            return
    if any(isinstance(item, dict | list) for item in level):
        raise Malformed("Nesting is too deep")


def _items(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def unexpected(value: Any, wanted: str) -> Malformed:
    """What Coral says when a value has the wrong type."""
    if isinstance(value, dict):
        return Malformed("Start of structure or map found where not expected")
    if isinstance(value, list):
        return Malformed("Start of list found where not expected")
    if isinstance(value, bool):
        return Malformed(f"{str(value).upper()}_VALUE can not be converted to {wanted}")
    return Malformed(f"{_TOKENS.get(type(value), 'NULL_VALUE')} can not be converted to {wanted}")


class JsonInput(ShapeCompiler):
    """Closures from parsed JSON to parameters. Unknown members are ignored, as AWS does; null is as good as absent, but
    refused in lists."""

    def compile_body(self, shape: Any) -> Closure:
        """The closure of a REST body, which may not fill the members that belong into headers, path or query string."""
        return self._reader({n: m for n, m in shape.members.items() if "location" not in m.serialization})

    def _structure(self, shape: Any) -> Closure:
        if shape.is_document_type:
            return _document
        return self._reader(shape.members)

    def _reader(self, shapes: Mapping[str, Any]) -> Closure:
        members = {
            member.serialization.get("name", name): (name, self.compile(member)) for name, member in shapes.items()
        }

        def decode(value: Any) -> dict[str, Any]:
            if type(value) is not dict:
                raise Malformed("Expected structure or null") if not isinstance(value, list) else unexpected(value, "")
            found = {}
            for key, item in value.items():
                if item is not None and key in members:
                    name, read = members[key]
                    found[name] = read(item)
            return found

        return decode

    def _list(self, shape: Any) -> Closure:
        read = self.compile(shape.member)

        def decode(value: Any) -> list[Any]:
            if type(value) is not list:
                raise Malformed("Expected list or null") if not isinstance(value, dict) else unexpected(value, "")
            if None in value:
                raise Malformed("Expected no null in a list")
            return [read(item) for item in value]

        return decode

    def _map(self, shape: Any) -> Closure:
        read = self.compile(shape.value)

        def decode(value: Any) -> dict[str, Any]:
            if type(value) is not dict:
                raise Malformed("Expected map or null") if not isinstance(value, list) else unexpected(value, "")
            return {_key(key): read(item) for key, item in value.items() if item is not None}

        return decode

    def _string(self, shape: Any) -> Closure:
        return read_string

    _character = _string

    def _integer(self, shape: Any) -> Closure:
        bound = 2 ** INTEGER_BITS[shape.type_name]
        kind = "an Integer" if shape.type_name == "integer" else "a Long"

        def decode(value: Any) -> int:
            if type(value) is float and value.is_integer():
                value = int(value)
            if type(value) is not int:
                raise unexpected(value, kind)
            if not -bound <= value < bound:
                raise Malformed(f"NUMBER_VALUE is out of range for {kind}")
            return value

        return decode

    _long = _integer

    def _double(self, shape: Any) -> Closure:
        return read_number

    _float = _double

    def _boolean(self, shape: Any) -> Closure:
        return read_boolean

    def _timestamp(self, shape: Any) -> Closure:
        form = timestamp_format(shape, "unixtimestamp")
        parse = PARSERS[form]

        def decode(value: Any) -> Any:
            if type(value) in (int, float):
                return parse_epoch(value)
            if type(value) is str and form != "unixtimestamp":
                return parse(value)
            raise unexpected(value, "milliseconds since epoch")

        return decode

    def _blob(self, shape: Any) -> Closure:
        return read_blob


def _document(value: Any) -> Any:
    return value


def _key(key: Any) -> str:
    if type(key) is not str:
        raise Malformed("Expected string as key of map")
    return key


def read_string(value: Any) -> str:
    if type(value) is not str:
        raise unexpected(value, "a String")
    return value


def read_number(value: Any) -> float:
    if type(value) is float:
        return value
    if type(value) is int:
        try:
            return float(value)
        except OverflowError as error:
            raise Malformed("NUMBER_VALUE is out of range for a Double") from error
    if type(value) is str and value in _SPECIAL:
        return _SPECIAL[value]
    raise unexpected(value, "a Double")


def read_boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise unexpected(value, "a Boolean")
    return value


def read_blob(value: Any) -> bytes:
    if type(value) is not str:
        raise unexpected(value, "a Blob")
    try:
        return binascii.a2b_base64(value.encode("ascii"), strict_mode=True) if value else b""
    except (binascii.Error, UnicodeError) as error:
        raise Malformed("Invalid base64 encoded blob") from error

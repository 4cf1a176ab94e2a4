"""Scalars written as text: in query parameters, XML, headers, paths and query strings."""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable
from typing import Any

from controlplane.wire.errors import Malformed
from controlplane.wire.timestamps import FORMATTERS, PARSERS

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_FLOAT = re.compile(r"[+-]?([0-9]{1,400}\.?[0-9]{0,400}|\.[0-9]{1,400})([eE][+-]?[0-9]{1,4})?")
_SPECIAL = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_BOOLEANS = {"true": True, "false": False}
INTEGER_BITS = {"integer": 31, "long": 63}

TextParser = Callable[[str], Any]
TextFormatter = Callable[[Any], str]


def parse_string(text: str) -> str:
    return text


def parse_integer(text: str) -> int:
    text = text.strip()
    if not _INTEGER.fullmatch(text) or not -(2**31) <= (value := int(text)) < 2**31:
        raise Malformed("Expecting an integer", value=text)
    return value


def parse_long(text: str) -> int:
    text = text.strip()
    if not _INTEGER.fullmatch(text) or not -(2**63) <= (value := int(text)) < 2**63:
        raise Malformed("Expecting a long integer", value=text)
    return value


def parse_float(text: str) -> float:
    text = text.strip()
    if text in _SPECIAL:
        return _SPECIAL[text]
    if not _FLOAT.fullmatch(text):
        raise Malformed("Expecting a number", value=text)
    return float(text)


def parse_boolean(text: str) -> bool:
    value = _BOOLEANS.get(text.strip().lower())
    if value is None:
        raise Malformed("Expecting a boolean", value=text)
    return value


def parse_blob(text: str) -> bytes:
    """Standard base64; line breaks, which some clients put in, are skipped. Raises Malformed."""
    try:
        return binascii.a2b_base64("".join(text.split()).encode("ascii"), strict_mode=True) if text else b""
    except (binascii.Error, UnicodeError) as error:
        raise Malformed("Expecting base64-encoded data", value=text[:64]) from error


_PARSERS: dict[str, TextParser] = {
    "string": parse_string,
    "character": parse_string,
    "integer": parse_integer,
    "long": parse_long,
    "float": parse_float,
    "double": parse_float,
    "boolean": parse_boolean,
    "blob": parse_blob,
}


def timestamp_format(shape: Any, default: str) -> str:
    """The format that a timestamp shape asks for, in lower case."""
    name: str = shape.serialization.get("timestampFormat", default)
    return name.lower()


def text_parser(shape: Any, timestamps: str) -> TextParser:
    """How to read a scalar shape; `timestamps` is the format where the shape names none."""
    if shape.type_name == "timestamp":
        return PARSERS[timestamp_format(shape, timestamps)]
    return _PARSERS[shape.type_name]


def format_string(value: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"not a string: {type(value).__name__}")
    return value


def format_integer(value: int) -> str:
    return str(int(value))


def format_float(value: float) -> str:
    """Shortest text that reads back the same; whole numbers keep `.0`, as AWS prints them."""
    number = float(value)
    if number != number:
        return "NaN"
    if number in (float("inf"), float("-inf")):
        return "Infinity" if number > 0 else "-Infinity"
    return repr(number)


def format_boolean(value: Any) -> str:
    return "true" if value else "false"


def format_blob(value: bytes) -> str:
    return binascii.b2a_base64(value, newline=False).decode()


_FORMATTERS: dict[str, TextFormatter] = {
    "string": format_string,
    "character": format_string,
    "integer": format_integer,
    "long": format_integer,
    "float": format_float,
    "double": format_float,
    "boolean": format_boolean,
    "blob": format_blob,
}


def text_formatter(shape: Any, timestamps: str) -> TextFormatter:
    """How to write a scalar shape; `timestamps` is the format where the shape names none."""
    if shape.type_name == "timestamp":
        return FORMATTERS[timestamp_format(shape, timestamps)]
    return _FORMATTERS[shape.type_name]

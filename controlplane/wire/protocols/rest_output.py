"""Results of the REST protocols: status, headers and body."""

from __future__ import annotations

import binascii
import re
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import orjson

from controlplane.core import ids
from controlplane.core.http import HttpResponse
from controlplane.wire.compiler import compiler_of
from controlplane.wire.eventstream import CONTENT_TYPE, event_encoder
from controlplane.wire.protocols import s3_output
from controlplane.wire.protocols.json_output import JsonOutput, dump_json, in_headers
from controlplane.wire.protocols.text import text_formatter
from controlplane.wire.protocols.xml_output import XmlOutput
from controlplane.wire.protocols.xml_text import DECLARATION, namespace
from controlplane.wire.service import Operation

Result = Mapping[str, Any]
Body = bytes | AsyncIterator[bytes]
Headers = dict[str, str]
HeaderPart = Callable[[Any, Headers], None]

_JSON_TYPE = "application/json"
_XML_TYPE = "application/xml"
_NO_CONTENT = 204
_BLANK, _DELETE = 0x20, 0x7F
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def rest_encoder(operation: Operation, protocol: str) -> Callable[[Result, str], HttpResponse]:
    """The encoder of one REST operation."""
    shape = operation.output_shape
    members = shape.members if shape is not None else {}
    headers = _header_parts(members)
    status_member = next((n for n, m in members.items() if m.serialization.get("location") == "statusCode"), None)
    write_body = _body_writer(operation, shape, protocol)
    second_id = operation.service.name == "s3"
    id_header = "x-amz-request-id" if operation.service.name == "s3" else "x-amzn-RequestId"
    title = shape.name if shape is not None else operation.name
    # An operation that answers with a stored object says itself what type that has.
    binds_type = any(m.serialization.get("name", "").lower() == "content-type" for m in members.values())

    def encode(result: Result, request_id: str) -> HttpResponse:
        found: Headers = {id_header: request_id}
        if second_id:
            found |= {"x-amz-id-2": ids.host_id(request_id), "Server": "AmazonS3"}
        for name, value in result.items():
            if name not in members:
                raise TypeError(f"{title} has no member {name!r}")
            if value is not None and name in headers:
                headers[name](value, found)
        status = result.get(status_member) if status_member else None
        content_type, body = write_body(result)
        if content_type and not binds_type:
            found["Content-Type"] = content_type
        return HttpResponse(status or operation.status, found, body)

    return encode


def header_value(text: str) -> str:
    """Text as a header can carry it: no line breaks, and beyond ASCII the bytes of UTF-8."""
    if text.isascii() and text.isprintable():
        return text
    if any(map(_is_control, text)):
        text = "".join(" " if _is_control(character) else character for character in text)
    return text.encode("utf-8", "replace").decode("latin-1")


def _is_control(character: str) -> bool:
    return (character < " " and character != "\t") or character == "\x7f"


def metadata_value(text: str) -> str:
    """Text of an object's metadata: beyond ASCII as an RFC 2047 word, quoted where most of it is ASCII."""
    odd = sum(character >= "\x7f" or (character < " " and character not in "\t\r\n") for character in text)
    if not odd:
        return header_value(text)
    raw = text.encode("utf-8", "replace")
    if odd * 2 >= len(text):
        return f"=?UTF-8?B?{binascii.b2a_base64(raw, newline=False).decode()}?="
    return f"=?UTF-8?Q?{''.join(map(_quoted_byte, raw))}?="


def _quoted_byte(byte: int) -> str:
    if byte == _BLANK:
        return "_"
    return chr(byte) if _BLANK < byte < _DELETE and byte not in b"=_?" else f"={byte:02X}"


def _header_parts(members: Mapping[str, Any]) -> dict[str, HeaderPart]:
    return {
        name: _HEADER_PARTS[location](name, member)
        for name, member in members.items()
        if (location := member.serialization.get("location")) in _HEADER_PARTS
    }


def header_members(shape: Any, values: Mapping[str, Any]) -> Headers:
    """The headers that the members of an error fill."""
    found: Headers = {}
    for name, part in _header_parts(shape.members if shape is not None else {}).items():
        if values.get(name) is not None:
            part(values[name], found)
    return found


def _header(name: str, member: Any) -> HeaderPart:
    key = member.serialization.get("name", name)
    if member.type_name == "list":
        item = text_formatter(member.member, "rfc822")
        quotes = member.member.type_name == "string"

        def part(value: Any, headers: Headers) -> None:
            items = [item(element) for element in value]
            if items:
                headers[key] = header_value(", ".join(_quoted(text) if quotes else text for text in items))

        return part
    if member.serialization.get("jsonvalue"):
        return lambda value, headers: headers.update({key: _base64_json(value)})
    formatter = text_formatter(member, "rfc822")

    def one(value: Any, headers: Headers) -> None:
        headers[key] = header_value(formatter(value))

    return one


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' if '"' in text or "," in text else text


def _base64_json(value: Any) -> str:
    return binascii.b2a_base64(orjson.dumps(value), newline=False).decode()


def _prefixed_headers(name: str, member: Any) -> HeaderPart:
    prefix = member.serialization.get("name", "")

    def part(value: Mapping[str, str], headers: Headers) -> None:
        for key, text in value.items():
            # What cannot be a header's name is left out, as S3 does with metadata.
            if text is not None and _TOKEN.fullmatch(key):
                headers[prefix + key] = metadata_value(text)

    return part


_HEADER_PARTS: dict[Any, Callable[[str, Any], HeaderPart]] = {"header": _header, "headers": _prefixed_headers}


def _body_writer(operation: Operation, shape: Any, protocol: str) -> Callable[[Result], tuple[str, Body]]:
    if shape is None or operation.status == _NO_CONTENT:
        return lambda result: ("", b"")
    payload = shape.serialization.get("payload")
    if payload is not None:
        return _payload_writer(operation, payload, shape.members[payload], protocol)
    if all(in_headers(member) for member in shape.members.values()):
        # A JSON client expects an object even where there is nothing to say.
        nothing = (_JSON_TYPE, b"{}") if protocol == "rest-json" and not shape.members else ("", b"")
        return lambda result: nothing
    if protocol == "rest-json":
        write = compiler_of(operation.service, protocol, JsonOutput).compile_body(shape)
        return lambda result: (_JSON_TYPE, dump_json(write(result)))
    return _xml_writer(operation, shape)


def _xml_writer(operation: Operation, shape: Any) -> Callable[[Result], tuple[str, Body]]:
    root = shape.serialization.get("name") or s3_output.root_name(operation) or shape.name
    special = s3_output.special_writer(operation)
    if special is not None:
        return lambda result: (_XML_TYPE, special(result))
    xmlns = namespace(shape.serialization.get("xmlNamespace") or s3_output.default_namespace(operation))
    element = compiler_of(operation.service, "rest-xml", XmlOutput).element(root, shape, xmlns)

    def write(result: Any) -> tuple[str, Body]:
        parts = [DECLARATION]
        element(parts.append, result)
        return _XML_TYPE, "".join(parts).encode()

    return write


def _payload_writer(
    operation: Operation, name: str, member: Any, protocol: str
) -> Callable[[Result], tuple[str, Body]]:
    if member.serialization.get("eventstream"):
        events = event_encoder(operation.service, protocol, member)
        return lambda result: (CONTENT_TYPE, events.encode(result[name]))
    if member.type_name in ("blob", "string"):
        kind = "application/octet-stream" if member.type_name == "blob" else "text/plain"
        return lambda result: (kind, _raw(result.get(name)))
    if protocol == "rest-json":
        write = compiler_of(operation.service, protocol, JsonOutput).compile(member)

        def write_json(result: Result) -> tuple[str, Body]:
            value = result.get(name)
            return _JSON_TYPE, b"" if value is None else dump_json(write(value))

        return write_json
    write_xml = _xml_writer(operation, member)

    def write_payload(result: Result) -> tuple[str, Body]:
        value = result.get(name)
        return ("", b"") if value is None else write_xml(value)

    return write_payload


def _raw(value: Any) -> Body:
    if value is None:
        return b""
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    return bytes(value) if isinstance(value, bytes | bytearray | memoryview) else value

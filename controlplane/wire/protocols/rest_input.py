"""Parameters of the REST protocols: path labels, query string, headers and body."""

from __future__ import annotations

import binascii
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import orjson

from controlplane.core.http import HttpRequest
from controlplane.wire.chunked import ChunkedBody, is_chunked
from controlplane.wire.compiler import compiler_of
from controlplane.wire.compression import codings, inflate
from controlplane.wire.errors import Malformed
from controlplane.wire.limits import Limits
from controlplane.wire.protocols.json_input import JsonInput, check_depth, parse_json
from controlplane.wire.protocols.text import TextParser, text_parser
from controlplane.wire.protocols.xml_input import XmlInput
from controlplane.wire.route import Route
from controlplane.wire.service import Operation

_QUERY = "querystring"
_ENCODING = "content-encoding"
_FRAMES = "aws-chunked"
_DATA_LENGTH = "x-amz-decoded-content-length"
_SIGNATURE = (
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
    "X-Amz-SignedHeaders",
)

Found = dict[str, Any]
Part = Callable[[Route, HttpRequest, Limits, Found], None]


def rest_decoder(operation: Operation, protocol: str) -> Callable[[Route, HttpRequest, Limits], Found]:
    """The decoder of one REST operation, made of a part for each member outside the body, and the body."""
    shape = operation.input_shape
    parts: list[Part] = []
    always: list[int] = []
    by_header: dict[str, list[int]] = {}
    by_query: dict[str, list[int]] = {}

    def add(part: Part) -> None:
        always.append(len(parts))
        parts.append(part)

    def add_for(part: Part, index: dict[str, list[int]], *names: str) -> None:
        for name in names:
            index.setdefault(name, []).append(len(parts))
        parts.append(part)

    if shape is not None:
        for name, member in shape.members.items():
            location = member.serialization.get("location")
            key = member.serialization.get("name", name)
            if location == _QUERY and member.type_name == "map":
                add(_query_map(name, member, _named_in_query(operation)))
            elif location == _QUERY and operation.service.name == "s3" and member.type_name == "integer":
                add_for(_filled(_query_member(name, member), key), by_query, key)
            elif location == _QUERY:
                add_for(_query_member(name, member), by_query, key)
            elif location == "header" and key.lower() == _ENCODING:
                add_for(_encoding_header(name, member, inflated=not _keeps_encoding(operation)), by_header, _ENCODING)
            elif location == "header":
                add_for(_header(name, member), by_header, *_header_names(key.lower()))
            elif location is not None:
                add(_LOCATIONS[location](name, member))
        if (body := _body_part(operation, shape, protocol)) is not None:
            add(body)

    def decode(route: Route, request: HttpRequest, limits: Limits) -> Found:
        found: Found = {}
        # A request has few of the headers and parameters that an operation knows; only their parts run, in the order of
        # the model.
        wanted = set(always)
        for key in by_header.keys() & request.headers.keys():
            wanted.update(by_header[key])
        for key in by_query.keys() & route.query.keys():
            wanted.update(by_query[key])
        for place in sorted(wanted):
            parts[place](route, request, limits, found)
        return found

    return decode


def _named_in_query(operation: Operation) -> frozenset[str]:
    members = operation.input_shape.members.items()
    names = [m.serialization.get("name", name) for name, m in members if m.serialization.get("location") == _QUERY]
    constants = [pair.partition("=")[0] for pair in operation.uri.partition("?")[2].split("&")]
    return frozenset([*names, *constants, *_SIGNATURE])


def _named(parse: TextParser, text: str, name: str) -> Any:
    """Parse, with the name of the parameter in what goes wrong."""
    try:
        return parse(text)
    except Malformed as problem:
        raise Malformed(f"{name}: {problem.message}", name=name, value=text) from None


def _label(name: str, member: Any) -> Part:
    label = member.serialization.get("name", name)
    parse = text_parser(member, "iso8601")

    def part(route: Route, request: HttpRequest, limits: Limits, found: Found) -> None:
        found[name] = _named(parse, route.labels[label], label)

    return part


def _query_member(name: str, member: Any) -> Part:
    key = member.serialization.get("name", name)
    parse = text_parser(member.member if member.type_name == "list" else member, "iso8601")
    several = member.type_name == "list"

    def part(route: Route, request: HttpRequest, limits: Limits, found: Found) -> None:
        values = route.query.get(key)
        if values is not None:
            found[name] = [_named(parse, value, key) for value in values] if several else _named(parse, values[0], key)

    return part


def _filled(part: Part, key: str) -> Part:
    """A part that passes over an empty value, as S3 does with numbers."""

    def filled(route: Route, request: HttpRequest, limits: Limits, found: Found) -> None:
        if route.query.get(key) not in (None, [""]):
            part(route, request, limits, found)

    return filled


def _query_map(name: str, member: Any, named: frozenset[str]) -> Part:
    """The parameters of the query string that no other member and no constant of the URI has a name for."""
    several = member.value.type_name == "list"

    def part(route: Route, request: HttpRequest, limits: Limits, found: Found) -> None:
        rest = {key: list(values) if several else values[0] for key, values in route.query.items() if key not in named}
        if rest:
            found[name] = rest

    return part


def _header(name: str, member: Any) -> Part:
    key = member.serialization.get("name", name).lower()
    if member.type_name == "list":
        element = text_parser(member.member, "rfc822")
        dates = member.member.type_name == "timestamp" and _is_http_date(member.member)
        parse = _list_parser(element, _split_dates if dates else split_header)
    elif member.serialization.get("jsonvalue"):
        parse = _json_header
    else:
        parse = text_parser(member, "rfc822")

    first = _header_names(key)[0]

    def part(route: Route, request: HttpRequest, limits: Limits, found: Found) -> None:
        text = request.headers.get(first) or request.headers.get(key)
        if text is not None:
            found[name] = _named(parse, text, key)

    return part


def _header_names(key: str) -> tuple[str, ...]:
    """The headers that a member may stand in, the best first: the length of a framed upload counts the frames; what is
    meant is the length of the data in them."""
    return (_DATA_LENGTH, key) if key == "content-length" else (key,)


def _encoding_header(name: str, member: Any, *, inflated: bool) -> Part:
    """Content-Encoding as the caller meant it: without what only packs the request."""

    def part(route: Route, request: HttpRequest, limits: Limits, found: Found) -> None:
        found_codings = [coding for coding in codings(request.headers.get(_ENCODING, "")) if coding.lower() != _FRAMES]
        if inflated and found_codings and found_codings[-1].lower() == "gzip":
            found_codings.pop()
        if found_codings:
            found[name] = ", ".join(found_codings)

    return part


def _list_parser(element: TextParser, separate: Callable[[str], list[str]]) -> TextParser:
    return lambda text: [element(item) for item in separate(text)]


def _is_http_date(shape: Any) -> bool:
    return bool(shape.serialization.get("timestampFormat", "rfc822").lower() == "rfc822")


def _json_header(text: str) -> Any:
    try:
        value = orjson.loads(binascii.a2b_base64(text.encode("ascii"), strict_mode=True))
    except (binascii.Error, UnicodeError, orjson.JSONDecodeError) as error:
        raise Malformed("Expecting base64-encoded JSON") from error
    check_depth(value, Limits())
    return value


def split_header(text: str) -> list[str]:
    """The items of a list in a header: separated by commas, quoted where they hold a comma or a quote."""
    if '"' not in text:
        return [item.strip() for item in text.split(",")] if text.strip() else []
    items: list[str] = []
    item, quoted, was_quoted, escaped = "", False, False, False
    for character in text:
        if escaped:
            item, escaped = item + character, False
        elif quoted and character == "\\":
            escaped = True
        elif character == '"' and (quoted or not item.strip()):
            quoted, was_quoted = not quoted, True
            item = item if not quoted else ""
        elif character == "," and not quoted:
            items.append(item if was_quoted else item.strip())
            item, was_quoted = "", False
        elif not was_quoted or quoted:
            item += character
    if quoted:
        raise Malformed("Unterminated quote in a header")
    return [*items, item if was_quoted else item.strip()]


def _split_dates(text: str) -> list[str]:
    # Every HTTP date has one comma of its own: "Mon, 16 Dec 2019 23:48:18 GMT".
    pieces = text.split(",")
    return [",".join(pieces[start : start + 2]).strip() for start in range(0, len(pieces), 2)]


def _prefixed_headers(name: str, member: Any) -> Part:
    prefix = member.serialization.get("name", "").lower()

    def part(route: Route, request: HttpRequest, limits: Limits, found: Found) -> None:
        headers: Mapping[str, str] = request.headers
        chosen = {key[len(prefix) :]: value for key, value in headers.items() if key.startswith(prefix)}
        if chosen:
            found[name] = chosen

    return part


_LOCATIONS: dict[str, Callable[[str, Any], Part]] = {
    "uri": _label,
    "headers": _prefixed_headers,
}


def _body_part(operation: Operation, shape: Any, protocol: str) -> Part | None:
    payload = shape.serialization.get("payload")
    read_body = _plain_body if _keeps_encoding(operation) else inflate
    if payload is not None:
        return _payload_part(operation, payload, shape.members[payload], protocol, read_body)
    if all("location" in member.serialization for member in shape.members.values()):
        return None
    parse = _document_parser(operation, shape, protocol)

    def part(route: Route, request: HttpRequest, limits: Limits, found: Found) -> None:
        body = read_body(request, limits)
        if body:
            found.update(parse(body, limits))

    return part


def _payload_part(
    operation: Operation,
    name: str,
    member: Any,
    protocol: str,
    read_body: Callable[[HttpRequest, Limits], bytes],
) -> Part:
    if member.serialization.get("streaming") and member.type_name == "blob":
        return lambda route, request, limits, found: found.update({name: _stream(request)})
    if member.serialization.get("eventstream"):
        return lambda route, request, limits, found: found.update({name: _stream(request)})
    parse = _payload_parser(operation, member, protocol)
    # An empty policy of a bucket is a policy, and a bad one.
    empty = operation.service.name == "s3" and member.type_name == "string"

    def part(route: Route, request: HttpRequest, limits: Limits, found: Found) -> None:
        body = read_body(request, limits)
        if body or empty:
            found[name] = parse(body, limits)

    return part


def _payload_parser(operation: Operation, member: Any, protocol: str) -> Callable[[bytes, Limits], Any]:
    if member.type_name == "blob":
        return lambda body, limits: body
    if member.type_name == "string":
        return lambda body, limits: _utf8(body)
    return _document_parser(operation, member, protocol)


def _document_parser(operation: Operation, shape: Any, protocol: str) -> Callable[[bytes, Limits], Any]:
    if protocol == "rest-xml":
        reader = compiler_of(operation.service, protocol, XmlInput)
        # S3 checks documents against its schema; the others take any root.
        root = shape.serialization.get("name") if operation.service.name == "s3" else None
        return reader.compile_body(shape, root) if shape is operation.input_shape else reader.compile_root(shape, root)
    compiler = compiler_of(operation.service, protocol, JsonInput)
    read = compiler.compile_body(shape) if shape is operation.input_shape else compiler.compile(shape)
    return lambda body, limits: read(parse_json(body, limits))


def _keeps_encoding(operation: Operation) -> bool:
    """The operation takes Content-Encoding as a property of what it stores, so its body is not to be inflated."""
    members = operation.input_shape.members
    return operation.model.request_compression is None and any(
        member.serialization.get("location") == "header" and member.serialization.get("name", "").lower() == _ENCODING
        for member in members.values()
    )


def _plain_body(request: HttpRequest, limits: Limits) -> bytes:
    if len(request.body) > limits.body:
        raise Malformed(f"Request body is larger than {limits.body} bytes")
    return request.body


def _utf8(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise Malformed("The body is not UTF-8") from error


def _stream(request: HttpRequest) -> AsyncIterator[bytes]:
    stream = request.stream if request.stream is not None else _once(request.body)
    if not is_chunked(request.headers):
        return stream
    return ChunkedBody(stream, request.headers, request.chunk_verifier)


async def _once(body: bytes) -> AsyncIterator[bytes]:
    if body:
        yield body

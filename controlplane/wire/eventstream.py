"""Event streams out: the events of an asynchronous iterator as frames of `application/vnd.amazon.eventstream`.

A frame is: total length, length of headers, CRC of these two; headers; payload; CRC of all before it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from typing import Any

from controlplane.core.errors import AwsError
from controlplane.wire.compiler import compiler_of
from controlplane.wire.protocols.cbor_output import CborOutput, dump_cbor
from controlplane.wire.protocols.json_output import JsonOutput, dump_json
from controlplane.wire.protocols.xml_output import XmlOutput
from controlplane.wire.service import Service
from controlplane.wire.timestamps import epoch

CONTENT_TYPE = "application/vnd.amazon.eventstream"

_STRING, _BYTES, _INTEGER, _LONG, _TIMESTAMP = 7, 6, 4, 5, 8
_TRUE, _FALSE = b"\x00", b"\x01"
_LONGEST_HEADER = 32_767
_CBOR = "smithy-rpc-v2-cbor"
_TYPES = {
    "json": "application/json",
    "rest-json": "application/json",
    "rest-xml": "text/xml",
    _CBOR: "application/cbor",
}

Headers = Mapping[str, Any]
WritePayload = Callable[[Mapping[str, Any]], bytes]
Frame = Callable[[Mapping[str, Any]], bytes]


def encode_frame(headers: Headers, payload: bytes) -> bytes:
    """One frame. Header values are text, bytes, booleans, integers or datetimes."""
    packed = b"".join(_header(name, value) for name, value in headers.items())
    prelude = struct.pack("!II", 16 + len(packed) + len(payload), len(packed))
    message = b"".join((prelude, struct.pack("!I", zlib.crc32(prelude)), packed, payload))
    return message + struct.pack("!I", zlib.crc32(message))


def _header(name: str, value: Any) -> bytes:
    encoded = name.encode()
    start = bytes([len(encoded)]) + encoded
    if isinstance(value, bool):
        return start + (_TRUE if value else _FALSE)
    if isinstance(value, int):
        small = -(2**31) <= value < 2**31
        return start + struct.pack("!Bi", _INTEGER, value) if small else start + struct.pack("!Bq", _LONG, value)
    if isinstance(value, datetime):
        return start + struct.pack("!Bq", _TIMESTAMP, round(epoch(value) * 1000))
    kind, raw = (_BYTES, value) if isinstance(value, bytes) else (_STRING, value.encode("utf-8", "replace"))
    return start + struct.pack("!BH", kind, len(raw[:_LONGEST_HEADER])) + raw[:_LONGEST_HEADER]


class EventEncoder:
    """Encodes the events of one event stream shape in one protocol."""

    def __init__(self, service: Service, protocol: str, shape: Any) -> None:
        self._shape = shape
        self._service = service
        self._protocol = protocol
        self._events = {name: self._event(name, member) for name, member in shape.members.items()}

    async def encode(self, events: AsyncIterator[Mapping[str, Any]], first: bytes = b"") -> AsyncIterator[bytes]:
        """Frames for `{event name: members}`, after `first`. An AwsError from the iterator is the last frame."""
        if first:
            yield first
        try:
            async for event in events:
                for name, members in event.items():
                    yield self._events[name](members)
        except AwsError as error:
            yield self._error(error)

    def initial_response(self, shape: Any, result: Mapping[str, Any]) -> bytes:
        """The frame with the members besides the stream, which opens the streams of the RPC protocols."""
        rest = {name: value for name, value in result.items() if name != shape.event_stream_name}
        members = {name: member for name, member in shape.members.items() if name != shape.event_stream_name}
        write = compiler_of(self._service, self._protocol, self._output()).writer(shape.name, members)
        headers = self._headers("event", "initial-response", _TYPES[self._protocol])
        return encode_frame(headers, self._dump(write(rest)))

    def _headers(self, kind: str, name: str, content_type: str) -> dict[str, Any]:
        return {":message-type": kind, f":{kind}-type": name, ":content-type": content_type}

    def _event(self, name: str, shape: Any) -> Frame:
        kind = "exception" if shape.metadata.get("exception") else "event"
        in_headers = [key for key, member in shape.members.items() if member.serialization.get("eventheader")]
        payload = next((key for key, member in shape.members.items() if member.serialization.get("eventpayload")), None)
        content_type, write = self._payload_writer(name, shape, payload)
        fixed = self._headers(kind, name, content_type)

        def encode(members: Mapping[str, Any]) -> bytes:
            headers = {**fixed, **{key: members[key] for key in in_headers if members.get(key) is not None}}
            return encode_frame(headers, write(members))

        return encode

    def _payload_writer(self, name: str, shape: Any, payload: str | None) -> tuple[str, WritePayload]:
        if payload is None:
            return _TYPES[self._protocol], self._structure_writer(name, shape)
        member = shape.members[payload]
        if member.type_name == "blob":
            return "application/octet-stream", lambda members: bytes(members.get(payload) or b"")
        if member.type_name == "string":
            return "text/plain", lambda members: (members.get(payload) or "").encode("utf-8", "replace")
        write = self._structure_writer(payload, member)
        return _TYPES[self._protocol], lambda members: write(members.get(payload) or {})

    def _structure_writer(self, name: str, shape: Any) -> WritePayload:
        if self._protocol == "rest-xml":
            element = compiler_of(self._service, self._protocol, XmlOutput).element(name, shape)

            def write_xml(members: Mapping[str, Any]) -> bytes:
                parts: list[str] = []
                element(parts.append, members)
                return "".join(parts).encode()

            return write_xml
        write = compiler_of(self._service, self._protocol, self._output()).compile_body(shape)
        return lambda members: self._dump(write(members))

    def _output(self) -> type[JsonOutput]:
        return CborOutput if self._protocol == _CBOR else JsonOutput

    def _dump(self, value: Any) -> bytes:
        return dump_cbor(value) if self._protocol == _CBOR else dump_json(value)

    def _error(self, error: AwsError) -> bytes:
        """An exception that the stream's shape knows, or an error with code and message in headers."""
        for name, member in self._shape.members.items():
            if member.metadata.get("exception") and error.code in (name, member.name, member.error_code):
                message = next((key for key in member.members if key.lower() == "message"), None)
                values = {key: value for key, value in error.members.items() if key in member.members}
                return self._events[name]({**values, message: error.message} if message else values)
        headers = {":message-type": "error", ":error-code": error.code, ":error-message": error.message}
        return encode_frame(headers, b"")


def event_encoder(service: Service, protocol: str, shape: Any) -> EventEncoder:
    """The encoder of an event stream shape, made on first use."""
    key = f"EventEncoder {protocol} {shape.name}"
    found = service.compilers.get(key)
    if found is None:
        found = service.compilers[key] = EventEncoder(service, protocol, shape)
    return found

"""Turns results and errors into responses in the protocol that the caller speaks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from controlplane.core.errors import AwsError
from controlplane.core.http import HttpResponse
from controlplane.wire import eventstream
from controlplane.wire.compiler import compiler_of
from controlplane.wire.eventstream import event_encoder
from controlplane.wire.protocols import errors_output
from controlplane.wire.protocols.cbor_output import CborOutput, dump_cbor
from controlplane.wire.protocols.json_output import JsonOutput, dump_json
from controlplane.wire.protocols.rest_output import rest_encoder
from controlplane.wire.protocols.xml_output import XmlOutput
from controlplane.wire.protocols.xml_text import DECLARATION, namespace
from controlplane.wire.route import Route
from controlplane.wire.service import Operation, load

Result = Mapping[str, Any]
Encoder = Callable[[Result, str], HttpResponse]
ErrorEncoder = Callable[..., HttpResponse]


def encode_result(route: Route, result: Result, request_id: str) -> HttpResponse:
    """The response for what an operation returned. Raises TypeError for a result that the model does not allow."""
    operation = route.operation
    assert operation is not None
    encoder = operation.codec("encode", route.protocol, lambda: _COMPILERS[route.protocol](operation))
    response: HttpResponse = encoder(result, request_id)
    return response


def encode_error(route: Route | None, error: AwsError, request_id: str) -> HttpResponse:
    """The response for an error, also where no route is known: then in S3's XML, as for an unsigned path."""
    service, protocol = (route.service, route.protocol) if route is not None else (load("s3"), "rest-xml")
    return _ERRORS[protocol](service, error, request_id)


def _query(operation: Operation) -> Encoder:
    service = operation.service
    xmlns = namespace(service.xml_namespace)
    name = operation.name
    start, end = f"<{name}Response{xmlns}>", f"</RequestId></ResponseMetadata></{name}Response>"
    shape = operation.output_shape
    wrapper = shape.serialization.get("resultWrapper", f"{name}Result") if shape is not None else ""
    write = compiler_of(service, "query", XmlOutput).element(wrapper, shape) if shape is not None else _write_nothing
    empty = f"<{wrapper}/>" if shape is not None else ""

    def encode(result: Result, request_id: str) -> HttpResponse:
        parts = [start]
        if result:
            write(parts.append, result)
        else:
            parts.append(empty)
        parts.append(f"<ResponseMetadata><RequestId>{request_id}{end}")
        return errors_output.xml_response(200, "".join(parts), {"x-amzn-RequestId": request_id})

    return encode


def _write_nothing(append: Callable[[str], None], value: Any) -> None:
    return None


def _ec2(operation: Operation) -> Encoder:
    name = operation.name
    start = f"{DECLARATION}<{name}Response{namespace(operation.service.xml_namespace)}><requestId>"
    end = f"</{name}Response>"
    shape = operation.output_shape
    write = compiler_of(operation.service, "ec2", XmlOutput).compile(shape) if shape is not None else _write_nothing

    def encode(result: Result, request_id: str) -> HttpResponse:
        parts = [start, request_id, "</requestId>"]
        write(parts.append, result)
        parts.append(end)
        return errors_output.xml_response(200, "".join(parts), {"x-amzn-RequestId": request_id})

    return encode


def _event_stream(operation: Operation, protocol: str, result: Result, headers: dict[str, str]) -> HttpResponse:
    """An RPC answer that streams: the members besides the stream are its first frame."""
    shape = operation.output_shape
    events = event_encoder(operation.service, protocol, shape.members[shape.event_stream_name])
    headers["Content-Type"] = eventstream.CONTENT_TYPE
    first = events.initial_response(shape, result)
    return HttpResponse(200, headers, events.encode(result[shape.event_stream_name], first))


def _json(operation: Operation) -> Encoder:
    if operation.model.has_event_stream_output:
        return lambda result, request_id: _event_stream(operation, "json", result, {"x-amzn-RequestId": request_id})
    content_type = f"application/x-amz-json-{operation.service.json_version}"
    shape = operation.output_shape
    write = compiler_of(operation.service, "json", JsonOutput).compile(shape) if shape is not None else dict

    def encode(result: Result, request_id: str) -> HttpResponse:
        headers = {"Content-Type": content_type, "x-amzn-RequestId": request_id}
        return HttpResponse(200, headers, dump_json(write(result)) if shape is not None else b"{}")

    return encode


def _cbor(operation: Operation) -> Encoder:
    if operation.model.has_event_stream_output:
        return lambda result, request_id: _event_stream(
            operation, "smithy-rpc-v2-cbor", result, {"smithy-protocol": "rpc-v2-cbor", "x-amzn-RequestId": request_id}
        )
    shape = operation.output_shape
    write = compiler_of(operation.service, "smithy-rpc-v2-cbor", CborOutput).compile(shape) if shape else dict

    def encode(result: Result, request_id: str) -> HttpResponse:
        headers = {
            "Content-Type": "application/cbor",
            "smithy-protocol": "rpc-v2-cbor",
            "x-amzn-RequestId": request_id,
        }
        return HttpResponse(200, headers, dump_cbor(write(result)) if shape is not None else b"")

    return encode


_COMPILERS: dict[str, Callable[[Operation], Encoder]] = {
    "query": _query,
    "ec2": _ec2,
    "json": _json,
    "rest-json": lambda operation: rest_encoder(operation, "rest-json"),
    "rest-xml": lambda operation: rest_encoder(operation, "rest-xml"),
    "smithy-rpc-v2-cbor": _cbor,
}
_ERRORS: dict[str, ErrorEncoder] = {
    "query": errors_output.query_error,
    "ec2": errors_output.ec2_error,
    "json": errors_output.json_error,
    "rest-json": errors_output.rest_json_error,
    "rest-xml": errors_output.rest_xml_error,
    "smithy-rpc-v2-cbor": errors_output.cbor_error,
}

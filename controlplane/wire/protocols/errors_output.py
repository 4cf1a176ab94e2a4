"""Errors in every protocol."""

from __future__ import annotations

from typing import Any

from controlplane.core import ids
from controlplane.core.errors import AwsError
from controlplane.core.http import HttpResponse
from controlplane.wire.compiler import ShapeCompiler, compiler_of
from controlplane.wire.protocols import sqs_query
from controlplane.wire.protocols.cbor_output import CborOutput, dump_cbor
from controlplane.wire.protocols.json_output import JsonOutput, dump_json, in_headers
from controlplane.wire.protocols.rest_output import header_members
from controlplane.wire.protocols.xml_output import XmlOutput
from controlplane.wire.protocols.xml_text import DECLARATION, escape
from controlplane.wire.service import Service
from controlplane.wire.wording import NO_OPERATION

XML_TYPE = "text/xml"
_CBOR = "smithy-rpc-v2-cbor"
_CORAL = "com.amazon.coral.service"
_NAMESPACES = {
    "dynamodb": "com.amazonaws.dynamodb.v20120810",
    "dynamodbstreams": "com.amazonaws.dynamodb.v20120810",
    "sqs": "com.amazonaws.sqs",
}
# Lambda's errors say whose fault they are.
_FAULT = "Type"
_NOT_MODIFIED = 304


def status_of(error: AwsError, shape: Any) -> int:
    """The HTTP status: the error's own, or the model's where the error only has the default."""
    modelled = shape.metadata.get("error", {}).get("httpStatusCode") if shape is not None else None
    return modelled if modelled and error.status == AwsError.status else error.status


def members_of(error: AwsError, shape: Any) -> dict[str, Any]:
    """The members of the modelled shape that the error fills, without its message."""
    if shape is None:
        return {}
    in_body = {name for name, member in shape.members.items() if not in_headers(member)}
    return {name: value for name, value in error.members.items() if name in in_body}


def _query_code(service: Service, error: AwsError, shape: Any) -> tuple[str, int]:
    status = status_of(error, shape)
    if service.name == "sqs" and (old := sqs_query.query_code(shape.name if shape is not None else error.code)):
        return old[0], status if status >= 500 else old[1]
    return (shape.error_code if shape is not None else None) or error.code, status


def query_error(service: Service, error: AwsError, request_id: str) -> HttpResponse:
    """`<ErrorResponse><Error>…` of the query protocol; an element alone for a request that names no operation."""
    if error.code == NO_OPERATION and not error.message:
        return xml_response(error.status, f"<{NO_OPERATION}/>\n", {"x-amzn-RequestId": request_id})
    shape = service.error_shape(error.code)
    code, status = _query_code(service, error, shape)
    xmlns = f' xmlns="{escape(service.xml_namespace)}"' if service.xml_namespace else ""
    parts = [
        f"<ErrorResponse{xmlns}><Error><Type>{_fault(status)}</Type><Code>{escape(code)}</Code>",
        f"<Message>{escape(sqs_query.message(code, error.message))}</Message>",
    ]
    _write_members(parts, service, "query", shape, error)
    parts.append(f"</Error><RequestId>{request_id}</RequestId></ErrorResponse>")
    return xml_response(status, "".join(parts), {"x-amzn-RequestId": request_id})


def ec2_error(service: Service, error: AwsError, request_id: str) -> HttpResponse:
    """`<Response><Errors><Error>…` of EC2."""
    parts = [
        f"{DECLARATION}<Response><Errors><Error><Code>{escape(error.code)}</Code>",
        f"<Message>{escape(error.message)}</Message>",
    ]
    _write_members(parts, service, "ec2", service.error_shape(error.code), error)
    parts.append(f"</Error></Errors><RequestID>{request_id}</RequestID></Response>")
    return xml_response(error.status, "".join(parts), {"x-amzn-RequestId": request_id})


def json_error(service: Service, error: AwsError, request_id: str) -> HttpResponse:
    """`{"__type": …, "message": …}` of the JSON protocols, with the query code where the service once spoke query."""
    shape = service.error_shape(error.code)
    body, status = _rpc_error_body(service, error, shape, compiler_of(service, "json", JsonOutput))
    headers = {"Content-Type": f"application/x-amz-json-{service.json_version}", "x-amzn-RequestId": request_id}
    headers |= query_error_header(service, error, shape, status)
    return HttpResponse(status, headers, dump_json(body))


def cbor_error(service: Service, error: AwsError, request_id: str) -> HttpResponse:
    """The same body as in JSON, as CBOR."""
    shape = service.error_shape(error.code)
    body, status = _rpc_error_body(service, error, shape, compiler_of(service, _CBOR, CborOutput))
    headers = {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor", "x-amzn-RequestId": request_id}
    headers |= query_error_header(service, error, shape, status)
    return HttpResponse(status, headers, dump_cbor(body))


def rest_json_error(service: Service, error: AwsError, request_id: str) -> HttpResponse:
    """`{"message": …}` with the code in a header."""
    shape = service.error_shape(error.code)
    body, status = _rpc_error_body(service, error, shape, compiler_of(service, "rest-json", JsonOutput))
    del body["__type"]
    headers = {
        "Content-Type": "application/json",
        "x-amzn-ErrorType": header_text(shape.name if shape is not None else error.code),
        "x-amzn-RequestId": request_id,
    }
    headers |= header_members(shape, error.members)
    return HttpResponse(status, headers, dump_json(body))


def rest_xml_error(service: Service, error: AwsError, request_id: str) -> HttpResponse:
    """S3's bare `<Error>`, and the `<ErrorResponse>` of the other REST-XML services."""
    shape = service.error_shape(error.code)
    code = shape.error_code if shape is not None else error.code
    status = status_of(error, shape)
    parts = [f"<Code>{escape(code)}</Code><Message>{escape(error.message)}</Message>"]
    if status == _NOT_MODIFIED:
        return HttpResponse(status, _s3_headers(request_id))
    if service.name == "s3":
        known = {name: value for name, value in error.members.items() if isinstance(value, str | int)}
        parts += [f"<{name}>{escape(str(value))}</{name}>" for name, value in known.items()]
        headers = _s3_headers(request_id)
        tail = f"<RequestId>{request_id}</RequestId><HostId>{headers['x-amz-id-2']}</HostId></Error>"
        body = f"{DECLARATION}<Error>{''.join(parts)}{tail}"
        return HttpResponse(status, {**headers, "Content-Type": "application/xml"}, body.encode())
    _write_members(parts, service, "rest-xml", shape, error)
    body = (
        f"{DECLARATION}<ErrorResponse><Error><Type>{_fault(status)}</Type>{''.join(parts)}</Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    )
    headers = {"x-amzn-RequestId": request_id, **header_members(shape, error.members)}
    return xml_response(status, body, headers)


def _s3_headers(request_id: str) -> dict[str, str]:
    return {"x-amz-request-id": request_id, "x-amz-id-2": ids.host_id(request_id), "Server": "AmazonS3"}


def _rpc_error_body(
    service: Service, error: AwsError, shape: Any, compiler: ShapeCompiler
) -> tuple[dict[str, Any], int]:
    body: dict[str, Any] = {"__type": _type_name(service, error, shape)}
    if error.message:
        body[message_member(shape)] = error.message
    if service.name == "lambda" and shape is not None and _FAULT in shape.members:
        body[_FAULT] = "User" if error.status < 500 else "Service"
    if extra := members_of(error, shape):
        body |= compiler.compile(shape)(extra)
    return body, _query_code(service, error, shape)[1]


def _type_name(service: Service, error: AwsError, shape: Any) -> str:
    """The error's name, with the namespace that the JSON 1.0 services and CBOR put before it."""
    if shape is None:
        return f"{_CORAL}#{error.code}" if service.json_version == "1.0" else error.code
    namespace = _NAMESPACES.get(service.name)
    if namespace is None and service.protocols[0] == _CBOR:
        namespace = f"com.amazonaws.{service.name}"
    return f"{namespace}#{shape.name}" if namespace else str(shape.name)


def message_member(shape: Any) -> str:
    """What the model calls the message."""
    if shape is not None:
        for name, member in shape.members.items():
            if name.lower() == "message":
                return str(member.serialization.get("name", name))
    return "message"


def query_error_header(service: Service, error: AwsError, shape: Any, status: int) -> dict[str, str]:
    """The header that carries the query protocol's code to clients that know it."""
    if not service.query_compatible:
        return {}
    code, _ = _query_code(service, error, shape)
    return {"x-amzn-query-error": f"{header_text(code)};{_fault(status)}"}


def header_text(text: str) -> str:
    """Text that a header can carry: no controls, nothing outside ASCII."""
    return "".join(character if " " <= character <= "~" else "?" for character in text)


def xml_response(status: int, text: str, headers: dict[str, str]) -> HttpResponse:
    """An XML document as a response."""
    return HttpResponse(status, {"Content-Type": XML_TYPE, **headers}, text.encode())


def _fault(status: int) -> str:
    return "Sender" if status < 500 else "Receiver"


def _write_members(parts: list[str], service: Service, protocol: str, shape: Any, error: AwsError) -> None:
    if extra := members_of(error, shape):
        compiler_of(service, protocol, XmlOutput).compile(shape)(parts.append, extra)

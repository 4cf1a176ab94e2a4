"""Requests as botocore's real serializers make them, and responses as its real parsers read them."""

from __future__ import annotations

from io import BytesIO
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from botocore.awsrequest import AWSRequest, HeadersDict, prepare_request_dict
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

from controlplane.core.http import HttpRequest, HttpResponse
from controlplane.wire.service import Operation, Service

_BOTOCORE_ONLY = ("ResponseMetadata",)


def serialize(operation: Operation, parameters: dict[str, Any], protocol: str, signed_as: str | None) -> HttpRequest:
    """The HTTP request that botocore sends for the parameters, with a credential scope but no real signature."""
    model = operation.model
    serialized = create_serializer(protocol, include_validation=False).serialize_to_request(parameters, model)
    serialized.setdefault("headers", {})
    serialized.pop("auth_path", None)
    serialized.pop("host_prefix", None)
    prepare_request_dict(serialized, "http://127.0.0.1:4566", context={})
    request = AWSRequest(
        method=serialized["method"], url=serialized["url"], data=serialized["body"], headers=serialized["headers"]
    ).prepare()
    return from_prepared(request, signed_as)


def from_prepared(request: Any, signed_as: str | None) -> HttpRequest:
    """An HttpRequest as the gateway would make it of a prepared botocore request."""
    parts = urlsplit(request.url)
    headers = {
        (name.decode() if isinstance(name, bytes) else name).lower(): (
            value.decode() if isinstance(value, bytes) else str(value)
        )
        for name, value in request.headers.items()
    }
    headers.setdefault("host", parts.netloc)
    if signed_as is not None:
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20261121/us-east-1/{signed_as}/aws4_request, "
            "SignedHeaders=host, Signature=0"
        )
    body = request.body or b""
    if hasattr(body, "read"):
        body = body.read()
    body = body.encode() if isinstance(body, str) else bytes(body)
    return HttpRequest(request.method, (parts.path or "/").encode(), parts.query.encode(), headers, body)


def parse(operation: Operation, response: HttpResponse, protocol: str, shape: Any = None) -> dict[str, Any]:
    """What botocore's parser makes of a response."""
    assert isinstance(response.body, bytes)
    # As botocore's HTTP layer does, hand a payload that streams over unread.
    streams = shape is None and operation.model.has_streaming_output
    found = create_parser(protocol).parse(
        {
            "headers": HeadersDict(response.headers),
            "status_code": response.status,
            "body": BytesIO(response.body) if streams else response.body,
            "context": {"operation_name": operation.name},
        },
        shape if shape is not None else operation.output_shape,
    )
    return {
        name: value.read() if isinstance(value, BytesIO) else value
        for name, value in found.items()
        if name not in _BOTOCORE_ONLY
    }


def query_string(pairs: dict[str, str]) -> bytes:
    return urlencode(pairs, quote_via=quote).encode()


__all__ = ["Service", "from_prepared", "parse", "query_string", "serialize"]

"""Turns a routed request into parameters: botocore-style Python values, validated against the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from controlplane.core.http import HttpRequest
from controlplane.wire import wording
from controlplane.wire.compiler import Closure, compiler_of
from controlplane.wire.compression import inflate
from controlplane.wire.errors import Malformed
from controlplane.wire.limits import DEFAULT_LIMITS, Limits
from controlplane.wire.protocols import sqs_query
from controlplane.wire.protocols.cbor_input import CborInput, parse_cbor
from controlplane.wire.protocols.json_input import JsonInput, parse_json
from controlplane.wire.protocols.query_input import Ec2Input, QueryInput
from controlplane.wire.protocols.rest_input import rest_decoder
from controlplane.wire.route import Route
from controlplane.wire.service import Operation
from controlplane.wire.validate import validate

Decoder = Callable[[Route, HttpRequest, Limits], dict[str, Any]]


def decode(route: Route, request: HttpRequest, limits: Limits = DEFAULT_LIMITS) -> dict[str, Any]:
    """The parameters of a request: timestamps aware and in UTC, blobs as bytes, a streaming payload as an iterator.

    Raises AwsError, worded as the service would, when the request cannot be read or breaks a constraint of the model.
    """
    operation = route.operation
    assert operation is not None
    decoder = operation.codec("decode", route.protocol, lambda: _COMPILERS[route.protocol](operation))
    try:
        parameters: dict[str, Any] = decoder(route, request, limits)
    except Malformed as problem:
        raise wording.malformed(operation.service, route.protocol, problem) from problem
    validate(route, parameters)
    return parameters


def _query(operation: Operation) -> Decoder:
    read = _form_decoder(operation, compiler_of(operation.service, "query", QueryInput))
    if operation.service.name != "sqs" or operation.input_shape is None:
        return read
    if sqs_query.QUEUE_URL not in operation.input_shape.members:
        return read

    def decode_addressed(route: Route, request: HttpRequest, limits: Limits) -> dict[str, Any]:
        url = sqs_query.queue_url(request)
        return {sqs_query.QUEUE_URL: url, **read(route, request, limits)} if url else read(route, request, limits)

    return decode_addressed


def _ec2(operation: Operation) -> Decoder:
    return _form_decoder(operation, compiler_of(operation.service, "ec2", Ec2Input))


def _form_decoder(operation: Operation, compiler: QueryInput) -> Decoder:
    if operation.input_shape is None:
        return _nothing
    read = compiler.compile_root(operation.input_shape)
    return lambda route, request, limits: read(route.form, limits)


def _nothing(route: Route, request: HttpRequest, limits: Limits) -> dict[str, Any]:
    return {}


def _json(operation: Operation) -> Decoder:
    if operation.input_shape is None:
        return _nothing
    read: Closure = compiler_of(operation.service, "json", JsonInput).compile(operation.input_shape)

    def decode_json(route: Route, request: HttpRequest, limits: Limits) -> Any:
        body = inflate(request, limits)
        # AWS takes an absent body as an empty structure.
        return read(parse_json(body, limits)) if body else {}

    return decode_json


def _cbor(operation: Operation) -> Decoder:
    if operation.input_shape is None:
        return _nothing
    read: Closure = compiler_of(operation.service, "smithy-rpc-v2-cbor", CborInput).compile(operation.input_shape)

    def decode_cbor(route: Route, request: HttpRequest, limits: Limits) -> Any:
        body = inflate(request, limits)
        return read(parse_cbor(body, limits)) if body else {}

    return decode_cbor


_COMPILERS: dict[str, Callable[[Operation], Decoder]] = {
    "query": _query,
    "ec2": _ec2,
    "json": _json,
    "rest-json": lambda operation: rest_decoder(operation, "rest-json"),
    "rest-xml": lambda operation: rest_decoder(operation, "rest-xml"),
    "smithy-rpc-v2-cbor": _cbor,
}

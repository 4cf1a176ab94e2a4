"""Random parameters through botocore's serializers and our decoders, random results through our encoders and its
parsers: the same values come out that went in.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from datetime import datetime
from random import Random
from typing import Any

import pytest

from controlplane.wire.decode import decode
from controlplane.wire.encode import encode_result
from controlplane.wire.index import Index
from controlplane.wire.route import Route, identify
from controlplane.wire.service import Operation, payload_member
from tests.wire import clients
from tests.wire.generate import Generator, Unmakeable

# Service, protocol, and how many operations of it are tried.
SERVICES = [
    ("ec2", "ec2", 250),
    ("iam", "query", 200),
    ("sts", "query", 20),
    ("sns", "query", 60),
    ("rds", "query", 60),
    ("cloudformation", "query", 60),
    ("autoscaling", "query", 60),
    ("elbv2", "query", 60),
    ("sqs", "json", 40),
    ("sqs", "query", 40),
    ("cloudwatch", "query", 40),
    ("cloudwatch", "json", 40),
    ("cloudwatch", "smithy-rpc-v2-cbor", 40),
    ("dynamodb", "json", 60),
    ("kms", "json", 60),
    ("kinesis", "json", 40),
    ("ecs", "json", 60),
    ("logs", "json", 60),
    ("ssm", "json", 60),
    ("secretsmanager", "json", 30),
    ("shield", "smithy-rpc-v2-cbor", 40),
    ("gamelift", "smithy-rpc-v2-cbor", 60),
    ("lambda", "rest-json", 80),
    ("apigateway", "rest-json", 120),
    ("apigatewayv2", "rest-json", 60),
    ("glacier", "rest-json", 40),
    ("eks", "rest-json", 60),
    ("sesv2", "rest-json", 60),
    ("iot", "rest-json", 80),
    ("opensearch", "rest-json", 60),
    ("lexv2-runtime", "rest-json", 10),
    ("s3", "rest-xml", 120),
    ("s3control", "rest-xml", 80),
    ("route53", "rest-xml", 80),
    ("cloudfront", "rest-xml", 120),
]
SEEDS = 3
_SET_BY_TRANSPORT = "ContentLength"
# Operations whose requests are, without more than a path, those of another operation.
# Answers that botocore reads with code of its own, not by the model; tests/wire/test_clients.py has them.
READ_BY_HANDLERS = {("s3", "GetBucketLocation")}
SHADOWED = {
    ("s3", "ListDirectoryBuckets"),  # ListBuckets, but sent to another host
    ("s3control", "CreateBucket"),  # names neither account nor outpost unless it is for an outpost
}


@pytest.mark.parametrize(("name", "protocol", "count"), SERVICES)
async def test_parameters(index: Index, name: str, protocol: str, count: int) -> None:
    tried = 0
    for operation, seed in _operations(index, name, protocol, count):
        parameters = _make(operation.input_shape, protocol, seed, output=False)
        if parameters is None or operation.model.has_event_stream_input:
            continue
        request = clients.serialize(operation, parameters, protocol, operation.service.signing_name)
        route = identify(request, index)
        assert (route.service.name, route.protocol, route.operation_name) == (name, protocol, operation.name)
        decoded = await _drained(decode(route, request))
        assert decoded == _present(parameters, operation.input_shape, protocol), operation.name
        tried += 1
    assert tried >= min(count, len(operation.service.operations) * 2 // 3), "too few operations could be tried"


@pytest.mark.parametrize(("name", "protocol", "count"), SERVICES)
def test_results(index: Index, name: str, protocol: str, count: int) -> None:
    tried = 0
    for operation, seed in _operations(index, name, protocol, count):
        # S3 prints whole seconds.
        result = _make(operation.output_shape, protocol, seed, output=True, whole_seconds=name == "s3")
        if result is None or operation.model.has_event_stream_output or (name, operation.name) in READ_BY_HANDLERS:
            continue
        route = Route(operation.service, protocol, operation, operation.name)
        response = encode_result(route, result, "request-1")
        parsed = clients.parse(operation, response, protocol) if operation.output_shape is not None else {}
        assert _comparable(parsed) == _comparable(_as_parsed(result, operation)), operation.name
        tried += 1
    assert tried >= min(count, len(operation.service.operations) * 2 // 3), "too few operations could be tried"


def _operations(index: Index, name: str, protocol: str, count: int) -> list[tuple[Operation, str]]:
    service = index.load(name)
    # Deprecated operations of S3 share their paths with those that replaced them.
    names = sorted(
        operation
        for operation in service.operations
        if (name, operation) not in SHADOWED and not service.operation(operation, protocol).model.deprecated
    )
    chosen = names if len(names) <= count else Random(name).sample(names, count)
    return [
        (service.operation(chosen_name, protocol), f"{chosen_name} {seed}")
        for chosen_name in chosen
        for seed in range(SEEDS)
    ]


def _make(shape: Any, protocol: str, seed: str, *, output: bool, whole_seconds: bool = False) -> dict[str, Any] | None:
    if shape is None:
        return {}
    try:
        generator = Generator(Random(seed), protocol, output=output, whole_seconds=whole_seconds)
        made: dict[str, Any] = generator.value(shape)
    except Unmakeable:
        return None
    return made


def _present(parameters: dict[str, Any], shape: Any, protocol: str) -> dict[str, Any]:
    """The parameters as they arrive: an empty payload is no payload, as HTTP has it."""
    parameters = {name: value for name, value in parameters.items() if name != _SET_BY_TRANSPORT}
    payload = shape.serialization.get("payload") if shape is not None else None
    if payload and protocol == "rest-json" and shape.members[payload].type_name == "structure":
        # botocore sends {} where there is no payload.
        return {payload: {}, **parameters}
    if payload and _streams(shape):
        return {**parameters, payload: parameters.get(payload, b"")}
    return parameters


def _streams(shape: Any) -> bool:
    member = payload_member(shape)
    return member is not None and bool(member.serialization.get("streaming"))


async def _drained(parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        name: b"".join([chunk async for chunk in value]) if isinstance(value, AsyncIterator) else value
        for name, value in parameters.items()
        if name != _SET_BY_TRANSPORT
    }


def _as_parsed(result: dict[str, Any], operation: Operation) -> dict[str, Any]:
    """A payload that is absent is an empty one to botocore."""
    members = operation.output_shape.members if operation.output_shape is not None else {}
    for name, member in members.items():
        if member.serialization.get("location") == "statusCode":
            result = {name: operation.status, **result}
        if member.serialization.get("location") == "headers":
            result = {name: {}, **result}
    member = payload_member(operation.output_shape)
    if member is None:
        return result
    empty = {"blob": b"", "string": "", "structure": {}}[member.type_name]
    return {operation.output_shape.serialization["payload"]: empty, **result}


def _comparable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _comparable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_comparable(item) for item in value]
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else value
    return value.timestamp() if isinstance(value, datetime) else value

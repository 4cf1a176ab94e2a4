"""Small requests that would cost much, or would slip something past the model. Each is aimed at one weakness."""

from __future__ import annotations

import time
import tracemalloc
from typing import Any

import cbor2
import orjson
import pytest

from controlplane.core.errors import AwsError
from controlplane.core.http import HttpRequest
from controlplane.wire.decode import decode
from controlplane.wire.encode import encode_result
from controlplane.wire.errors import Malformed
from controlplane.wire.index import Index
from controlplane.wire.limits import DEFAULT_LIMITS
from controlplane.wire.patterns import compiled
from controlplane.wire.protocols.cbor_input import parse_cbor
from controlplane.wire.protocols.json_input import parse_json
from controlplane.wire.protocols.xml_input import parse_xml
from controlplane.wire.route import Route, identify
from controlplane.wire.service import load

MANY = 8 * 1024 * 1024
SECONDS = 2.0
BYTES = 150 * 1024 * 1024


def _scope(service: str) -> str:
    return f"AWS4-HMAC-SHA256 Credential=A/20261121/us-east-1/{service}/aws4_request, Signature=0"


def _form(service: str, body: bytes) -> HttpRequest:
    headers = {"content-type": "application/x-www-form-urlencoded", "authorization": _scope(service)}
    return HttpRequest("POST", b"/", b"", headers, body)


def _decode(request: HttpRequest, index: Index) -> dict[str, Any]:
    return decode(identify(request, index), request)


@pytest.mark.parametrize(
    ("parse", "body"),
    [
        (parse_json, b"[" + b"[]," * (MANY // 3) + b"[]]"),
        (parse_json, b"[" * MANY),
        (parse_json, b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
        (parse_xml, b"<a>" + b"<b/>" * (MANY // 4) + b"</a>"),
        (parse_xml, b"<a>" * 100_000 + b"</a>" * 100_000),
        (parse_xml, b'<!DOCTYPE a [<!ENTITY b "b">]><a>&b;</a>'),
        (parse_cbor, b"\x9a" + (MANY).to_bytes(4, "big") + b"\x80" * MANY),
        (parse_cbor, b"\x81" * MANY),
        (parse_cbor, b"\x9b" + b"\x7f" + b"\xff" * 7),
        # A list of two references to a list of two references to …: 2 ** 60 elements to walk.
        (parse_cbor, b"\xd8\x1c\x82" * 60 + b"\x01" + b"".join(b"\xd8\x1d\x18%c" % n for n in range(60, 0, -1))),
        (parse_cbor, cbor2.dumps(cbor2.CBORTag(35, "(a+)+$"))),
        (parse_cbor, cbor2.dumps({"a": 1}) + b"\x00"),
    ],
)  # fmt: skip
def test_costly_bodies_are_refused_cheaply(parse: Any, body: bytes) -> None:
    started = time.thread_time()
    with pytest.raises(Malformed):
        parse(body, DEFAULT_LIMITS)
    took = time.thread_time() - started
    tracemalloc.start()
    with pytest.raises(Malformed):
        parse(body, DEFAULT_LIMITS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert took < SECONDS
    assert peak < BYTES


@pytest.mark.parametrize(
    "body",
    [
        b"Action=DescribeInstances&" + b"&".join(b"%d%s=x" % (n, b".a" * 31) for n in range(9_000)),
        b"Action=DescribeInstances&Filter" + b".1" * 50_000 + b"=x",
        b"Action=DescribeInstances&" + b"a=b&" * 500_000,
        b"Action=DescribeInstances&Filter.1=x&Filter.1.Name=y",
        b"Action=DescribeInstances&Filter.1.Name=x&Filter.1.Name=y",
    ],
)
def test_costly_forms_are_refused_cheaply(index: Index, body: bytes) -> None:
    started = time.thread_time()
    with pytest.raises(AwsError) as caught:
        _decode(_form("ec2", body), index)
    assert caught.value.status < 500
    assert time.thread_time() - started < SECONDS


def test_a_huge_position_is_one_element(index: Index) -> None:
    found = _decode(_form("ec2", b"Action=DescribeInstances&InstanceId.999999999=i-1&InstanceId.2=i-0"), index)
    assert found == {"InstanceIds": ["i-0", "i-1"]}


@pytest.mark.parametrize(
    "header",
    ["Credential=" * 6000, "Credential=" + "a" * 60_000, "Credential=a/20260101/" + "b/" * 30_000, "/" * 60_000],
)
def test_long_credentials_are_read_in_no_time(index: Index, header: str) -> None:
    request = HttpRequest("GET", b"/", b"", {"authorization": header})
    started = time.thread_time()
    identify(request, index)
    assert time.thread_time() - started < 0.1


def test_dynamodb_items_may_be_as_deep_as_aws_allows(index: Index) -> None:
    value: dict[str, Any] = {"S": "x"}
    for _ in range(32):
        value = {"M": {"a": value}}
    body = orjson.dumps({"TableName": "table", "Item": {"id": value}})
    headers = {"x-amz-target": "DynamoDB_20120810.PutItem", "authorization": _scope("dynamodb")}
    found = _decode(HttpRequest("POST", b"/", b"", headers, body), index)
    assert found["Item"]["id"] == value


def test_the_deepest_body_leaves_room_on_the_stack(index: Index) -> None:
    value: dict[str, Any] = {"S": "x"}
    for _ in range(DEFAULT_LIMITS.depth // 2 - 2):
        value = {"L": [value]}
    body = orjson.dumps({"TableName": "table", "Item": {"id": value}})
    headers = {"x-amz-target": "DynamoDB_20120810.PutItem", "authorization": _scope("dynamodb")}
    request = HttpRequest("POST", b"/", b"", headers, body)

    def below(frames: int) -> dict[str, Any]:
        return below(frames - 1) if frames else _decode(request, index)

    found = below(400)
    operation = load("dynamodb").operation("GetItem")
    encode_result(Route(load("dynamodb"), "json", operation, "GetItem"), {"Item": found["Item"]}, "request-1")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (b"/bucket?tagging", b"<Tagging><Bucket>other</Bucket><TagSet></TagSet></Tagging>"),
        (b"/v20180820/jobs", b"<CreateJobRequest><AccountId>other</AccountId></CreateJobRequest>"),
    ],
)  # fmt: skip
def test_a_body_cannot_fill_what_belongs_elsewhere(index: Index, path: bytes, body: bytes) -> None:
    raw_path, _, query = path.partition(b"?")
    headers = {"authorization": _scope("s3")} | ({"x-amz-account-id": "mine"} if raw_path.startswith(b"/v2018") else {})
    request = HttpRequest("PUT" if query else "POST", raw_path, query, headers, body)
    route = identify(request, index)
    try:
        found = decode(route, request)
    except AwsError as error:
        assert error.status == 400
        return
    assert found.get("Bucket") == "bucket"


def test_json_cannot_fill_path_labels(index: Index) -> None:
    headers = {"authorization": _scope("lambda")}
    body = b'{"FunctionName":"other","Description":"d"}'
    request = HttpRequest("PUT", b"/2015-03-31/functions/mine/configuration", b"", headers, body)
    assert _decode(request, index) == {"FunctionName": "mine", "Description": "d"}


def test_patterns_take_linear_time() -> None:
    for pattern in ("^(a+)+$", "([a-zA-Z0-9]+-?)*x", "(.*)*(.*)*(.*)*y"):
        regexp = compiled(pattern)
        started = time.thread_time()
        assert not regexp.fullmatch("a" * 100_000 + "!")
        assert time.thread_time() - started < SECONDS


@pytest.mark.parametrize("text", ["a\r\nSet-Cookie: x", "a\nb", "\x00", "é", "\u2028", "x" * 10_000, "\x7f"])
def test_results_cannot_inject_headers(text: str) -> None:
    operation = load("s3").operation("GetObject")
    result = {"ContentType": text, "Metadata": {"key": text, "bad key\r\n": "x", "é": "x"}, "Body": b""}
    response = encode_result(Route(load("s3"), "rest-xml", operation, "GetObject"), result, "request-1")
    for name, value in response.headers.items():
        assert name.isascii() and name.isprintable() and " " not in name
        assert all(byte >= 32 and byte != 127 for byte in value.encode("latin-1"))


@pytest.mark.parametrize("text", ["\x00\x0b\x1f", "]]>", "<&>\"'", "\ud800", "\ufffe", "\r\n\t", "\U0001f639"])
@pytest.mark.parametrize(
    ("service", "protocol"), [("iam", "query"), ("dynamodb", "json"), ("cloudwatch", "smithy-rpc-v2-cbor")]
)
def test_any_text_can_be_answered(service: str, protocol: str, text: str) -> None:
    name, result = {
        "iam": ("GetUser", {"User": {"UserName": text}}),
        "dynamodb": ("GetItem", {"Item": {text: {"S": text}}}),
        "cloudwatch": ("ListMetrics", {"NextToken": text}),
    }[service]
    operation = load(service).operation(name, protocol)
    response = encode_result(Route(load(service), protocol, operation, name), result, "request-1")
    assert isinstance(response.body, bytes)
    if protocol == "query":
        parse_xml(response.body, DEFAULT_LIMITS)

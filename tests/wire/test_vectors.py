"""botocore's protocol vectors, driven the other way round: its requests are decoded, and what is encoded it parses."""

from __future__ import annotations

import base64
import gzip
import math
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from botocore.parsers import ResponseParserError

from controlplane.core.errors import AwsError
from controlplane.core.http import HttpRequest, HttpResponse
from controlplane.wire.decode import decode
from controlplane.wire.encode import encode_error, encode_result
from controlplane.wire.form import read_form
from controlplane.wire.limits import DEFAULT_LIMITS
from controlplane.wire.paths import parse_query, split
from controlplane.wire.route import Route
from controlplane.wire.service import payload_member
from tests.wire import clients
from tests.wire.vectors import Case, cases, folder

pytestmark = pytest.mark.skipif(folder() is None, reason="no shared/vectors beside the repository")

# Vectors that a server cannot meet, each with the reason.
_EMPTY = "an empty collection leaves no trace in the request"
_EMPTY_PAYLOAD = "botocore sends {} for an absent payload and for an empty one"
_PARSER = "botocore's own parser does not read the vector's response as the vector says"
EXCEPTIONS: dict[str, str] = {
    "input ec2 Ec2EmptyQueryLists": _EMPTY,
    "input query QueryEmptyQueryMaps": _EMPTY,
    "input rest-json RestJsonHttpPrefixHeadersAreNotPresent": _EMPTY,
    "input rest-json RestJsonOmitsEmptyListQueryValues": _EMPTY,
    "input rest-xml HttpPrefixHeadersAreNotPresent": _EMPTY,
    "input rest-json RestJsonHttpWithEmptyStructurePayload": _EMPTY_PAYLOAD,
    "input rest-json RestJsonHttpWithHeadersButNoPayload": _EMPTY_PAYLOAD,
    "input rest-json MediaTypeHeaderInputBase64": "the header holds JSON, and the JSON text `true` is a boolean",
    "output rest-json HttpPrefixHeadersResponse": "with an empty prefix, the request id's header matches too",
    "output ec2 Ec2XmlLists": _PARSER,
    "output query QueryXmlLists": _PARSER,
    "output rest-xml XmlLists": _PARSER,
    "output rest-xml InputAndOutputWithTimestampHeaders": _PARSER,
    "output rest-xml RestXmlHttpPayloadWithUnsetUnion": _PARSER,
    "output rest-json RestJsonHttpPayloadWithUnsetUnion": _PARSER,
    "output rest-json RestJsonInputAndOutputWithQuotedStringHeaders": _PARSER,
    "output rest-json RestJsonInputAndOutputWithTimestampHeaders": _PARSER,
}
AUTO_FILLED_TOKEN = "00000000-0000-4000-8000-000000000000"

INPUTS = list(cases("input"))
OUTPUTS = list(cases("output"))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _reason(case: Case) -> str | None:
    return EXCEPTIONS.get(case.id)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in INPUTS])
def test_input(case: Case) -> None:
    if reason := _reason(case):
        pytest.skip(reason)
    request = _request(case)
    route = _route(case, request)
    expected = _typed(case.operation.input_shape, case.data.get("params", {}), blob=str.encode)
    _fill_token(case, expected)
    _drop_named_from_maps(case, expected)
    assert _comparable(decode(route, request)) == _comparable(expected)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in OUTPUTS])
def test_output(case: Case) -> None:
    if reason := _reason(case):
        pytest.skip(reason)
    route = Route(case.operation.service, case.protocol, case.operation, case.operation.name)
    if "errorCode" in case.data:
        _check_error(case, route)
        return
    result = _typed(case.operation.output_shape, case.data["result"], blob=str.encode)
    response = encode_result(route, result, "request-1")
    assert response.status == case.data["response"]["status_code"]
    parsed = clients.parse(case.operation, response, case.protocol)
    assert _comparable(parsed) == _comparable(_as_parsed(case, result))


def test_the_list_of_exceptions_is_short() -> None:
    known = {case.id for case in [*INPUTS, *OUTPUTS]}
    for name, reason in EXCEPTIONS.items():
        print(f"{name}: {reason}")
    assert set(EXCEPTIONS) <= known
    assert len(EXCEPTIONS) <= 0.025 * (len(INPUTS) + len(OUTPUTS))


def test_exceptions_for_the_parser_are_true() -> None:
    """What is excused with botocore's parser, that parser really reads differently."""
    for case in OUTPUTS:
        if _reason(case) == _PARSER:
            given = case.data["response"]
            response = HttpResponse(given["status_code"], given.get("headers", {}), given.get("body", "").encode())
            expected = _typed(case.operation.output_shape, case.data["result"], blob=str.encode)
            try:
                assert clients.parse(case.operation, response, case.protocol) != expected
            except ResponseParserError:
                continue


def _fill_token(case: Case, expected: dict[str, Any]) -> None:
    token = case.operation.idempotency_token
    if token and token not in expected and "AutoFill" in case.id and not case.id.endswith("IsSet"):
        expected[token] = AUTO_FILLED_TOKEN


def _drop_named_from_maps(case: Case, expected: dict[str, Any]) -> None:
    """A query parameter that has a member of its own is not in the map of the remaining ones, whoever put it there."""
    members = case.operation.input_shape.members if case.operation.input_shape else {}
    in_query = {name: m for name, m in members.items() if m.serialization.get("location") == "querystring"}
    named = {m.serialization.get("name", name) for name, m in in_query.items() if m.type_name != "map"}
    for name, member in in_query.items():
        if member.type_name == "map" and name in expected:
            expected[name] = {key: value for key, value in expected[name].items() if key not in named}
            if not expected[name]:
                del expected[name]


def _as_parsed(case: Case, result: dict[str, Any]) -> dict[str, Any]:
    """A payload that is the whole body and absent is an empty one to botocore."""
    payload = payload_member(case.operation.output_shape)
    if payload is None or payload.type_name not in ("blob", "string"):
        return result
    name = case.operation.output_shape.serialization["payload"]
    return {name: b"" if payload.type_name == "blob" else "", **result}


def _request(case: Case) -> HttpRequest:
    given = case.data["serialized"]
    path, _, query = given["uri"].partition("?")
    # One vector has an endpoint with a path, below which a server would be mounted.
    path = (
        path.removeprefix("/" + given.get("host", "").partition("/")[2].rstrip("/"))
        if "HostWithPath" in case.id
        else path
    )
    headers = {name.lower(): value for name, value in given.get("headers", {}).items()}
    body = given.get("body", "")
    raw = base64.b64decode(body) if case.protocol == "smithy-rpc-v2-cbor" else body.encode()
    if "gzip" in headers.get("content-encoding", ""):
        # The vectors leave compressed bodies out, because they differ by compressor.
        plain = clients.serialize(case.operation, case.data["params"], case.protocol, None)
        raw = gzip.compress(plain.body)
    return HttpRequest(given.get("method", "POST"), path.encode(), query.encode(), headers, raw)


def _route(case: Case, request: HttpRequest) -> Route:
    """The route by path for REST, by name for the rest: the vectors have no host or signature to find a service by."""
    operation, query = case.operation, parse_query(request.query_string)
    route = Route(operation.service, case.protocol, operation, operation.name, query=query)
    if case.protocol.startswith("rest-"):
        found = operation.service.paths.find(request.method, split(request.raw_path.decode()), query, request.headers)
        assert found is not None, "no operation at the path"
        assert found[0] == operation.name
        route.labels = found[1]
    if case.protocol in ("query", "ec2"):
        route.form = read_form(request, DEFAULT_LIMITS)
        assert route.form["Action"] == operation.name
    return route


def _check_error(case: Case, route: Route) -> None:
    shape = next(iter(case.operation.error_shapes.values()))
    members = _typed(shape, case.data.get("error", {}), blob=str.encode)
    message = next((members.pop(name) for name in ("message", "Message") if name in members), "")
    error = AwsError(case.data.get("errorMessage") or message, code=shape.name, members=members)
    response = encode_error(route, error, "request-1")
    parsed = clients.parse(case.operation, response, case.protocol)
    assert parsed["Error"]["Code"] == case.data["errorCode"]
    assert (parsed["Error"].get("Message") or "") == error.message
    modelled = clients.parse(case.operation, response, case.protocol, shape)
    assert _comparable(_without_message(modelled)) == _comparable(members)


def _without_message(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if name.lower() != "message"}


def _typed(shape: Any, value: Any, blob: Any) -> Any:
    """A vector's JSON value as the Python value that it stands for. Null members are absent."""
    if shape is None or value is None:
        return {} if shape is None else None
    if shape.type_name == "structure" and not shape.is_document_type:
        return {k: _typed(shape.members[k], item, blob) for k, item in value.items() if item is not None}
    if shape.type_name == "list":
        return [_typed(shape.member, item, blob) for item in value]
    if shape.type_name == "map":
        return {key: _typed(shape.value, item, blob) for key, item in value.items()}
    if shape.type_name == "timestamp":
        return _time(value)
    if shape.type_name == "blob":
        return blob(value) if isinstance(value, str) else value
    if shape.type_name in ("float", "double"):
        return float(value)
    return value


def _time(value: Any) -> datetime:
    if isinstance(value, int | float):
        return _EPOCH + timedelta(seconds=value)
    return parsedate_to_datetime(value) if "," in value else datetime.fromisoformat(value)


def _comparable(value: Any) -> Any:
    """NaN equals itself here; times are compared to the millisecond."""
    if isinstance(value, dict):
        return {key: _comparable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_comparable(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        # botocore's JSON parser leaves the text that JSON has for these.
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
    return value.replace(microsecond=value.microsecond // 1000 * 1000) if isinstance(value, datetime) else value

"""Event streams out, read by botocore's own event stream parser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.eventstream import EventStream, EventStreamBuffer
from botocore.exceptions import EventStreamError
from botocore.parsers import create_parser

from controlplane.core.errors import AwsError
from controlplane.core.http import HttpResponse
from controlplane.wire.encode import encode_result
from controlplane.wire.eventstream import encode_frame
from controlplane.wire.route import Route
from controlplane.wire.service import Operation, load


class _Raw:
    """A response body as urllib3 hands it to botocore."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def stream(self) -> Any:
        for start in range(0, len(self._data), 7):
            yield self._data[start : start + 7]

    def close(self) -> None:
        return None


async def _events(*items: Any) -> AsyncIterator[dict[str, Any]]:
    for item in items:
        if isinstance(item, AwsError):
            raise item
        yield item


async def _read(operation: Operation, protocol: str, response: HttpResponse) -> dict[str, Any]:
    assert not isinstance(response.body, bytes)
    body = b"".join([chunk async for chunk in response.body])
    headers = {name.lower(): value for name, value in response.headers.items()}
    context = {"operation_name": operation.name}
    return create_parser(protocol).parse(
        {"headers": headers, "status_code": response.status, "body": _Raw(body), "context": context},
        operation.output_shape,
    )


CASES = [
    (
        "kinesis",
        "SubscribeToShard",
        "json",
        "EventStream",
        [
            {
                "SubscribeToShardEvent": {
                    "Records": [
                        {
                            "SequenceNumber": "1",
                            "Data": b"\x00\xff",
                            "PartitionKey": "p",
                            "ApproximateArrivalTimestamp": datetime(2026, 11, 21, tzinfo=UTC),
                        }
                    ],
                    "ContinuationSequenceNumber": "2",
                    "MillisBehindLatest": 0,
                }
            }
        ],
    ),
    (
        "s3",
        "SelectObjectContent",
        "rest-xml",
        "Payload",
        [
            {"Records": {"Payload": b"a,b\n" * 100}},
            {"Stats": {"Details": {"BytesScanned": 5, "BytesProcessed": 6, "BytesReturned": 7}}},
            {"End": {}},
        ],
    ),
    (
        "lambda",
        "InvokeWithResponseStream",
        "rest-json",
        "EventStream",
        [{"PayloadChunk": {"Payload": b"hello"}}, {"InvokeComplete": {"LogResult": "bG9n"}}],
    ),
    (
        "logs",
        "StartLiveTail",
        "json",
        "responseStream",
        [{"sessionStart": {"requestId": "r"}}, {"sessionUpdate": {"sessionResults": [{"message": "é"}]}}],
    ),
]


@pytest.mark.parametrize(("service", "name", "protocol", "member", "events"), CASES)
async def test_botocore_reads_the_events(
    service: str, name: str, protocol: str, member: str, events: list[dict[str, Any]]
) -> None:
    operation = load(service).operation(name)
    route = Route(operation.service, protocol, operation, name)
    parsed = await _read(operation, protocol, encode_result(route, {member: _events(*events)}, "request-1"))
    assert list(parsed[member]) == events


async def test_a_modelled_error_ends_the_stream_as_an_exception() -> None:
    operation = load("kinesis").operation("SubscribeToShard")
    route = Route(operation.service, "json", operation, operation.name)
    error = AwsError("gone", code="ResourceNotFoundException")
    parsed = await _read(operation, "json", encode_result(route, {"EventStream": _events(error)}, "request-1"))
    with pytest.raises(EventStreamError, match=r"ResourceNotFoundException.*gone"):
        list(parsed["EventStream"])


async def test_any_other_error_ends_the_stream_with_its_code() -> None:
    operation = load("s3").operation("SelectObjectContent")
    route = Route(operation.service, "rest-xml", operation, operation.name)
    error = AwsError("too much", code="OverMaxColumn")
    parsed = await _read(operation, "rest-xml", encode_result(route, {"Payload": _events(error)}, "request-1"))
    stream: EventStream = parsed["Payload"]
    with pytest.raises(EventStreamError, match=r"OverMaxColumn.*too much"):
        list(stream)


def test_every_type_of_header_is_read_back() -> None:
    moment = datetime(2026, 11, 21, 1, 2, 3, 456000, tzinfo=UTC)
    headers = {"text": "é", "raw": b"\x00", "yes": True, "no": False, "small": -5, "large": 2**40, "time": moment}
    buffer = EventStreamBuffer()
    buffer.add_data(encode_frame(headers, b"payload"))
    event = next(buffer)
    assert event.payload == b"payload"
    assert event.headers == {**headers, "time": round(moment.timestamp() * 1000)}

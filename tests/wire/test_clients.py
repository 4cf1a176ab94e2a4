"""Whole botocore clients, signing and all, answered by the codecs in place of the network."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import botocore.session
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError

from controlplane.core.errors import AwsError
from controlplane.core.http import HttpRequest, HttpResponse
from controlplane.wire.chunked import is_chunked
from controlplane.wire.decode import decode
from controlplane.wire.encode import encode_error, encode_result
from controlplane.wire.index import Index
from controlplane.wire.route import Route, identify
from tests.wire import clients

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
ENDPOINT = "http://localhost:4566"
Answer = dict[str, Any] | AwsError


class _Body(io.BytesIO):
    """A response body as urllib3's."""

    def stream(self, **options: Any) -> Any:
        yield self.read()


class Cloud:
    """Answers a client's requests, and keeps what came: requests, routes and parameters."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self.answer: Answer | Callable[[dict[str, Any]], Answer] = {}
        self.requests: list[HttpRequest] = []
        self.routes: list[Route] = []
        self.parameters: list[dict[str, Any]] = []

    def client(self, service: str, **options: Any) -> Any:
        session = botocore.session.Session()
        session.set_credentials("AKIAEXAMPLE", "secret")
        options = {"endpoint_url": ENDPOINT, "config": Config(retries={"total_max_attempts": 1}), **options}
        client = session.create_client(service, region_name="eu-west-1", **options)
        client.meta.events.register("before-send", self.send)
        return client

    def send(self, request: Any, **_: Any) -> AWSResponse:
        made = clients.from_prepared(request, None)
        response = self.respond(made)
        assert isinstance(response.body, bytes)
        return AWSResponse(request.url, response.status, response.headers, _Body(response.body))

    def respond(self, request: HttpRequest) -> HttpResponse:
        self.requests.append(request)
        route = identify(request, self.index, endpoint_hosts=("localhost",))
        self.routes.append(route)
        parameters = decode(route, request)
        self.parameters.append(parameters)
        answer = self.answer(parameters) if callable(self.answer) else self.answer
        if isinstance(answer, AwsError):
            return encode_error(route, answer, "request-1")
        return encode_result(route, answer, "request-1")


@pytest.fixture
def cloud(index: Index) -> Cloud:
    return Cloud(index)


CALLS = [
    ("sts", "get_caller_identity", {}, {"UserId": "AIDA", "Account": "1" * 12, "Arn": "arn:aws:iam::1:user/é&<"}),
    ("ec2", "describe_instances", {"InstanceIds": ["i-1"]}, {"Reservations": [{"Instances": [{"LaunchTime": NOW}]}]}),
    ("sqs", "send_message", {"QueueUrl": f"{ENDPOINT}/1/q", "MessageBody": "é\n"}, {"MessageId": "m"}),
    ("dynamodb", "get_item", {"TableName": "table", "Key": {"id": {"N": "1"}}}, {"Item": {"b": {"B": b"\x00\xff"}}}),
    ("cloudwatch", "put_metric_data", {"Namespace": "n", "MetricData": [{"MetricName": "m", "Value": 1.5}]}, {}),
    ("lambda", "invoke", {"FunctionName": "f", "Payload": b"{}"}, {"StatusCode": 200, "FunctionError": "Unhandled"}),
    ("route53", "list_hosted_zones", {"MaxItems": "5"}, {"HostedZones": [], "IsTruncated": False, "MaxItems": "5"}),
    ("s3", "list_objects_v2", {"Bucket": "bucket", "Prefix": "é/ +%"}, {"KeyCount": 1, "Contents": [{"Key": "é/ +%"}]}),
    ("s3", "get_bucket_location", {"Bucket": "bucket"}, {"LocationConstraint": "eu-west-1"}),
    ("glacier", "list_vaults", {"accountId": "-"}, {"VaultList": [{"VaultName": "v"}]}),
    ("apigateway", "get_rest_apis", {"limit": 5}, {"items": [{"id": "a", "createdDate": NOW}]}),
]


@pytest.mark.parametrize(("service", "method", "given", "answer"), CALLS, ids=[f"{c[0]}.{c[1]}" for c in CALLS])
def test_clients_are_understood(
    cloud: Cloud, service: str, method: str, given: dict[str, Any], answer: dict[str, Any]
) -> None:
    cloud.answer = answer
    result = getattr(cloud.client(service), method)(**given)
    assert cloud.routes[0].region == "eu-west-1"
    assert cloud.parameters[0].items() >= given.items()
    assert result["ResponseMetadata"]["RequestId"] == "request-1"
    assert result.items() >= answer.items()


@pytest.mark.parametrize("style", ["path", "virtual"])
def test_both_styles_of_bucket_addressing(cloud: Cloud, style: str) -> None:
    client = cloud.client("s3", config=Config(s3={"addressing_style": style}))
    cloud.answer = {"ETag": '"e"'}
    client.head_object(Bucket="my-bucket", Key="a//b c+d/é")
    assert cloud.parameters[0] == {"Bucket": "my-bucket", "Key": "a//b c+d/é"}
    assert ("my-bucket" in cloud.requests[0].headers["host"]) == (style == "virtual")


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_an_upload_with_a_checksum(cloud: Cloud, scheme: str) -> None:
    client = cloud.client("s3", endpoint_url=f"{scheme}://localhost:4566")
    data = bytes(range(256)) * 5000
    client.put_object(Bucket="bucket", Key="key", Body=io.BytesIO(data), ContentEncoding="gzip", Metadata={"a": "b"})
    request = cloud.requests[0]
    assert cloud.parameters[0]["ContentEncoding"] == "gzip"
    assert cloud.parameters[0]["Metadata"] == {"a": "b"}
    assert is_chunked(request.headers) == (scheme == "https")
    body = cloud.parameters[0]["Body"]
    assert b"".join([piece async for piece in body]) == data
    assert cloud.parameters[0]["ContentLength"] == len(data)
    if scheme == "https":
        assert "x-amz-checksum-crc32" in body.trailers


def test_a_presigned_url(cloud: Cloud) -> None:
    url = urlsplit(cloud.client("s3").generate_presigned_url("get_object", {"Bucket": "b-1", "Key": "k é"}))
    request = HttpRequest("GET", url.path.encode(), url.query.encode(), {"host": url.netloc})
    cloud.respond(request)
    assert cloud.routes[0].operation_name == "GetObject"
    assert cloud.parameters[0] == {"Bucket": "b-1", "Key": "k é"}


@pytest.mark.parametrize(
    ("service", "method", "given", "code", "said"),
    [
        ("iam", "get_user", {"UserName": "u"}, "NoSuchEntityException", "NoSuchEntity"),
        ("ec2", "describe_vpcs", {}, "InvalidVpcID.NotFound", "InvalidVpcID.NotFound"),
        ("sqs", "get_queue_url", {"QueueName": "q"}, "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"),
        ("dynamodb", "list_tables", {}, "ResourceNotFoundException", "ResourceNotFoundException"),
        ("lambda", "get_function", {"FunctionName": "f"}, "ResourceNotFoundException", "ResourceNotFoundException"),
        ("s3", "list_objects_v2", {"Bucket": "bucket"}, "NoSuchBucket", "NoSuchBucket"),
        ("route53", "get_hosted_zone", {"Id": "Z"}, "NoSuchHostedZone", "NoSuchHostedZone"),
        ("cloudwatch", "list_metrics", {}, "InvalidParameterValueException", "InvalidParameterValue"),
    ],
)
def test_errors_are_the_ones_that_clients_know(
    cloud: Cloud, service: str, method: str, given: dict[str, Any], code: str, said: str
) -> None:
    cloud.answer = AwsError("not <there> & é", code=code)
    client = cloud.client(service)
    with pytest.raises(ClientError) as caught:
        getattr(client, method)(**given)
    assert caught.value.response["Error"]["Code"] == said
    assert caught.value.response["Error"]["Message"] == "not <there> & é"
    modelled = cloud.routes[0].service.error_shape(code)
    if modelled is not None:
        assert type(caught.value).__name__ == modelled.name


def test_a_bucket_policy_is_text(cloud: Cloud) -> None:
    client = cloud.client("s3")
    client.put_bucket_policy(Bucket="bucket", Policy='{"a":1}')
    assert cloud.parameters[0]["Policy"] == '{"a":1}'
    cloud.answer = {"Policy": '{"a":1}'}
    assert client.get_bucket_policy(Bucket="bucket")["Policy"] == '{"a":1}'


def test_objects_stream_out_with_their_headers(cloud: Cloud) -> None:
    cloud.answer = {
        "Body": b"data",
        "ContentLength": 4,
        "ContentType": "text/x",
        "LastModified": NOW,
        "Metadata": {"k": "v"},
        "ETag": '"e"',
    }
    result = cloud.client("s3").get_object(Bucket="bucket", Key="key")
    assert result["Body"].read() == b"data"
    assert (result["ContentType"], result["LastModified"], result["Metadata"]) == ("text/x", NOW, {"k": "v"})

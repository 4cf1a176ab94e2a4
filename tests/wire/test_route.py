"""Routes: every operation of every service is found again, and all ways to address a service work."""

from __future__ import annotations

from random import Random

import pytest

from controlplane.core.errors import AwsError
from controlplane.core.http import HttpRequest
from controlplane.wire import service as services
from controlplane.wire.encode import encode_error
from controlplane.wire.errors import Unroutable
from controlplane.wire.index import Index
from controlplane.wire.route import identify
from controlplane.wire.service import load
from tests.wire import clients
from tests.wire.generate import Generator, Unmakeable

EACH = 12
# Services that AWS itself tells apart by nothing that a request shows: they share host, signing name and paths. The
# first name is the one that answers.
SAME_HOST = {
    ("greengrass", "greengrassv2"),
    ("lambda", "lambda-microvms"),
    ("pinpoint-sms-voice", "sms-voice"),
    ("qconnect", "wisdom"),
    ("rds", "docdb"),
    ("rds", "neptune"),
}
# One shares its paths with the operation that replaced it, or that lives on another host.
SAME_PATH = {
    "GetBucketLifecycle",
    "GetBucketNotification",
    "ListDirectoryBuckets",
    "PutBucketLifecycle",
    "PutBucketNotification",
}


def test_operations_of_all_services_are_found_by_host_and_signature(index: Index) -> None:
    missed = []
    for name, facts in index.services.items():
        for operation, request in _samples(index, name):
            request.headers = {**request.headers, "host": f"{facts.endpoint_prefix}.us-east-1.amazonaws.com"}
            route = identify(request, index)
            found = (route.service.name, route.operation_name)
            if (
                found != (name, operation)
                and (route.service.name, name) not in SAME_HOST
                and operation not in SAME_PATH
            ):
                missed.append(((name, operation), found))
        services._load.cache_clear()
    assert missed == []


def _samples(index: Index, name: str) -> list[tuple[str, HttpRequest]]:
    service = index.load(name)
    chosen = Random(name).sample(sorted(service.operations), min(EACH, len(service.operations)))
    made = []
    for operation_name in chosen:
        operation = service.operation(operation_name)
        shape = operation.input_shape
        if operation.model.has_event_stream_input:
            continue
        try:
            parameters = Generator(Random(operation_name), service.protocols[0]).value(shape) if shape else {}
        except Unmakeable:
            continue
        request = clients.serialize(operation, parameters, service.protocols[0], service.signing_name)
        made.append((operation_name, request))
    return made


def _request(method: str = "GET", path: str = "/", query: str = "", body: bytes = b"", **headers: str) -> HttpRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpRequest(method, path.encode(), query.encode(), {"host": "localhost:4566", **named}, body)


def _scope(service: str, region: str = "eu-west-1") -> str:
    return f"AWS4-HMAC-SHA256 Credential=AKIA/20261121/{region}/{service}/aws4_request, SignedHeaders=host, Signature=0"


FORM = "application/x-www-form-urlencoded"
FOUND = [
    ("signature", _request(authorization=_scope("s3")), "s3", "ListBuckets"),
    ("bucket in path", _request(path="/b", authorization=_scope("s3")), "s3", "ListObjects"),
    ("bucket in path, slash", _request(path="/b/", authorization=_scope("s3")), "s3", "ListObjects"),
    ("key", _request(path="/b/a//c/", authorization=_scope("s3")), "s3", "GetObject"),
    ("bucket in host", _request(path="/k", host="b.s3.eu-west-1.amazonaws.com"), "s3", "GetObject"),
    ("dotted bucket in host", _request(path="/k", host="a.b.s3.localhost:4566"), "s3", "GetObject"),
    ("bucket before endpoint", _request(path="/k", host="b.localhost", authorization=_scope("s3")), "s3", "GetObject"),
    (
        "host alone",
        _request("POST", body=b"Action=ListQueues", host="sqs.eu-west-1.x", content_type=FORM),
        "sqs",
        "ListQueues",
    ),
    ("target", _request("POST", x_amz_target="DynamoDB_20120810.GetItem"), "dynamodb", "GetItem"),
    (
        "presigned",
        _request(path="/b/k", query="X-Amz-Credential=A%2F20261121%2Fr%2Fs3%2Faws4_request"),
        "s3",
        "GetObject",
    ),
    (
        "presigned query",
        _request(
            query="Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Credential=A%2F20261121%2Fr%2Fsts%2Faws4_request"
        ),
        "sts",
        "GetCallerIdentity",
    ),
    ("bucket in host, no key", _request(host="b.s3.eu-west-1.amazonaws.com"), "s3", "ListObjects"),
    ("object with a query", _request(path="/bucket/key", query="Action=play"), "s3", "GetObject"),
    ("signature version 2", _request(path="/b", authorization="AWS A:sig"), "s3", "ListObjects"),
    (
        "sigv4a",
        _request(authorization="AWS4-ECDSA-P256-SHA256 Credential=A/20261121/s3/aws4_request"),
        "s3",
        "ListBuckets",
    ),
    (
        "unsigned action",
        _request("POST", body=b"Action=AssumeRoleWithWebIdentity&Version=2011-06-15", content_type=FORM),
        "sts",
        "AssumeRoleWithWebIdentity",
    ),
    ("unsigned path", _request("POST", path="/token", content_type="application/json"), "sso-oidc", "CreateToken"),
    ("unsigned object", _request(path="/bucket/key"), "s3", "GetObject"),
    (
        "rpc path",
        _request(
            "POST", path="/service/GraniteServiceVersion20100801/operation/ListMetrics", smithy_protocol="rpc-v2-cbor"
        ),
        "cloudwatch",
        "ListMetrics",
    ),
    (
        "version",
        _request(
            "POST",
            body=b"Action=DescribeLoadBalancers&Version=2015-12-01",
            content_type=FORM,
            authorization=_scope("elasticloadbalancing"),
        ),
        "elbv2",
        "DescribeLoadBalancers",
    ),
    (
        "other version",
        _request(
            "POST",
            body=b"Action=DescribeLoadBalancers&Version=2012-06-01",
            content_type=FORM,
            authorization=_scope("elasticloadbalancing"),
        ),
        "elb",
        "DescribeLoadBalancers",
    ),
    ("copy", _request("PUT", "/b/k", x_amz_copy_source="/a/b", authorization=_scope("s3")), "s3", "CopyObject"),
    ("part", _request("PUT", "/b/k", "partNumber=1&uploadId=x", authorization=_scope("s3")), "s3", "UploadPart"),
    (
        "part copy",
        _request("PUT", "/b/k", "partNumber=1&uploadId=x", x_amz_copy_source="/a/b", authorization=_scope("s3")),
        "s3",
        "UploadPartCopy",
    ),
    ("list type 2", _request(path="/b", query="list-type=2", authorization=_scope("s3")), "s3", "ListObjectsV2"),
    ("subresource", _request(path="/b", query="acl", authorization=_scope("s3")), "s3", "GetBucketAcl"),
    (
        "s3 control",
        _request(path="/v20180820/jobs", x_amz_account_id="1", authorization=_scope("s3")),
        "s3control",
        "ListJobs",
    ),
    (
        "a bucket called like s3 control",
        _request(path="/v20180820/jobs", authorization=_scope("s3")),
        "s3",
        "GetObject",
    ),
    (
        "trailing slash",
        _request(path="/2015-03-31/functions", authorization=_scope("lambda")),
        "lambda",
        "ListFunctions",
    ),
]


@pytest.mark.parametrize(("how", "request_", "service", "operation"), FOUND, ids=[case[0] for case in FOUND])
def test_all_ways_to_address(index: Index, how: str, request_: HttpRequest, service: str, operation: str) -> None:
    route = identify(request_, index, endpoint_hosts=("localhost",))
    assert (route.service.name, route.operation_name) == (service, operation)


def test_labels_and_region(index: Index) -> None:
    route = identify(_request(path="/k%20e%2Fy//", host="my.bucket.s3.eu-west-3.amazonaws.com"), index)
    assert route.labels == {"Bucket": "my.bucket", "Key": "k e/y//"}
    assert route.region == "eu-west-3"
    assert identify(_request(authorization=_scope("s3", "ap-south-1")), index).region == "ap-south-1"


REFUSED = [
    (
        "unknown action",
        _request("POST", body=b"Action=Nope&Version=2010-05-08", content_type=FORM, authorization=_scope("iam")),
        "iam",
        "query",
        "InvalidAction",
        400,
    ),
    (
        "unknown ec2 action",
        _request("POST", body=b"Action=Nope", content_type=FORM, authorization=_scope("ec2")),
        "ec2",
        "ec2",
        "InvalidAction",
        400,
    ),
    (
        "no action",
        _request("POST", body=b"Version=2010-05-08", content_type=FORM, authorization=_scope("iam")),
        "iam",
        "query",
        "MissingAction",
        400,
    ),
    (
        "json to a query service",
        _request("POST", body=b"{}", content_type="application/x-amz-json-1.1", authorization=_scope("iam")),
        "iam",
        "query",
        "MissingAction",
        400,
    ),
    (
        "unknown target",
        _request("POST", x_amz_target="DynamoDB_20120810.Nope", authorization=_scope("dynamodb")),
        "dynamodb",
        "json",
        "UnknownOperationException",
        400,
    ),
    (
        "wrong prefix",
        _request("POST", x_amz_target="Nope.GetItem", authorization=_scope("dynamodb")),
        "dynamodb",
        "json",
        "UnknownOperationException",
        400,
    ),
    (
        "unknown path",
        _request(path="/nope", authorization=_scope("lambda")),
        "lambda",
        "rest-json",
        "UnknownOperationException",
        404,
    ),
    ("wrong method", _request("PATCH", "/b/k", authorization=_scope("s3")), "s3", "rest-xml", "MethodNotAllowed", 405),
    ("bad escape", _request(path="/b/%zz", authorization=_scope("s3")), "s3", "rest-xml", "InvalidURI", 400),
    (
        "unknown rpc operation",
        _request("POST", "/service/GraniteServiceVersion20100801/operation/Nope", smithy_protocol="rpc-v2-cbor"),
        "cloudwatch",
        "smithy-rpc-v2-cbor",
        "UnknownOperationException",
        404,
    ),
    (
        "unknown service",
        _request(authorization=_scope("nope")),
        "lambda",
        "rest-json",
        "UnknownOperationException",
        404,
    ),
    (
        "nothing asked of a service that speaks json and query",
        _request(path="/123456789012/queue", authorization=_scope("sqs")),
        "sqs",
        "query",
        "UnknownOperationException",
        404,
    ),
    (
        "form cut short",
        _request("POST", body=b"Action=%F", content_type=FORM, authorization=_scope("sts")),
        "sts",
        "query",
        "MalformedInput",
        400,
    ),
]


@pytest.mark.parametrize(
    ("what", "request_", "service", "protocol", "code", "status"), REFUSED, ids=[c[0] for c in REFUSED]
)
def test_refusals_speak_the_callers_protocol(
    index: Index, what: str, request_: HttpRequest, service: str, protocol: str, code: str, status: int
) -> None:
    with pytest.raises(Unroutable) as caught:
        identify(request_, index)
    error = caught.value
    assert (error.route.service.name, error.route.protocol, error.code, error.status) == (
        service,
        protocol,
        code,
        status,
    )
    response = encode_error(error.route, error, "request-1")
    operation = load(service).operation(sorted(load(service).operations)[0], protocol)
    parsed = clients.parse(operation, response, protocol)
    assert parsed.get("Error", {}).get("Code") == code or response.body == f"<{code}/>\n".encode()
    assert response.status == status


def test_an_error_without_a_route_is_said_in_xml() -> None:
    response = encode_error(None, AwsError("no", code="AccessDenied", status=403), "request-1")
    assert response.status == 403
    assert isinstance(response.body, bytes)
    assert b"<Code>AccessDenied</Code>" in response.body

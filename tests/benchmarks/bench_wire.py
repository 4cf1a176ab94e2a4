"""Microseconds that the wire takes of a request: route, decode with validation, encode.

Run: python -m tests.benchmarks.bench_wire
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from controlplane.core.http import HttpRequest
from controlplane.wire.decode import decode
from controlplane.wire.encode import encode_error, encode_result
from controlplane.wire.index import Index
from controlplane.wire.route import identify
from tests.wire import clients

SECONDS = 0.4
ROUNDS = 5
NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
INSTANCE: dict[str, Any] = {
    "InstanceId": "i-0123456789abcdef0",
    "ImageId": "ami-0123456789abcdef0",
    "State": {"Code": 16, "Name": "running"},
    "PrivateDnsName": "ip-10-0-0-1.ec2.internal",
    "PublicDnsName": "",
    "StateTransitionReason": "",
    "KeyName": "key",
    "AmiLaunchIndex": 0,
    "ProductCodes": [],
    "InstanceType": "t3.micro",
    "LaunchTime": NOW,
    "Placement": {"AvailabilityZone": "us-east-1a", "GroupName": "", "Tenancy": "default"},
    "Monitoring": {"State": "disabled"},
    "SubnetId": "subnet-0123456789abcdef0",
    "VpcId": "vpc-0123456789abcdef0",
    "PrivateIpAddress": "10.0.0.1",
    "Architecture": "x86_64",
    "RootDeviceType": "ebs",
    "RootDeviceName": "/dev/xvda",
    "VirtualizationType": "hvm",
    "Hypervisor": "xen",
    "EbsOptimized": False,
    "BlockDeviceMappings": [
        {
            "DeviceName": "/dev/xvda",
            "Ebs": {"AttachTime": NOW, "DeleteOnTermination": True, "Status": "attached", "VolumeId": "vol-01"},
        }
    ],
    "NetworkInterfaces": [
        {
            "NetworkInterfaceId": "eni-0123456789abcdef0",
            "Status": "in-use",
            "MacAddress": "02:00:00:00:00:01",
            "PrivateIpAddress": "10.0.0.1",
            "Groups": [{"GroupId": "sg-0123456789abcdef0", "GroupName": "default"}],
            "PrivateIpAddresses": [{"Primary": True, "PrivateIpAddress": "10.0.0.1"}],
        }
    ],
    "SecurityGroups": [{"GroupId": "sg-0123456789abcdef0", "GroupName": "default"}],
    "SourceDestCheck": True,
    "Tags": [{"Key": "Name", "Value": "web & co"}, {"Key": "env", "Value": "test"}],
}
IDENTITY = {"UserId": "AIDAEXAMPLE", "Account": "123456789012", "Arn": "arn:aws:iam::123456789012:user/bob"}


class Bench(NamedTuple):
    """One operation with a request and a result."""

    title: str
    service: str
    operation: str
    parameters: dict[str, Any]
    result: dict[str, Any]


def _instances(count: int) -> dict[str, Any]:
    return {
        "Reservations": [{"ReservationId": f"r-{n}", "OwnerId": "1", "Instances": [INSTANCE]} for n in range(count)]
    }


BENCHES = [
    Bench("sts GetCallerIdentity", "sts", "GetCallerIdentity", {}, IDENTITY),
    Bench("iam GetUser", "iam", "GetUser", {"UserName": "bob"}, {"User": {"UserName": "bob", "CreateDate": NOW}}),
    Bench(
        "sqs SendMessage (json)",
        "sqs",
        "SendMessage",
        {"QueueUrl": "http://localhost:4566/123456789012/queue", "MessageBody": "hello, world"},
        {"MessageId": "5fea7756-0ea4-451a-a703-a558b933e274", "MD5OfMessageBody": "fafb00f5732ab283681e124bf8747ed1"},
    ),
    Bench(
        "dynamodb PutItem",
        "dynamodb",
        "PutItem",
        {"TableName": "table", "Item": {f"attribute{n}": {"S": "value"} for n in range(10)}},
        {},
    ),
    Bench(
        "ec2 DescribeInstances, 1", "ec2", "DescribeInstances", {"InstanceIds": ["i-0123456789abcdef0"]}, _instances(1)
    ),
    Bench("ec2 DescribeInstances, 100", "ec2", "DescribeInstances", {"MaxResults": 100}, _instances(100)),
    Bench(
        "s3 GetObject",
        "s3",
        "GetObject",
        {"Bucket": "bucket", "Key": "some/key.txt"},
        {"Body": b"x", "ContentLength": 1, "ETag": '"e"', "LastModified": NOW, "ContentType": "text/plain"},
    ),
    Bench(
        "cloudwatch PutMetricData (cbor)",
        "cloudwatch",
        "PutMetricData",
        {"Namespace": "n", "MetricData": [{"MetricName": f"m{n}", "Value": 1.5, "Timestamp": NOW} for n in range(10)]},
        {},
    ),
]


def microseconds(run: Callable[[], Any]) -> float:
    """The median over rounds of the mean time of a call, in microseconds."""
    run()
    times = []
    for _ in range(ROUNDS):
        calls, started = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - started) < SECONDS / ROUNDS:
            run()
            calls += 1
        times.append(elapsed / calls * 1e6)
    return statistics.median(times)


def measure(bench: Bench, index: Index) -> tuple[float, float, float]:
    """Route, decode and encode of one bench, in microseconds."""
    service = index.load(bench.service)
    protocol = service.protocols[0] if bench.service != "cloudwatch" else "smithy-rpc-v2-cbor"
    operation = service.operation(bench.operation, protocol)
    request = clients.serialize(operation, bench.parameters, protocol, service.signing_name)
    route = identify(request, index)
    return (
        microseconds(lambda: identify(request, index)),
        microseconds(lambda: decode(route, request)),
        microseconds(lambda: encode_result(route, bench.result, "5fea7756-0ea4-451a-a703-a558b933e274")),
    )


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        index = Index.open(Path(folder))
        built = time.perf_counter() - started
        started = time.perf_counter()
        index = Index.open(Path(folder))
        print(f"index: built in {built:.2f} s, opened again in {(time.perf_counter() - started) * 1000:.1f} ms")
    print(f"{'µs':34}{'route':>10}{'decode':>10}{'encode':>10}{'sum':>10}")
    for bench in BENCHES:
        found = measure(bench, index)
        print(f"{bench.title:34}" + "".join(f"{value:10.1f}" for value in (*found, sum(found))))
    request = HttpRequest("POST", b"/", b"", {"x-amz-target": "DynamoDB_20120810.Nope"})
    try:
        identify(request, index)
    except Exception as error:
        refusal: Any = error
        print(f"{'refusal (json)':64}{microseconds(lambda: encode_error(refusal.route, refusal, 'r')):10.1f}")


if __name__ == "__main__":
    main()

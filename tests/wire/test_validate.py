"""Validation says what the services say."""

from __future__ import annotations

from typing import Any

import pytest

from controlplane.core.errors import AwsError
from controlplane.wire.route import Route
from controlplane.wire.service import load
from controlplane.wire.validate import validate

NULL = "failed to satisfy constraint: Member must not be null"
LONG = "x" * 65
CASES: list[tuple[str, str, str, dict[str, Any], str, str]] = [
    ("iam", "query", "GetRole", {}, "ValidationError", f"1 validation error detected: Value null at 'roleName' {NULL}"),
    (
        "iam",
        "query",
        "CreateUser",
        {"UserName": "a b"},
        "ValidationError",
        "1 validation error detected: Value 'a b' at 'userName' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: [\\w+=,.@-]+",
    ),
    (
        "iam",
        "query",
        "CreateUser",
        {"UserName": LONG},
        "ValidationError",
        f"1 validation error detected: Value '{LONG}' at 'userName' failed to satisfy constraint: "
        "Member must have length less than or equal to 64",
    ),
    (
        "iam",
        "query",
        "CreateUser",
        {"UserName": "u", "Tags": [{"Key": "k", "Value": "v"}, {"Key": "k"}]},
        "ValidationError",
        f"1 validation error detected: Value null at 'tags.2.member.value' {NULL}",
    ),
    (
        "sts",
        "query",
        "AssumeRole",
        {"RoleArn": "arn:aws:iam::123456789012:role/r", "RoleSessionName": "s", "DurationSeconds": 1},
        "ValidationError",
        "2 validation errors detected: Value 's' at 'roleSessionName' failed to satisfy constraint: Member must have "
        "length greater than or equal to 2; Value '1' at 'durationSeconds' failed to satisfy constraint: Member must "
        "have value greater than or equal to 900",
    ),
    (
        "dynamodb",
        "json",
        "DescribeTable",
        {},
        "ValidationException",
        f"1 validation error detected: Value null at 'tableName' {NULL}",
    ),
    (
        "dynamodb",
        "json",
        "ListBackups",
        {"BackupType": "x"},
        "ValidationException",
        "1 validation error detected: Value 'x' at 'backupType' failed to satisfy constraint: Member must satisfy enum "
        "value set: [USER, SYSTEM, AWS_BACKUP, ALL]",
    ),
    (
        "ec2",
        "ec2",
        "RunInstances",
        {"MinCount": 1},
        "MissingParameter",
        "The request must contain the parameter MaxCount",
    ),
    (
        "ec2",
        "ec2",
        "DescribeVpcs",
        {"MaxResults": 2},
        "InvalidParameterValue",
        "Value ( 2 ) for parameter MaxResults is invalid. Expecting a value greater than 5.",
    ),
    (
        "sqs",
        "json",
        "SendMessage",
        {"QueueUrl": "u"},
        "MissingParameter",
        "The request must contain the parameter MessageBody.",
    ),
    (
        "s3",
        "rest-xml",
        "PutObjectTagging",
        {"Bucket": "b", "Key": "k"},
        "MissingRequestBodyError",
        "Request Body is empty",
    ),
    (
        "s3",
        "rest-xml",
        "PutBucketAcl",
        {"Bucket": "b", "AccessControlPolicy": {"Grants": [{"Permission": "x"}]}},
        "MalformedACLError",
        "The XML you provided was not well-formed or did not validate against our published schema",
    ),
    (
        "s3",
        "rest-xml",
        "PutBucketVersioning",
        {"Bucket": "b", "VersioningConfiguration": {"Status": "On"}},
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    ),
    (
        "route53",
        "rest-xml",
        "CreateHostedZone",
        {"Name": "x." * 600, "CallerReference": "r"},
        "InvalidInput",
        f"1 validation error detected: Value '{('x.' * 600)[:1024]}...' at 'name' failed to satisfy constraint: "
        "Member must have length less than or equal to 1024",
    ),
]


@pytest.mark.parametrize(("service", "protocol", "name", "given", "code", "message"), CASES)
def test_wording(service: str, protocol: str, name: str, given: dict[str, Any], code: str, message: str) -> None:
    operation = load(service).operation(name, protocol)
    with pytest.raises(AwsError) as caught:
        validate(Route(operation.service, protocol, operation, name), given)
    assert (caught.value.code, caught.value.message, caught.value.status) == (code, message, 400)


@pytest.mark.parametrize(
    ("service", "protocol", "name", "given"),
    [
        ("ec2", "ec2", "DescribeInstances", {"Filters": [{"Name": "nope", "Values": [""]}]}),
        ("ec2", "ec2", "RunInstances", {"MinCount": 1, "MaxCount": 1, "InstanceType": "nope"}),
        ("s3", "rest-xml", "ListObjectsV2", {"Bucket": "Not A Bucket", "MaxKeys": -1}),
        ("sqs", "json", "CreateQueue", {"QueueName": "!", "Attributes": {"Nope": "1"}}),
    ],
)
def test_what_services_check_themselves_is_left_to_them(
    service: str, protocol: str, name: str, given: dict[str, Any]
) -> None:
    operation = load(service).operation(name, protocol)
    validate(Route(operation.service, protocol, operation, name), given)

"""A trail's files in a real bucket, written by CloudTrail itself where the bucket's policy lets it."""

from __future__ import annotations

import gzip
import json
import time
import uuid
from typing import Any

import pytest

from tests.cloud import Account

PATIENCE = 90.0


def policy(bucket: str, account: str) -> str:
    """What AWS's guide tells to write."""
    cloudtrail = {"Service": "cloudtrail.amazonaws.com"}
    arn = f"arn:aws:s3:::{bucket}"
    write = {
        "Effect": "Allow",
        "Principal": cloudtrail,
        "Action": "s3:PutObject",
        "Resource": f"{arn}/AWSLogs/{account}/*",
        "Condition": {
            "StringEquals": {
                "s3:x-amz-acl": "bucket-owner-full-control",
                "aws:SourceArn": f"arn:aws:cloudtrail:us-east-1:{account}:trail/main",
            }
        },
    }
    look = {"Effect": "Allow", "Principal": cloudtrail, "Action": "s3:GetBucketAcl", "Resource": arn}
    return json.dumps({"Version": "2012-10-17", "Statement": [look, write]})


@pytest.fixture
def bucket(account: Account) -> str:
    name = f"trail-{uuid.uuid4().hex[:12]}"
    account.client("s3").create_bucket(Bucket=name)
    return name


def delivered(account: Account, bucket: str) -> list[dict[str, Any]]:
    s3 = account.client("s3")
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
    return [
        record
        for key in keys
        for record in json.loads(gzip.decompress(s3.get_object(Bucket=bucket, Key=key)["Body"].read()))["Records"]
    ]


def test_calls_come_into_the_bucket_once_its_policy_allows_it(account: Account, bucket: str) -> None:
    trails = account.client("cloudtrail")
    trails.create_trail(Name="main", S3BucketName=bucket)
    trails.start_logging(Name="main")
    user = f"u{uuid.uuid4().hex[:8]}"
    account.client("iam").create_user(UserName=user)
    deadline = time.monotonic() + PATIENCE
    while "LatestDeliveryError" not in trails.get_trail_status(Name="main"):
        assert time.monotonic() < deadline
        time.sleep(1)
    assert trails.get_trail_status(Name="main")["LatestDeliveryError"] == "AccessDenied"
    assert delivered(account, bucket) == []

    account.client("s3").put_bucket_policy(Bucket=bucket, Policy=policy(bucket, account.id))
    trails.stop_logging(Name="main")
    trails.start_logging(Name="main")  # delivers at once
    deadline = time.monotonic() + PATIENCE
    while not (records := delivered(account, bucket)):
        assert time.monotonic() < deadline, trails.get_trail_status(Name="main")
        time.sleep(1)
    [made] = [record for record in records if record["eventName"] == "CreateUser"]
    assert made["requestParameters"] == {"userName": user}

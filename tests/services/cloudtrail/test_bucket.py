"""A trail's files in a real bucket, written by CloudTrail itself where the bucket's policy lets it."""

from __future__ import annotations

import gzip
import json
import time
import uuid
from typing import Any

import pytest

from tests.cloud import Account, Cloud
from tests.services.cloudtrail.conftest import new_bucket, policy
from tests.services.kms.conftest import refused

PATIENCE = 150.0


def delivered(account: Account, bucket: str) -> list[dict[str, Any]]:
    s3 = account.client("s3")
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"] if item["Size"]]
    return [
        record
        for key in keys
        for record in json.loads(gzip.decompress(s3.get_object(Bucket=bucket, Key=key)["Body"].read()))["Records"]
    ]


def wait_until(condition: Any, describe: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, describe()
        time.sleep(1)


def test_calls_come_into_the_bucket_also_those_that_it_refused_at_first(account: Account, bucket: str) -> None:
    trails, s3 = account.client("cloudtrail"), account.client("s3")
    trails.create_trail(Name="main", S3BucketName=bucket)
    folder = f"AWSLogs/{account.id}/CloudTrail/"
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [folder]
    s3.delete_bucket_policy(Bucket=bucket)
    watched, other = new_bucket(account), new_bucket(account)
    objects = [{"Type": "AWS::S3::Object", "Values": [f"arn:aws:s3:::{watched}/"]}]
    selector = {"ReadWriteType": "WriteOnly", "IncludeManagementEvents": True, "DataResources": objects}
    trails.put_event_selectors(TrailName="main", EventSelectors=[selector])
    trails.start_logging(Name="main")
    user = f"u{uuid.uuid4().hex[:8]}"
    account.client("iam").create_user(UserName=user)
    time.sleep(2)  # until all gateways know what data events are wanted
    for name in (watched, other):
        s3.put_object(Bucket=name, Key="key", Body=b"secret")
        s3.get_object(Bucket=name, Key="key")
    wait_until(
        lambda: trails.get_trail_status(Name="main").get("LatestDeliveryError") == "AccessDenied",
        lambda: trails.get_trail_status(Name="main"),
    )
    assert delivered(account, bucket) == []

    s3.put_bucket_policy(Bucket=bucket, Policy=policy(bucket, account.id))
    wait_until(lambda: delivered(account, bucket), lambda: trails.get_trail_status(Name="main"))
    records = delivered(account, bucket)
    [made] = [record for record in records if record["eventName"] == "CreateUser"]
    assert made["requestParameters"] == {"userName": user}
    [put] = [record for record in records if record["eventCategory"] == "Data"]
    assert (put["eventName"], put["requestParameters"]["bucketName"]) == ("PutObject", watched)
    assert "secret" not in str(records)
    assert "LatestDeliveryError" not in trails.get_trail_status(Name="main")


@pytest.mark.parametrize("named", ["by nobody", "by another account"])
def test_a_trail_needs_a_bucket_that_lets_it_write(account: Account, cloud: Cloud, named: str) -> None:
    trails = account.client("cloudtrail")
    assert refused(trails.create_trail, Name="main", S3BucketName=f"none-{uuid.uuid4().hex}")[0] == (
        "S3BucketDoesNotExistException"
    )
    owner = account if named == "by nobody" else cloud.new_account()
    closed = new_bucket(owner)
    if owner is not account:  # its policy lets the trails of its own account write
        owner.client("s3").put_bucket_policy(Bucket=closed, Policy=policy(closed, owner.id))
    assert refused(trails.create_trail, Name="main", S3BucketName=closed)[0] == "InsufficientS3BucketPolicyException"
    assert trails.list_trails()["Trails"] == []

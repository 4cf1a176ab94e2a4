"""A bucket that lets CloudTrail write into it."""

from __future__ import annotations

import json
import uuid

import pytest

from tests.cloud import Account


def policy(bucket: str, account: str) -> str:
    """What AWS's guide tells to write."""
    cloudtrail = {"Service": "cloudtrail.amazonaws.com"}
    arn = f"arn:aws:s3:::{bucket}"
    write = {
        "Effect": "Allow",
        "Principal": cloudtrail,
        "Action": "s3:PutObject",
        "Resource": f"{arn}/*",
        "Condition": {
            "StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"},
            "ArnLike": {"aws:SourceArn": f"arn:aws:cloudtrail:us-east-1:{account}:trail/*"},
        },
    }
    look = {"Effect": "Allow", "Principal": cloudtrail, "Action": "s3:GetBucketAcl", "Resource": arn}
    return json.dumps({"Version": "2012-10-17", "Statement": [look, write]})


def new_bucket(account: Account) -> str:
    """An empty bucket, closed to services."""
    name = f"trail-{uuid.uuid4().hex[:12]}"
    account.client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def bucket(account: Account) -> str:
    name = new_bucket(account)
    account.client("s3").put_bucket_policy(Bucket=name, Policy=policy(name, account.id))
    return name

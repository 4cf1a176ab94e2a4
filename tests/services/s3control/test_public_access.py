"""The block of public access of an account, through boto3."""

from __future__ import annotations

import json
import uuid
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.cloud import Account, Cloud


def control_of(account: Account) -> Any:
    return account.client("s3control")


def test_an_account_blocks_what_its_buckets_let_in(account: Account, cloud: Cloud) -> None:
    s3, control, bucket = account.client("s3"), control_of(account), f"test-{uuid.uuid4().hex[:16]}"
    anybody = boto3.client(
        "s3", region_name="us-east-1", endpoint_url=account.endpoint,
        config=Config(signature_version=UNSIGNED, retries={"max_attempts": 0}),
    )  # fmt: skip
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.delete_public_access_block(Bucket=bucket)
    let = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [let]})
    s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    assert anybody.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    with pytest.raises(ClientError) as none:
        control.get_public_access_block(AccountId=account.id)
    assert none.value.response["Error"]["Code"] == "NoSuchPublicAccessBlockConfiguration"
    block = {"RestrictPublicBuckets": True, "BlockPublicPolicy": True}
    control.put_public_access_block(AccountId=account.id, PublicAccessBlockConfiguration=block)
    told = control.get_public_access_block(AccountId=account.id)["PublicAccessBlockConfiguration"]
    assert told == {**block, "BlockPublicAcls": False, "IgnorePublicAcls": False}
    for refused in (
        lambda: anybody.get_object(Bucket=bucket, Key="k"),
        lambda: s3.put_bucket_policy(Bucket=bucket, Policy=policy),
        lambda: control_of(cloud.new_account()).get_public_access_block(AccountId=account.id),
    ):
        with pytest.raises(ClientError) as denied:
            refused()
        assert denied.value.response["Error"]["Code"] == "AccessDenied"
    control.delete_public_access_block(AccountId=account.id)
    assert anybody.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"

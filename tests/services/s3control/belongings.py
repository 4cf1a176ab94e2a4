"""What an account may have in S3 Control, for the test that others cannot reach it."""

from __future__ import annotations

import json
import uuid

from tests.cloud import Account


def make(account: Account) -> None:
    """A block of public access, and an access point with a policy."""
    block = {"BlockPublicAcls": True, "IgnorePublicAcls": True}
    account.client("s3control").put_public_access_block(AccountId=account.id, PublicAccessBlockConfiguration=block)
    name = f"own-{uuid.uuid4().hex[:12]}"
    account.client("s3").create_bucket(Bucket=name)
    made = account.client("s3control").create_access_point(AccountId=account.id, Name=name, Bucket=name)
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account.id}:root"},
        "Action": "s3:GetObject",
        "Resource": f"{made['AccessPointArn']}/object/*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    account.client("s3control").put_access_point_policy(AccountId=account.id, Name=name, Policy=policy)

"""What an account may have in S3 Control, for the test that others cannot reach it."""

from __future__ import annotations

import json
import time
import uuid

from tests.cloud import Account


def make(account: Account) -> None:
    """A block of public access, an access point with a policy, and a job that waits to be confirmed."""
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
    _make_job(account, name)


def _make_job(account: Account, name: str) -> None:
    """It is at rest once its manifest was read; before that it moves by itself."""
    s3, control, iam = account.client("s3"), account.client("s3control"), account.client("iam")
    tag = s3.put_object(Bucket=name, Key="own-manifest.csv", Body=f"{name},own-key\n".encode())["ETag"]
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "batchoperations.s3.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    reading = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [reading]})
    iam.put_role_policy(RoleName=name, PolicyName="own-reading", PolicyDocument=document)
    id = control.create_job(
        AccountId=account.id,
        ConfirmationRequired=True,
        ClientRequestToken=uuid.uuid4().hex,
        Description="own-job",
        Manifest={
            "Spec": {"Format": "S3BatchOperations_CSV_20180820", "Fields": ["Bucket", "Key"]},
            "Location": {"ObjectArn": f"arn:aws:s3:::{name}/own-manifest.csv", "ETag": tag},
        },
        Operation={"S3DeleteObjectTagging": {}},
        Priority=1,
        Report={"Enabled": False},
        RoleArn=role,
        Tags=[{"Key": "own-tag", "Value": "own-value"}],
    )["JobId"]
    deadline = time.monotonic() + 60
    while control.describe_job(AccountId=account.id, JobId=id)["Job"]["Status"] != "Suspended":
        assert time.monotonic() < deadline
        time.sleep(0.1)

"""Settings of buckets, and what they do to requests."""

from __future__ import annotations

import json
import os
import re
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import httpx
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.cloud import Account, Cloud
from tests.services.s3.test_objects import code_of


@pytest.fixture
def stranger(account: Account) -> Any:
    """A client without credentials."""
    return boto3.client(
        "s3",
        region_name="us-east-1",
        endpoint_url=account.endpoint,
        config=Config(signature_version=UNSIGNED, retries={"max_attempts": 0}, read_timeout=60),
    )


def test_a_policy_lets_strangers_in_once_nothing_blocks_it(s3: Any, bucket: str, stranger: Any) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"open")
    everybody = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [everybody]})
    with pytest.raises(ClientError, match="because public policies are prevented by the BlockPublicPolicy") as blocked:
        s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    assert code_of(blocked) == "AccessDenied"
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"] is True
    assert stranger.get_object(Bucket=bucket, Key="k")["Body"].read() == b"open"
    for refused in (
        lambda: stranger.list_objects_v2(Bucket=bucket),
        lambda: stranger.get_object(Bucket=bucket, Key="n"),
    ):
        with pytest.raises(ClientError) as denied:
            refused()
        assert code_of(denied) == "AccessDenied"
        assert denied.value.response["Error"]["Message"] == "Access Denied", "a stranger does not hear why"
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={"RestrictPublicBuckets": True})
    with pytest.raises(ClientError):
        stranger.get_object(Bucket=bucket, Key="k")
    with pytest.raises(ClientError) as foreign:
        s3.put_bucket_policy(Bucket=bucket, Policy=policy.replace(bucket, "another"))
    assert code_of(foreign) == "MalformedPolicy"
    for action, resource in (("s3:ListBucket", f"{bucket}/*"), ("s3:GetObject", bucket), ("s3:ListAllMyBuckets", "*")):
        idle = json.dumps({"Version": "2012-10-17", "Statement": [
            {**everybody, "Action": action, "Resource": f"arn:aws:s3:::{resource}"}]})  # fmt: skip
        with pytest.raises(ClientError, match="Action does not apply to any resource"):
            s3.put_bucket_policy(Bucket=bucket, Policy=idle)


def test_a_policy_may_speak_of_all_but_something(s3: Any, bucket: str) -> None:
    arn = f"arn:aws:s3:::{bucket}"
    elsewhere = {"NotResource": f"{arn}/secret/*", "Action": "s3:GetObject"}
    fewer = {"Resource": f"{arn}/*", "NotAction": "s3:GetObject"}
    for part in (elsewhere, fewer):
        document = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", **part}]}
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))
        assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"]) == document


def test_lists_count_where_writers_own_what_they_write(s3: Any, bucket: str, stranger: Any) -> None:
    with pytest.raises(ClientError) as off:
        s3.put_object(Bucket=bucket, Key="k", Body=b"", ACL="public-read")
    assert code_of(off) == "AccessControlListNotSupported"
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"open", ACL="public-read")
    assert stranger.get_object(Bucket=bucket, Key="k")["Body"].read() == b"open"
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="private")
    with pytest.raises(ClientError):
        stranger.get_object(Bucket=bucket, Key="k")
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    stranger.put_object(Bucket=bucket, Key="theirs", Body=b"x")
    assert [item["Key"] for item in stranger.list_objects_v2(Bucket=bucket)["Contents"]] == ["k", "theirs"]


def test_two_accounts_need_both_sides(cloud: Cloud, s3: Any, bucket: str) -> None:
    other = cloud.new_account()
    s3.put_object(Bucket=bucket, Key="k", Body=b"shared")
    theirs = other.client("s3")
    with pytest.raises(ClientError):
        theirs.get_object(Bucket=bucket, Key="k")
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{other.id}:root"},
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": statement}))
    assert theirs.get_object(Bucket=bucket, Key="k")["Body"].read() == b"shared"
    theirs.put_object(Bucket=bucket, Key="new", Body=b"theirs")
    assert s3.get_object(Bucket=bucket, Key="new")["Body"].read() == b"theirs"


def test_browsers_are_told_what_the_rules_allow(account: Account, s3: Any, bucket: str) -> None:
    s3.put_bucket_cors(
        Bucket=bucket,
        CORSConfiguration={
            "CORSRules": [
                {"AllowedMethods": ["GET", "PUT"], "AllowedOrigins": ["https://*.example"], "AllowedHeaders": ["x-*"]}
            ]
        },
    )
    url = f"{account.endpoint}/{bucket}/k"
    asked = {"Origin": "https://a.example", "Access-Control-Request-Method": "PUT"}
    nowhere = httpx.options(f"{account.endpoint}/{bucket}-not/k", headers={"Origin": "https://a.example"}, timeout=60)
    assert (nowhere.status_code, "<Method>OPTIONS</Method>" in nowhere.text) == (403, True)
    unlisted = {"Origin": "https://a.example", "Access-Control-Request-Headers": "other"}
    assert "access-control-allow-origin" not in httpx.get(url, headers=unlisted, timeout=60).headers
    good = httpx.options(url, headers={**asked, "Access-Control-Request-Headers": "x-one"}, timeout=60)
    assert (good.status_code, good.headers["access-control-allow-origin"]) == (200, "https://a.example")
    assert httpx.options(url, headers={**asked, "Origin": "https://other"}, timeout=60).status_code == 403
    assert httpx.options(url, timeout=60).status_code == 400
    plain = httpx.get(url, headers={"Origin": "https://a.example"}, timeout=60)
    assert (plain.status_code, plain.headers["access-control-allow-origin"]) == (403, "https://a.example")


def test_locked_versions_stay(s3: Any) -> None:
    bucket = f"test-{uuid.uuid4().hex[:16]}"
    s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    until = datetime.now(UTC) + timedelta(hours=1)
    version = s3.put_object(
        Bucket=bucket, Key="k", Body=b"x", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until
    )["VersionId"]
    with pytest.raises(ClientError) as kept:
        s3.delete_object(Bucket=bucket, Key="k", VersionId=version)
    assert code_of(kept) == "AccessDenied"
    s3.put_object_legal_hold(Bucket=bucket, Key="k", LegalHold={"Status": "ON"})
    with pytest.raises(ClientError):
        s3.delete_object(Bucket=bucket, Key="k", VersionId=version, BypassGovernanceRetention=True)
    s3.put_object_legal_hold(Bucket=bucket, Key="k", LegalHold={"Status": "OFF"})
    assert s3.head_object(Bucket=bucket, Key="k")["ObjectLockLegalHoldStatus"] == "OFF"
    free = s3.put_object(Bucket=bucket, Key="free", Body=b"")["VersionId"]
    with pytest.raises(ClientError) as unsaid:
        s3.get_object_legal_hold(Bucket=bucket, Key="free")
    assert code_of(unsaid) == "NoSuchObjectLockConfiguration"
    s3.delete_object(Bucket=bucket, Key="free", VersionId=free)
    s3.delete_object(Bucket=bucket, Key="k", VersionId=version, BypassGovernanceRetention=True)
    assert "Versions" not in s3.list_object_versions(Bucket=bucket)


def test_encryption_by_kms_and_by_the_customer(s3: Any, bucket: str) -> None:
    s3.put_bucket_encryption(
        Bucket=bucket,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": True}]
        },
    )
    body = os.urandom(100_000)
    put = s3.put_object(Bucket=bucket, Key="k", Body=body)
    assert (put["ServerSideEncryption"], ":key/" in put["SSEKMSKeyId"]) == ("aws:kms", True)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == body
    own = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": os.urandom(32)}
    s3.put_object(Bucket=bucket, Key="own", Body=body, **own)
    assert s3.get_object(Bucket=bucket, Key="own", **own)["Body"].read() == body
    with pytest.raises(ClientError) as no_key:
        s3.put_object(Bucket=bucket, Key="k", Body=b"", ServerSideEncryption="aws:kms", SSEKMSKeyId=str(uuid.uuid4()))
    assert code_of(no_key) == "KMS.NotFoundException"
    for wrong in ({}, {**own, "SSECustomerKey": os.urandom(32)}):
        with pytest.raises(ClientError):
            s3.get_object(Bucket=bucket, Key="own", **wrong)


def test_forms_upload_within_their_policy(account: Account, s3: Any, bucket: str) -> None:
    form = s3.generate_presigned_post(bucket, "in/${filename}", Conditions=[["content-length-range", 1, 1000]])
    url = f"{account.endpoint}/{bucket}"
    done = httpx.post(url, data=form["fields"], files={"file": ("a.txt", b"from a form")}, timeout=60)
    assert done.status_code == 204, done.text
    assert s3.get_object(Bucket=bucket, Key="in/a.txt")["Body"].read() == b"from a form"
    large = httpx.post(url, data=form["fields"], files={"file": ("b.txt", b"x" * 1001)}, timeout=60)
    assert (large.status_code, "EntityTooLarge" in large.text) == (400, True)
    forged = {**form["fields"], "key": "elsewhere"}
    assert httpx.post(url, data=forged, files={"file": ("b.txt", b"x")}, timeout=60).status_code == 403
    assert httpx.post(url, data={"key": "k"}, files={"file": ("b.txt", b"x")}, timeout=60).status_code == 403


def test_queues_are_told_of_events(account: Account, s3: Any, bucket: str) -> None:
    sqs = account.client("sqs")
    url = sqs.create_queue(QueueName=f"events-{uuid.uuid4().hex[:8]}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    told = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    with pytest.raises(ClientError) as closed:
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=told)
    assert code_of(closed) == "InvalidArgument"
    policy = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": policy})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document})
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=told)
    s3.put_object(Bucket=bucket, Key="a b", Body=b"12345")
    found: list[Any] = []
    deadline = time.monotonic() + 60
    while len(found) < 2 and time.monotonic() < deadline:
        for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5, MaxNumberOfMessages=10).get("Messages", []):
            found.append(json.loads(message["Body"]))
    records = [record for body in found for record in body.get("Records", [])]
    assert [(r["eventName"], r["s3"]["object"]["key"], r["s3"]["object"]["size"]) for r in records] == [
        ("ObjectCreated:Put", "a+b", 5)
    ]


def test_documents_are_kept_as_they_were_given(s3: Any, bucket: str) -> None:
    rules = [{"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 3}}]
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == rules
    early = [{**rules[0], "Transitions": [{"Days": 3, "StorageClass": "GLACIER"}]}]
    with pytest.raises(ClientError, match=re.escape("'(prefix=logs/)' must be greater than 'Days' in the Transition")):
        s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": early})
    website = {"IndexDocument": {"Suffix": "index.html"}, "ErrorDocument": {"Key": "error.html"}}
    s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration=website)
    found = s3.get_bucket_website(Bucket=bucket)
    assert {name: found[name] for name in website} == website
    tags = [{"Key": "a", "Value": "b"}]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags
    s3.put_object(Bucket=bucket, Key="k", Body=b"", Tagging="x=1&y=2")
    assert len(s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"]) == 2
    metrics = {"Id": "all", "Filter": {"Prefix": "x"}}
    s3.put_bucket_metrics_configuration(Bucket=bucket, Id="all", MetricsConfiguration=metrics)
    assert s3.list_bucket_metrics_configurations(Bucket=bucket)["MetricsConfigurationList"] == [metrics]
    for read, code in (
        (s3.get_bucket_cors, "NoSuchCORSConfiguration"),
        (s3.get_bucket_policy, "NoSuchBucketPolicy"),
        (s3.get_bucket_replication, "ReplicationConfigurationNotFoundError"),
        (s3.get_object_lock_configuration, "ObjectLockConfigurationNotFoundError"),
    ):
        with pytest.raises(ClientError) as missing:
            read(Bucket=bucket)
        assert code_of(missing) == code

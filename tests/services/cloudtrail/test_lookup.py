"""What was called, through LookupEvents; and that nothing secret is in it."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from controlplane.settings import Settings
from tests.cloud import Account, Cloud
from tests.services.iam.conftest import allow, trust, user_with_key
from tests.services.kms.conftest import refused

SOON = 10.0


def events(trail: Any, **attribute: str) -> list[dict[str, Any]]:
    """Everything that is found by an attribute, over all pages."""
    asked = [{"AttributeKey": key, "AttributeValue": value} for key, value in attribute.items()]
    pages = trail.get_paginator("lookup_events").paginate(LookupAttributes=asked)
    return [event for page in pages for event in page["Events"]]


def wait_for(trail: Any, number: int, **attribute: str) -> list[dict[str, Any]]:
    """The events of an attribute, once there are so many."""
    deadline = time.monotonic() + SOON
    while len(found := events(trail, **attribute)) < number:
        assert time.monotonic() < deadline, f"{len(found)} of {number} events of {attribute}"
        time.sleep(0.2)
    return found


@pytest.fixture
def trail(account: Account) -> Any:
    return account.client("cloudtrail")


def test_an_event_tells_who_did_what_from_where(trail: Any, account: Account) -> None:
    ann = user_with_key(account, "ann", allow("*"))
    key = ann.client("kms").create_key(Description="mine")["KeyMetadata"]
    (found,) = wait_for(trail, 1, EventName="CreateKey")
    event = json.loads(found["CloudTrailEvent"])
    assert found["Username"] == event["userIdentity"]["userName"] == "ann"
    assert found["AccessKeyId"] == event["userIdentity"]["accessKeyId"] == ann.access_key_id
    assert found["EventId"] == event["eventID"]
    assert (found["ReadOnly"], found["EventSource"]) == ("false", "kms.amazonaws.com")
    assert abs(found["EventTime"] - datetime.now(UTC)) < timedelta(minutes=1)
    assert event["userIdentity"]["arn"] == f"arn:aws:iam::{account.id}:user/ann"
    assert event["requestParameters"] == {"description": "mine"}
    assert event["responseElements"]["keyMetadata"]["keyId"] == key["KeyId"]
    assert event["sourceIPAddress"] == "127.0.0.1"
    assert event["userAgent"].startswith("Boto3/")
    assert event["awsRegion"] == "us-east-1"
    assert event["recipientAccountId"] == account.id
    assert "errorCode" not in event


def test_denials_and_failures_are_kept(trail: Any, account: Account) -> None:
    bob = user_with_key(account, "bob")
    refused(bob.client("ec2").describe_vpcs)
    refused(account.client("kms").describe_key, KeyId="alias/none")
    (denied,) = wait_for(trail, 1, EventName="DescribeVpcs")
    event = json.loads(denied["CloudTrailEvent"])
    assert event["errorCode"] == "UnauthorizedOperation"
    assert event["additionalEventData"]["decision"] == "denied"
    assert "ec2:DescribeVpcs" in event["errorMessage"]
    (failed,) = wait_for(trail, 1, EventName="DescribeKey")
    event = json.loads(failed["CloudTrailEvent"])
    assert (event["errorCode"], event["additionalEventData"]["decision"]) == ("NotFoundException", "allowed")


def test_sessions_say_which_role(trail: Any, account: Account) -> None:
    account.client("iam").create_role(RoleName="deploy", AssumeRolePolicyDocument=trust({"AWS": account.id}))
    account.client("iam").put_role_policy(
        RoleName="deploy",
        PolicyName="all",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow("*")]}),
    )
    ann = user_with_key(account, "ann", allow("*"))
    made = ann.client("sts").assume_role(RoleArn=f"arn:aws:iam::{account.id}:role/deploy", RoleSessionName="ci")
    given = made["Credentials"]
    session = Account(account.endpoint, account.id, given["AccessKeyId"], given["SecretAccessKey"])
    session.client("kms", aws_session_token=given["SessionToken"]).create_key()
    (found,) = wait_for(trail, 1, AccessKeyId=given["AccessKeyId"])
    identity = json.loads(found["CloudTrailEvent"])["userIdentity"]
    assert identity["type"] == "AssumedRole"
    assert identity["sessionContext"]["sessionIssuer"]["arn"] == f"arn:aws:iam::{account.id}:role/deploy"
    assert identity["arn"].endswith(":assumed-role/deploy/ci")


def test_every_attribute_finds(trail: Any, account: Account) -> None:
    kms = account.client("kms")
    key = kms.create_key()["KeyMetadata"]
    kms.create_alias(AliasName="alias/a", TargetKeyId=key["KeyId"])
    (alias,) = wait_for(trail, 1, EventName="CreateAlias")
    id = alias["EventId"]
    for attribute, value in (
        ("EventId", id),
        ("EventSource", "kms.amazonaws.com"),
        ("ReadOnly", "false"),
        ("Username", "root"),
        ("AccessKeyId", account.access_key_id),
        ("ResourceName", key["KeyId"]),
        ("ResourceName", key["Arn"]),
        ("ResourceType", "AWS::KMS::Key"),
    ):
        assert id in {event["EventId"] for event in events(trail, **{attribute: value})}, attribute
    for attribute in ("EventId", "EventSource", "Username", "AccessKeyId", "ResourceName", "ResourceType", "EventName"):
        assert events(trail, **{attribute: "other"}) == []
    two = [{"AttributeKey": "EventName", "AttributeValue": name} for name in "ab"]
    assert refused(trail.lookup_events, LookupAttributes=two)[0] == "InvalidLookupAttributesException"


def test_pages_run_from_new_to_old_and_miss_nothing(trail: Any, account: Account) -> None:
    kms = account.client("kms")
    names = [f"alias/{n}" for n in range(25)]
    for name in names:  # both gateway workers write, over several seconds' chunks
        refused(kms.describe_key, KeyId=name)
        time.sleep(0.1)
    wait_for(trail, 25, EventName="DescribeKey")
    asked = [{"AttributeKey": "EventName", "AttributeValue": "DescribeKey"}]
    found, token = [], {}
    while True:
        page = trail.lookup_events(LookupAttributes=asked, MaxResults=4, **token)
        found += page["Events"]
        if "NextToken" not in page:
            break
        assert len(page["Events"]) == 4
        token = {"NextToken": page["NextToken"]}
    asked_for = [json.loads(event["CloudTrailEvent"])["requestParameters"]["keyId"] for event in found]
    assert asked_for == names[::-1]
    assert len({event["EventId"] for event in found}) == 25
    assert refused(trail.lookup_events, NextToken="forged")[0] == "InvalidNextTokenException"
    assert refused(trail.lookup_events, **token)[0] == "InvalidNextTokenException", "a token goes with its question"


def test_time_ranges(trail: Any, account: Account) -> None:
    account.client("kms").create_key()
    wait_for(trail, 1, EventName="CreateKey")
    asked = [{"AttributeKey": "EventName", "AttributeValue": "CreateKey"}]
    now = datetime.now(UTC)
    hour = timedelta(hours=1)
    assert trail.lookup_events(LookupAttributes=asked, StartTime=now - hour, EndTime=now + hour)["Events"]
    assert not trail.lookup_events(LookupAttributes=asked, StartTime=now - 2 * hour, EndTime=now - hour)["Events"]
    backwards = refused(trail.lookup_events, StartTime=now, EndTime=now - hour)
    assert backwards[0] == "InvalidTimeRangeException"


def test_accounts_and_regions_see_their_own(trail: Any, account: Account, cloud: Cloud) -> None:
    account.client("kms", region="eu-west-1").create_key()
    wait_for(account.client("cloudtrail", region="eu-west-1"), 1, EventName="CreateKey")
    assert events(trail, EventName="CreateKey") == []
    other = cloud.new_account().client("cloudtrail", region="eu-west-1")
    assert events(other, EventName="CreateKey") == []


def test_nothing_secret_is_kept(trail: Any, account: Account, cloud: Cloud) -> None:
    """Known secrets are looked for in all that the trail has stored."""
    iam, kms, ec2 = account.client("iam"), account.client("kms"), account.client("ec2")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    iam.create_user(UserName="eve")
    made = iam.create_access_key(UserName="eve")["AccessKey"]
    iam.create_login_profile(UserName="eve", Password="Pass-w0rd-in-the-clear")
    plain = b"plaintext-in-the-clear"
    sealed = kms.encrypt(KeyId=key, Plaintext=plain, EncryptionContext={"app": "kept"})
    kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext={"app": "kept"})
    data = kms.generate_data_key(KeyId=key, KeySpec="AES_256")["Plaintext"]
    refused(kms.encrypt, KeyId=key, Plaintext=plain * 300)
    grant = kms.create_grant(KeyId=key, GranteePrincipal=f"arn:aws:iam::{account.id}:user/eve", Operations=["Decrypt"])
    pair = ec2.create_key_pair(KeyName="k")["KeyMaterial"]
    user = user_with_key(account, "ann", allow("*"))
    token = user.client("sts").get_session_token()["Credentials"]
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName="d")["VirtualMFADevice"]
    refused(iam.change_password, OldPassword="Old-w0rd-in-the-clear", NewPassword="New-w0rd-in-the-clear")
    wait_for(trail, 1, EventName="CreateVirtualMFADevice")
    *_, created = wait_for(trail, 2, EventName="CreateAccessKey")
    shown = json.loads(created["CloudTrailEvent"])["responseElements"]["accessKey"]
    assert shown["accessKeyId"] == made["AccessKeyId"]
    assert shown["secretAccessKey"] == "HIDDEN_DUE_TO_SECURITY_REASONS"
    time.sleep(1.5)  # what comes after the last event that was waited for
    stored = in_trail(cloud, account.id)
    assert b'"app":"kept"' in stored, "what is no secret is there"
    secrets = [
        made["SecretAccessKey"],
        user.secret_access_key,
        "w0rd-in-the-clear",
        plain.decode(),
        base64.b64encode(plain).decode()[:24],
        base64.b64encode(data).decode()[:40],
        data.hex(),
        grant["GrantToken"],
        pair.splitlines()[3],
        token["SecretAccessKey"],
        token["SessionToken"][:60],
        device["Base32StringSeed"].decode(),
    ]
    for number, secret in enumerate(secrets):
        assert secret.encode() not in stored, number


def in_trail(cloud: Cloud, account_id: str) -> bytes:
    """All that the trail has stored of an account."""

    async def run() -> bytes:
        connection = await asyncpg.connect(Settings(home=cloud.home).database)
        rows = await connection.fetch("SELECT events FROM access_trail_chunks WHERE account_id = $1", account_id)
        await connection.close()
        return b"\n".join(row["events"] for row in rows)

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, run()).result()

"""Groups under a key of KMS: the key's policy says whether CloudWatch Logs may use it."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace
from typing import Any

from controlplane.services.logs import keys
from tests.cloud import Account
from tests.services.logs.conftest import Group, code, messages, now


def key(account: Account, context: str) -> Any:
    """A key that CloudWatch Logs may use for groups whose ARN fits."""
    owner = {"Effect": "Allow", "Principal": {"AWS": account.id}, "Action": "kms:*", "Resource": "*"}
    service = {
        "Effect": "Allow",
        "Principal": {"Service": "logs.us-east-1.amazonaws.com"},
        "Action": ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
        "Resource": "*",
        "Condition": {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": context}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [owner, service]})
    return account.client("kms").create_key(Policy=policy)["KeyMetadata"]


def test_events_under_a_key(account: Account, group: Group) -> None:
    arn = group.shown()["logGroupArn"]
    group.put([(now() - 9, "before")])
    made = key(account, arn)["Arn"]
    group.client.associate_kms_key(logGroupName=group.name, kmsKeyId=made)
    assert group.shown()["kmsKeyId"] == made
    group.put([(now() - 8, "secret"), (now(), "x" * 1000)])
    assert messages(group.get())[:2] == ["before", "secret"]
    group.client.disassociate_kms_key(resourceIdentifier=arn)
    assert "kmsKeyId" not in group.shown()
    group.put([(now(), "after")])
    assert sorted(message[:6] for message in messages(group.get())) == ["after", "before", "secret", "xxxxxx"]


def test_a_key_that_may_not_be_used_is_refused(account: Account, group: Group) -> None:
    logs, other = account.client("logs"), key(account, "arn:aws:logs:us-east-1:*:log-group:other")
    associate = {"logGroupName": group.name, "kmsKeyId": other["Arn"]}
    assert code(logs.associate_kms_key, **associate) == "AccessDeniedException"
    assert code(logs.create_log_group, logGroupName="new", kmsKeyId=other["Arn"]) == "AccessDeniedException"
    logs.create_log_group(logGroupName="other", kmsKeyId=other["Arn"])
    account.client("kms").disable_key(KeyId=other["KeyId"])
    logs.create_log_stream(logGroupName="other", logStreamName="s")
    assert code(Group(logs, "other").put, events=[(now(), "x")]) == "InvalidParameterException"


async def test_writing_keeps_a_key_no_longer_than_reading_did() -> None:
    async def newest(*_: Any) -> Any:
        return {"id": -1}

    until = time.monotonic() + 10
    keys._reading[-1] = until, b"key"
    ctx: Any = SimpleNamespace(db=SimpleNamespace(fetchrow=newest))
    try:
        assert await keys.for_writing(ctx, {"id": -1, "key_arn": "arn"}) == (-1, b"key")
        assert keys._writing[-1, "arn"][0] == until
    finally:
        del keys._reading[-1], keys._writing[-1, "arn"]

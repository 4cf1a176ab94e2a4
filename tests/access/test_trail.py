"""The recorder under load, and what it masks."""

from __future__ import annotations

from typing import Any

import pytest

from controlplane.access.trail import operations, recorder
from controlplane.access.trail.masking import _SECRET, HIDDEN
from controlplane.access.trail.recorder import Call, Trail
from controlplane.core.principal import Principal
from controlplane.state.database import Database

ANN = Principal("user", "111111111111", "arn:aws:iam::111111111111:user/ann", "AIDA", "ann", "AKIAANN")


def call(name: str, **more: Any) -> Call:
    return Call(ANN, "111111111111", "us-east-1", "kms", name, "request", **more)


async def test_at_overload_reads_go_first_and_all_is_counted(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "READS_WAITING", 10)
    trail = Trail(database)
    for _ in range(15):
        trail.note(call("ListKeys", fingerprint=b""))
    for _ in range(15):
        trail.note(call("CreateKey"))
    await trail.flush()
    (row,) = await database.fetch("SELECT calls, dropped FROM access_trail_chunks")
    assert (row["calls"], row["dropped"]) == (20, 10)
    trail.note(call("ListKeys"))
    await trail.flush()
    assert len(await database.fetch("SELECT id FROM access_trail_chunks")) == 2


async def test_text_that_postgres_cannot_hold_spoils_nothing(database: Database) -> None:
    trail = Trail(database)
    trail.note(call("DescribeKey", parameters={"KeyId": "a\x00b\ud800"}, user_agent="x\x00\ud800"))
    trail.note(call("ListKeys"))
    await trail.flush()
    (row,) = await database.fetch("SELECT calls FROM access_trail_chunks")
    assert row["calls"] == 2


async def test_data_events_are_kept_only_where_selected(database: Database) -> None:
    trail = Trail(database)
    sent = Call(ANN, "111111111111", "us-east-1", "sqs", "SendMessage", "request", parameters={"MessageBody": "secret"})
    trail.note(sent)
    await trail.flush()
    assert await database.fetch("SELECT id FROM access_trail_chunks") == []
    async with database.unit() as db:
        await db.insert("access_trail_selections", account_id="111111111111", resource_types=["AWS::SQS::Queue"])
    await trail._learn()
    trail.note(sent)
    await trail.flush()
    (row,) = await database.fetch("SELECT category, events FROM access_trail_chunks")
    assert row["category"] == "Data"
    assert b'"secret"' not in row["events"]


@pytest.mark.parametrize(
    ("model", "operation", "parameters", "kept"),
    [
        ("iam", "CreateLoginProfile", {"UserName": "a", "Password": "p"}, {"userName": "a", "password": HIDDEN}),
        ("kms", "Encrypt", {"KeyId": "k", "Plaintext": b"p"}, {"keyId": "k"}),
        ("kms", "Decrypt", {"GrantTokens": ["t"], "EncryptionContext": {"a": "b"}},
         {"grantTokens": HIDDEN, "encryptionContext": {"a": "b"}}),
        ("ec2", "RunInstances", {"UserData": "dTpw", "MaxCount": 1}, {"userData": HIDDEN, "maxCount": 1}),
        ("sts", "AssumeRole", {"TokenCode": "123456", "RoleArn": "r"}, {"tokenCode": HIDDEN, "roleArn": "r"}),
        ("lambda", "CreateFunction", {"Environment": {"Variables": {"A": "b"}}},
         {"environment": {"variables": HIDDEN}}),
        ("logs", "PutLogEvents", {"logGroupName": "g", "logEvents": [{"timestamp": 1, "message": "m"}]},
         {"logGroupName": "g", "logEvents": HIDDEN}),
        ("ec2", "DescribeVpcs", {"NextToken": "t"}, {"nextToken": "t"}),
        ("secretsmanager", "DescribeSecret", {"SecretId": "s"}, {"secretId": "s"}),
    ],
)  # fmt: skip
def test_masking(model: str, operation: str, parameters: dict[str, Any], kept: dict[str, Any]) -> None:
    assert operations.known(model, operation).parameters(parameters) == kept


def test_what_comes_in_numbers_is_no_management_event() -> None:
    assert operations.known("logs", "PutLogEvents").category == "Data"
    assert operations.known("logs", "FilterLogEvents").category == "Management"


async def test_large_parameters_are_left_out(database: Database) -> None:
    trail = Trail(database)
    tags = [{"Key": str(n), "Value": "x" * 200} for n in range(500)]
    trail.note(Call(ANN, "111111111111", "us-east-1", "iam", "CreateUser", "request", parameters={"Tags": tags}))
    await trail.flush()
    (row,) = await database.fetch("SELECT events FROM access_trail_chunks")
    assert len(row["events"]) < 2048
    assert b'"SizeExceeded"' in row["events"]


@pytest.mark.parametrize(
    "name", ["NextToken", "ClientToken", "ClientRequestToken", "SecretArn", "KeyId", "CredentialId"]
)
def test_names_that_are_no_secrets(name: str) -> None:
    assert not _SECRET.search(name)


async def test_a_row_that_is_refused_takes_no_other_with_it(database: Database) -> None:
    trail = Trail(database)
    trail.note(call("CreateKey"))
    trail.note(Call(ANN, "11111111\x00111", "us-east-1", "kms", "CreateKey", "request"))  # Postgres holds no NUL
    trail.note(Call(ANN, "222222222222", "us-east-1", "kms", "CreateKey", "request"))
    await trail.flush()
    rows = await database.fetch("SELECT account_id FROM access_trail_chunks")
    assert {row["account_id"] for row in rows} == {"111111111111", "222222222222"}
    await trail.flush()
    assert len(await database.fetch("SELECT id FROM access_trail_chunks")) == 2

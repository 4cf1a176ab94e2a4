"""Vaults, archives and jobs, through boto3."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.utils import calculate_tree_hash

from tests.cloud import Account, Cloud

MIB = 1024 * 1024
SECONDS = 30.0


@pytest.fixture
def glacier(account: Account) -> Any:
    client = account.client("glacier")
    client.create_vault(vaultName="v")
    return client


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def wait_for(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def output(glacier: Any, vault: str, parameters: dict[str, Any], **more: Any) -> dict[str, Any]:
    job = glacier.initiate_job(vaultName=vault, jobParameters=parameters)["jobId"]
    wait_for(lambda: glacier.describe_job(vaultName=vault, jobId=job)["Completed"])
    found: dict[str, Any] = glacier.get_job_output(vaultName=vault, jobId=job, **more)
    return found


def test_an_archive_comes_back_by_a_job(glacier: Any, account: Account) -> None:
    body = os.urandom(3 * MIB) + b"x" * 5 * MIB
    made = glacier.upload_archive(vaultName="v", body=body, archiveDescription="two halves")
    retrieval = {"Type": "archive-retrieval", "ArchiveId": made["archiveId"]}
    asked = glacier.initiate_job(vaultName="v", jobParameters={**retrieval, "Tier": "Bulk"})
    with pytest.raises(ClientError) as early:
        glacier.get_job_output(vaultName="v", jobId=asked["jobId"])
    assert code_of(early) == "InvalidParameterValueException"
    found = output(glacier, "v", retrieval)
    assert found["body"].read() == body
    assert (found["checksum"], found["archiveDescription"]) == (made["checksum"], "two halves")
    part = output(glacier, "v", {**retrieval, "RetrievalByteRange": f"{2 * MIB}-{4 * MIB - 1}"}, range="bytes=10-19")
    assert part["body"].read() == body[2 * MIB + 10 : 2 * MIB + 20]
    assert part["contentRange"] == f"bytes 10-19/{2 * MIB}"
    with pytest.raises(ClientError) as crooked:
        glacier.initiate_job(vaultName="v", jobParameters={**retrieval, "RetrievalByteRange": "5-10"})
    assert code_of(crooked) == "InvalidParameterValueException"
    with pytest.raises(ClientError) as full:
        glacier.delete_vault(vaultName="v")
    assert code_of(full) == "InvalidParameterValueException"
    glacier.delete_archive(vaultName="v", archiveId=made["archiveId"])
    glacier.delete_vault(vaultName="v")
    with pytest.raises(ClientError) as gone:
        glacier.describe_vault(vaultName="v")
    assert code_of(gone) == "ResourceNotFoundException"


def test_parts_become_an_archive(glacier: Any) -> None:
    body = os.urandom(2 * MIB + 77)
    upload = glacier.initiate_multipart_upload(vaultName="v", partSize=str(MIB))["uploadId"]
    for start in (MIB, 0, 2 * MIB):
        piece = body[start : start + MIB]
        glacier.upload_multipart_part(
            vaultName="v", uploadId=upload, range=f"bytes {start}-{start + len(piece) - 1}/*", body=piece
        )
    assert len(glacier.list_parts(vaultName="v", uploadId=upload)["Parts"]) == 3
    total = calculate_tree_hash(io.BytesIO(body))
    with pytest.raises(ClientError) as wrong:
        glacier.complete_multipart_upload(vaultName="v", uploadId=upload, archiveSize=str(len(body)), checksum="0" * 64)
    assert code_of(wrong) == "InvalidParameterValueException"
    made = glacier.complete_multipart_upload(vaultName="v", uploadId=upload, archiveSize=str(len(body)), checksum=total)
    assert glacier.list_multipart_uploads(vaultName="v")["UploadsList"] == []
    found = output(glacier, "v", {"Type": "archive-retrieval", "ArchiveId": made["archiveId"]})
    assert found["body"].read() == body
    listed = json.loads(output(glacier, "v", {"Type": "inventory-retrieval"})["body"].read())
    assert [(item["ArchiveId"], item["Size"]) for item in listed["ArchiveList"]] == [(made["archiveId"], len(body))]
    table = output(glacier, "v", {"Type": "inventory-retrieval", "Format": "CSV"})["body"].read().decode()
    assert next(csv.DictReader(table.splitlines()))["SHA256TreeHash"] == total


def test_bytes_that_are_not_what_was_said_are_refused(glacier: Any) -> None:
    with pytest.raises(ClientError) as wrong:
        glacier.upload_archive(vaultName="v", body=b"abc", checksum="0" * 64)
    assert code_of(wrong) == "InvalidParameterValueException"
    upload = glacier.initiate_multipart_upload(vaultName="v", partSize=str(MIB))["uploadId"]
    for span in ("bytes 5-10/*", "bytes 0-2097151/*", "nonsense", "bytes 0-1/*"):
        with pytest.raises(ClientError):
            glacier.upload_multipart_part(vaultName="v", uploadId=upload, range=span, body=b"abc")
    assert glacier.list_parts(vaultName="v", uploadId=upload)["Parts"] == []


def test_a_lock_keeps_archives_even_from_their_owner(glacier: Any, account: Account) -> None:
    arn = f"arn:aws:glacier:us-east-1:{account.id}:vaults/v"
    deny = {
        "Effect": "Deny", "Principal": "*", "Action": "glacier:DeleteArchive", "Resource": arn,
        "Condition": {"NumericLessThan": {"glacier:ArchiveAgeInDays": "365"}},
    }  # fmt: skip
    policy = {"Policy": json.dumps({"Version": "2012-10-17", "Statement": [deny]})}
    archive = glacier.upload_archive(vaultName="v", body=b"x")["archiveId"]
    first = glacier.initiate_vault_lock(vaultName="v", policy=policy)["lockId"]
    glacier.abort_vault_lock(vaultName="v")
    second = glacier.initiate_vault_lock(vaultName="v", policy=policy)["lockId"]
    with pytest.raises(ClientError):
        glacier.complete_vault_lock(vaultName="v", lockId=first)
    glacier.complete_vault_lock(vaultName="v", lockId=second)
    assert glacier.get_vault_lock(vaultName="v")["State"] == "Locked"
    for refused in (
        lambda: glacier.delete_archive(vaultName="v", archiveId=archive),
        lambda: glacier.abort_vault_lock(vaultName="v"),
        lambda: glacier.initiate_vault_lock(vaultName="v", policy=policy),
    ):
        with pytest.raises(ClientError):
            refused()


def test_another_account_needs_the_access_policy(cloud: Cloud, glacier: Any, account: Account) -> None:
    other = cloud.new_account()
    theirs = other.client("glacier")
    with pytest.raises(ClientError) as denied:
        theirs.describe_vault(accountId=account.id, vaultName="v")
    assert code_of(denied) == "AccessDeniedException"
    allow = {
        "Effect": "Allow", "Principal": {"AWS": other.id}, "Action": "glacier:UploadArchive",
        "Resource": f"arn:aws:glacier:us-east-1:{account.id}:vaults/v",
    }  # fmt: skip
    glacier.set_vault_access_policy(
        vaultName="v", policy={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [allow]})}
    )
    theirs.upload_archive(accountId=account.id, vaultName="v", body=b"from elsewhere")
    assert glacier.describe_vault(vaultName="v")["SizeInBytes"] == 14
    assert theirs.list_vaults()["VaultList"] == []


def test_topics_are_told_of_jobs(glacier: Any, account: Account) -> None:
    sns, sqs = account.client("sns"), account.client("sqs")
    topic = sns.create_topic(Name="jobs")["TopicArn"]
    queue = sqs.create_queue(QueueName="jobs")["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{account.id}:jobs"
    let_sns = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "*", "Resource": arn}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps({"Statement": [let_sns]})})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    let_us = {
        "Effect": "Allow", "Principal": {"Service": "glacier.amazonaws.com"}, "Action": "sns:Publish", "Resource": topic
    }  # fmt: skip
    sns.set_topic_attributes(
        TopicArn=topic, AttributeName="Policy",
        AttributeValue=json.dumps({"Version": "2012-10-17", "Statement": [let_us]}),
    )  # fmt: skip
    glacier.set_vault_notifications(
        vaultName="v", vaultNotificationConfig={"SNSTopic": topic, "Events": ["InventoryRetrievalCompleted"]}
    )
    job = glacier.initiate_job(vaultName="v", jobParameters={"Type": "inventory-retrieval"})["jobId"]
    told = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20)["Messages"]
    assert json.loads(told[0]["Body"])["JobId"] == job


def test_what_no_job_could_be_done_with_is_refused_at_once(glacier: Any) -> None:
    forged = base64.urlsafe_b64encode(b'["2026-01-01T00:00:00Z", "\\u0000"]').decode()
    early = base64.urlsafe_b64encode(b'["0001-01-01T00:00:00+14:00", "x"]').decode()
    for wrong in (
        {"EndDate": "9999-12-31T23:59:59-12:00"},
        {"StartDate": "0001-01-01T00:00:00+14:00"},
        {"Marker": forged},
        {"Marker": early},
    ):
        parameters = {"Type": "inventory-retrieval", "InventoryRetrievalParameters": wrong}
        with pytest.raises(ClientError) as refused:
            glacier.initiate_job(vaultName="v", jobParameters=parameters)
        assert code_of(refused) == "InvalidParameterValueException"
    with pytest.raises(ClientError) as refused:
        glacier.list_vaults(limit="9" * 5000)
    assert code_of(refused) == "InvalidParameterValueException"

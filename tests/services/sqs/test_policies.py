"""Queue policies: who is named is known by id, other accounts see nothing that they were not given."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cloud import Account, Cloud
from tests.services.iam.conftest import user_with_key


@pytest.fixture
def queue(account: Account) -> Iterator[str]:
    url = account.client("sqs").create_queue(QueueName=f"q-{uuid.uuid4().hex[:10]}")["QueueUrl"]
    yield url
    account.client("sqs").delete_queue(QueueUrl=url)


def code(call: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return str(caught.value.response["Error"]["Code"])


def arn_of(sqs: Any, url: str) -> str:
    return str(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])


def policy(principal: str, queue_arn: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sqs:SendMessage", "Resource": queue_arn}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def principal_of(sqs: Any, url: str) -> str:
    told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"]
    return str(json.loads(told)["Statement"][0]["Principal"]["AWS"])


def test_a_user_made_anew_is_not_let_in_again(account: Account, queue: str) -> None:
    sqs, iam = account.client("sqs"), account.client("iam")
    student = user_with_key(account, "student")
    arn = iam.get_user(UserName="student")["User"]["Arn"]
    id = iam.get_user(UserName="student")["User"]["UserId"]
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy(arn, arn_of(sqs, queue))})
    assert principal_of(sqs, queue) == arn
    student.client("sqs").send_message(QueueUrl=queue, MessageBody="x")
    iam.delete_access_key(UserName="student", AccessKeyId=student.access_key_id)
    iam.delete_user(UserName="student")
    assert principal_of(sqs, queue) == id
    again = user_with_key(account, "student")
    assert "AccessDenied" in code(again.client("sqs").send_message, QueueUrl=queue, MessageBody="x")
    assert principal_of(sqs, queue) == id


def test_a_policy_names_somebody_who_is_there(account: Account, queue: str) -> None:
    sqs = account.client("sqs")
    for bad in (
        policy(f"arn:aws:iam::{account.id}:user/nobody", arn_of(sqs, queue)),
        '{"Statement": [{"Effect": "Allow", "Principal": {"AWS": 5}, "Action": "sqs:*", "Resource": "*"}]}',
        '{"Statement": 7}',
        "[]",
        '{"Version": "2012-10-17"}',
    ):
        assert code(sqs.set_queue_attributes, QueueUrl=queue, Attributes={"Policy": bad}) == "InvalidAttributeValue"


def test_two_accounts_do_not_see_each_other(account: Account, cloud: Cloud, queue: str) -> None:
    stranger = cloud.new_account()
    theirs = stranger.client("sqs")
    mine = account.client("sqs")
    handle = "AQEB" + "x" * 40
    name = queue.rpartition("/")[2]
    calls = (
        (theirs.send_message, {"QueueUrl": queue, "MessageBody": "x"}),
        (theirs.receive_message, {"QueueUrl": queue}),
        (theirs.delete_message, {"QueueUrl": queue, "ReceiptHandle": handle}),
        (theirs.get_queue_attributes, {"QueueUrl": queue, "AttributeNames": ["All"]}),
        (theirs.purge_queue, {"QueueUrl": queue}),
        (theirs.delete_queue, {"QueueUrl": queue}),
        (theirs.get_queue_url, {"QueueName": name, "QueueOwnerAWSAccountId": account.id}),
    )
    for call, parameters in calls:
        assert "AccessDenied" in code(call, **parameters), call
    assert "QueueUrls" not in theirs.list_queues()
    mine.add_permission(QueueUrl=queue, Label="one", AWSAccountIds=[stranger.id], Actions=["SendMessage"])
    theirs.send_message(QueueUrl=queue, MessageBody="let in")
    assert "AccessDenied" in code(theirs.receive_message, QueueUrl=queue)
    mine.remove_permission(QueueUrl=queue, Label="one")
    assert "AccessDenied" in code(theirs.send_message, QueueUrl=queue, MessageBody="x")


def test_a_receipt_handle_is_good_for_its_own_queue_only(account: Account, queue: str) -> None:
    sqs = account.client("sqs")
    other = sqs.create_queue(QueueName=f"q-{uuid.uuid4().hex[:10]}")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    handle = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=2)["Messages"][0]["ReceiptHandle"]
    assert code(sqs.delete_message, QueueUrl=other, ReceiptHandle=handle) == "ReceiptHandleIsInvalid"
    sqs.delete_queue(QueueUrl=other)

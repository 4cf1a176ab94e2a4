"""Messages through boto3: sent, received, hidden, removed; standard and FIFO."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cloud import Account


@pytest.fixture
def sqs(account: Account) -> Any:
    return account.client("sqs")


@pytest.fixture
def queue(sqs: Any) -> Iterator[str]:
    url = sqs.create_queue(QueueName=f"q-{uuid.uuid4().hex[:10]}")["QueueUrl"]
    yield url
    sqs.delete_queue(QueueUrl=url)


@pytest.fixture
def fifo(sqs: Any) -> Iterator[str]:
    url = sqs.create_queue(QueueName=f"q-{uuid.uuid4().hex[:10]}.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    yield url
    sqs.delete_queue(QueueUrl=url)


def arn(sqs: Any, url: str) -> str:
    return str(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])


def code(call: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return str(caught.value.response["Error"]["Code"])


def test_a_message_comes_as_it_was_sent(sqs: Any, queue: str) -> None:
    attributes = {
        "text": {"DataType": "String", "StringValue": "grün"},
        "number": {"DataType": "Number.int", "StringValue": "42"},
        "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    sent = sqs.send_message(QueueUrl=queue, MessageBody="hallo ☁", MessageAttributes=attributes)
    received = sqs.receive_message(
        QueueUrl=queue, MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"], WaitTimeSeconds=2
    )["Messages"][0]
    assert received["Body"] == "hallo ☁" and received["MessageId"] == sent["MessageId"]
    assert received["MessageAttributes"] == attributes
    assert received["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert received["Attributes"]["ApproximateReceiveCount"] == "1"
    assert abs(int(received["Attributes"]["SentTimestamp"]) / 1000 - time.time()) < 60
    assert "Messages" not in sqs.receive_message(QueueUrl=queue), "it is hidden"
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=received["ReceiptHandle"])
    counts = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert counts["ApproximateNumberOfMessages"] == counts["ApproximateNumberOfMessagesNotVisible"] == "0"


def test_a_waiting_receiver_wakes_when_a_message_comes(account: Account, queue: str) -> None:
    """Of six receivers on connections of their own, spread over both gateways, each gets a message soon."""
    took: list[float] = []

    def receive() -> None:
        found = account.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=20)
        took.append(time.monotonic())
        assert len(found["Messages"]) == 1

    threads = [threading.Thread(target=receive) for _ in range(6)]
    for thread in threads:
        thread.start()
    time.sleep(2.0)
    began = time.monotonic()
    client = account.client("sqs")
    for n in range(6):
        client.send_message(QueueUrl=queue, MessageBody=str(n))
    for thread in threads:
        thread.join()
    assert len(took) == 6 and max(took) - began < 3


def test_a_waiting_receiver_wakes_when_a_hidden_message_comes_back(sqs: Any, queue: str) -> None:
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    sqs.receive_message(QueueUrl=queue, VisibilityTimeout=2)
    began = time.monotonic()
    assert sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=15)["Messages"][0]["Body"] == "x"
    assert 1 < time.monotonic() - began < 8


def test_a_delayed_message_comes_later(sqs: Any, queue: str) -> None:
    sqs.send_message(QueueUrl=queue, MessageBody="later", DelaySeconds=2)
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)
    assert sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=15)["Messages"][0]["Body"] == "later"


def test_visibility_can_be_changed(sqs: Any, queue: str) -> None:
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    first = sqs.receive_message(QueueUrl=queue)["Messages"][0]
    sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=0)
    second = sqs.receive_message(QueueUrl=queue, MessageSystemAttributeNames=["All"])["Messages"][0]
    assert second["Attributes"]["ApproximateReceiveCount"] == "2"
    assert second["ReceiptHandle"] != first["ReceiptHandle"]
    sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=second["ReceiptHandle"], VisibilityTimeout=0)
    found = code(
        sqs.change_message_visibility, QueueUrl=queue, ReceiptHandle=second["ReceiptHandle"], VisibilityTimeout=5
    )
    assert found.endswith("MessageNotInflight")


def test_batches_fail_in_part(sqs: Any, queue: str) -> None:
    entries = [{"Id": str(n), "MessageBody": f"m{n}"} for n in range(8)]
    entries.append({"Id": "bad", "MessageBody": "\x01"})
    result = sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    assert [entry["Id"] for entry in result["Failed"]] == ["bad"]
    assert result["Failed"][0]["Code"] == "InvalidMessageContents" and result["Failed"][0]["SenderFault"]
    messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    assert [message["Body"] for message in messages] == [f"m{n}" for n in range(8)]
    handles = [{"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]} for n, message in enumerate(messages)]
    handles.append({"Id": "no", "ReceiptHandle": "nonsense"})
    deleted = sqs.delete_message_batch(QueueUrl=queue, Entries=handles)
    assert len(deleted["Successful"]) == 8 and deleted["Failed"][0]["Code"] == "ReceiptHandleIsInvalid"


def test_dead_letters_and_their_return(sqs: Any, queue: str) -> None:
    dead = sqs.create_queue(QueueName=f"dead-{uuid.uuid4().hex[:8]}")["QueueUrl"]
    policy = json.dumps({"deadLetterTargetArn": arn(sqs, dead), "maxReceiveCount": 1})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"RedrivePolicy": policy})
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [queue]
    sqs.send_message(QueueUrl=queue, MessageBody="poison")
    sqs.receive_message(QueueUrl=queue, VisibilityTimeout=0)
    assert "Messages" not in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1)
    found = sqs.receive_message(QueueUrl=dead, MessageSystemAttributeNames=["All"], VisibilityTimeout=0)["Messages"][0]
    assert found["Body"] == "poison" and found["Attributes"]["DeadLetterQueueSourceArn"] == arn(sqs, queue)
    sqs.start_message_move_task(SourceArn=arn(sqs, dead))
    assert sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=15)["Messages"][0]["Body"] == "poison"
    sqs.delete_queue(QueueUrl=dead)


def test_a_target_of_dead_letters_is_there_and_of_the_same_kind(sqs: Any, queue: str, fifo: str) -> None:
    for target, reason in (
        (arn(sqs, queue) + "-not", "Dead letter target does not exist."),
        (arn(sqs, queue).replace("us-east-1", "eu-west-1"), "Dead letter target does not exist."),
        (arn(sqs, queue).replace(arn(sqs, queue).split(":")[4], "1" * 12), "Dead letter target does not exist."),
        (arn(sqs, fifo), "must be same type of queue as the source.."),
    ):
        policy = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": 1})}
        for call, own in ((sqs.set_queue_attributes, {"QueueUrl": queue}), (sqs.create_queue, {"QueueName": "source"})):
            with pytest.raises(ClientError) as refused:
                call(**own, Attributes=policy)
            assert refused.value.response["Error"]["Message"].endswith(reason)


def test_high_throughput_takes_both_attributes_and_knows_repeats_by_group(sqs: Any, fifo: str) -> None:
    limit = {"FifoThroughputLimit": "perMessageGroupId"}
    with pytest.raises(ClientError, match="only when the value for DeduplicationScope is messageGroup"):
        sqs.set_queue_attributes(QueueUrl=fifo, Attributes=limit)
    sqs.set_queue_attributes(QueueUrl=fifo, Attributes={**limit, "DeduplicationScope": "messageGroup"})
    with pytest.raises(ClientError, match="only when"):
        sqs.set_queue_attributes(QueueUrl=fifo, Attributes={"DeduplicationScope": "queue"})
    for group in ("a", "b", "a"):
        sqs.send_message(QueueUrl=fifo, MessageBody=group, MessageGroupId=group, MessageDeduplicationId="same")
    found = [sqs.receive_message(QueueUrl=fifo, MaxNumberOfMessages=10).get("Messages", ()) for _ in range(3)]
    assert [message["Body"] for messages in found for message in messages] == ["a", "b"]


def test_fifo_keeps_order_and_holds_groups_back(sqs: Any, fifo: str) -> None:
    for n in range(6):
        sqs.send_message(QueueUrl=fifo, MessageBody=str(n), MessageGroupId=f"g{n % 2}", MessageDeduplicationId=f"d{n}")
    first = sqs.receive_message(QueueUrl=fifo, MaxNumberOfMessages=2)["Messages"]
    assert [message["Body"] for message in first] == ["0", "2"], "of one group, as far as it has some"
    other = sqs.receive_message(QueueUrl=fifo, MaxNumberOfMessages=10)["Messages"]
    assert [message["Body"] for message in other] == ["1", "3", "5"], "the first group is held"
    sqs.delete_message(QueueUrl=fifo, ReceiptHandle=first[0]["ReceiptHandle"])
    assert "Messages" not in sqs.receive_message(QueueUrl=fifo, MaxNumberOfMessages=10), "held by the second message"
    sqs.delete_message(QueueUrl=fifo, ReceiptHandle=first[1]["ReceiptHandle"])
    assert sqs.receive_message(QueueUrl=fifo)["Messages"][0]["Body"] == "4"


def test_a_group_is_never_torn_between_receivers(account: Account, sqs: Any, fifo: str) -> None:
    """Of eight that ask at once one gets the group's messages, whatever gateway they ask."""
    clients = [account.client("sqs") for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for turn in range(5):
            entries = [
                {
                    "Id": str(n),
                    "MessageBody": "x",
                    "MessageGroupId": f"g{turn}",
                    "MessageDeduplicationId": f"{turn}-{n}",
                }
                for n in range(10)
            ]
            for half in range(2):
                for entry in entries:
                    entry["MessageDeduplicationId"] += str(half)
                sqs.send_message_batch(QueueUrl=fifo, Entries=entries)
            answers = pool.map(lambda one: one.receive_message(QueueUrl=fifo, MaxNumberOfMessages=10), clients)
            assert sorted(len(answer.get("Messages", ())) for answer in answers) == [0] * 7 + [10]


def test_fifo_takes_a_message_once_in_five_minutes(sqs: Any, fifo: str) -> None:
    send = {"QueueUrl": fifo, "MessageGroupId": "g", "MessageDeduplicationId": "same"}
    one, two = (sqs.send_message(MessageBody=body, **send) for body in ("a", "b"))
    assert one["MessageId"] == two["MessageId"] and one["SequenceNumber"] == two["SequenceNumber"]
    messages = sqs.receive_message(QueueUrl=fifo, MaxNumberOfMessages=10)["Messages"]
    assert [message["Body"] for message in messages] == ["a"]


def test_a_queue_that_is_not_there(sqs: Any, queue: str) -> None:
    found = code(sqs.send_message, QueueUrl=f"{queue}-no", MessageBody="x")
    assert found == "AWS.SimpleQueueService.NonExistentQueue"


def test_messages_are_not_readable_on_disk(sqs: Any, queue: str, cloud: Any) -> None:
    secret = uuid.uuid4().hex
    sqs.send_message(QueueUrl=queue, MessageBody=secret)
    database = cloud.home / "database"
    assert database.exists() or list(cloud.home.iterdir())
    found = [path for path in cloud.home.rglob("*") if path.is_file() and secret.encode() in _content(path)]
    assert found == []


def _content(path: Any) -> bytes:
    try:
        return bytes(path.read_bytes())
    except OSError:
        return b""

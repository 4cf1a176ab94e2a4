"""What an account may have in SQS, for the test that others cannot reach it."""

from __future__ import annotations

import uuid

from tests.cloud import Account


def make(account: Account) -> None:
    """A queue of each kind, with a message."""
    sqs, name = account.client("sqs"), f"own-{uuid.uuid4().hex[:12]}"
    url = sqs.create_queue(QueueName=name, tags={name: name})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=name)
    sqs.create_queue(QueueName=f"{name}.fifo", Attributes={"FifoQueue": "true"})

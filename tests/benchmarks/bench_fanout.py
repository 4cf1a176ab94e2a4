"""A topic with a thousand queues, and one publisher at fifty messages a second: do the queues keep up?

Run: python -m tests.benchmarks fanout

A publication is acknowledged when it is in all queues, so what counts is whether the publisher holds its pace.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.cloud import Account, Cloud

QUEUES = 1000
PER_SECOND = 50
SECONDS = 10
CONNECTIONS = 8


def subscribed(account: Account) -> tuple[str, list[str]]:
    """A topic, and the addresses of its queues."""
    sns, sqs = account.client("sns"), account.client("sqs")
    topic = str(sns.create_topic(Name="fan")["TopicArn"])
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": "*",
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    urls = []
    for number in range(QUEUES):
        urls.append(sqs.create_queue(QueueName=f"reader-{number}", Attributes={"Policy": policy})["QueueUrl"])
        arn = f"arn:aws:sqs:us-east-1:{account.id}:reader-{number}"
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return topic, urls


def publish(account: Account, topic: str) -> tuple[float, list[float]]:
    """Publish at the pace. Answers messages a second, and seconds from when each was due to its acknowledgement."""
    took: list[float] = []

    def one(client: Any, due: float) -> None:
        client.publish(TopicArn=topic, Message="x" * 100)
        took.append(time.monotonic() - due)

    clients = [account.client("sns") for _ in range(CONNECTIONS)]
    began = time.monotonic()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for number in range(PER_SECOND * SECONDS):
            due = began + number / PER_SECOND
            time.sleep(max(0.0, due - time.monotonic()))
            pool.submit(one, clients[number % CONNECTIONS], due)
    return len(took) / (time.monotonic() - began), took


def main() -> None:
    """Print the pace that was held, and count what lies in some of the queues."""
    with tempfile.TemporaryDirectory(prefix="celaje-bench-") as folder:
        cloud = Cloud(Path(folder), agent=False)
        cloud.start()
        try:
            account = cloud.new_account()
            topic, urls = subscribed(account)
            rate, took = publish(account, topic)
            sqs, name = account.client("sqs"), "ApproximateNumberOfMessages"
            counts = {
                sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name] for url in urls[::100]
            }
        finally:
            cloud.stop()
    median, worst = statistics.median(took), max(took)
    print(
        f"{QUEUES} queues, wanted {PER_SECOND}/s: {rate:.1f}/s = {rate * QUEUES:.0f} copies/s; acknowledged after "
        f"{1000 * median:.0f} ms (median), {1000 * worst:.0f} ms (worst); in a queue: {sorted(counts)}"
    )


if __name__ == "__main__":
    main()

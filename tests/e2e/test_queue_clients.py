"""A Celery application over SQS, and boto3's resources, as their users write them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import boto3

from tests.cloud import Account

APPLICATION = """
import os
from celery import Celery

app = Celery("shop", broker=os.environ["BROKER"])
app.conf.broker_transport_options = {"region": "us-east-1", "visibility_timeout": 30, "wait_time_seconds": 5}
app.conf.task_default_queue = "shop"
app.conf.task_acks_late = True
app.conf.worker_prefetch_multiplier = 1


@app.task(bind=True, max_retries=2, default_retry_delay=1)
def note(self, path, line, fail_first=False):
    if fail_first and self.request.retries == 0:
        raise self.retry()
    with open(path, "a") as file:
        file.write(line + "\\n")
"""
TASKS = 12
SECONDS = 90


def test_a_celery_application(account: Account, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(APPLICATION)
    done = tmp_path / "done"
    key, secret = quote(account.access_key_id, safe=""), quote(account.secret_access_key, safe="")
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "HOME": str(tmp_path),
        "BROKER": f"sqs://{key}:{secret}@{account.endpoint.removeprefix('http://')}//",
    }
    send = (
        f"import shop; [shop.note.delay({str(done)!r}, str(n)) for n in range({TASKS})];"
        f"shop.note.apply_async(({str(done)!r}, 'again', True), countdown=1)"
    )
    subprocess.run([sys.executable, "-c", send], cwd=tmp_path, env=environment, check=True, timeout=SECONDS)
    command = [sys.executable, "-m", "celery", "-A", "shop", "worker", "--pool", "solo", "--loglevel", "info"]
    with (tmp_path / "log").open("w") as log:
        worker = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + SECONDS
        while not done.exists() or len(done.read_text().split()) < TASKS + 1:
            assert worker.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()[-3000:]
            time.sleep(0.2)
    finally:
        worker.terminate()
        worker.wait(30)
    assert sorted(done.read_text().split()) == sorted([*map(str, range(TASKS)), "again"])
    sqs = account.client("sqs")
    counted = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    left = sqs.get_queue_attributes(QueueUrl=sqs.get_queue_url(QueueName="shop")["QueueUrl"], AttributeNames=counted)
    assert set(left["Attributes"].values()) == {"0"}, "each was acknowledged"


def test_boto3_s_resources(account: Account) -> None:
    session = boto3.Session(account.access_key_id, account.secret_access_key, region_name="us-east-1")
    sqs = session.resource("sqs", endpoint_url=account.endpoint)
    sns = session.resource("sns", endpoint_url=account.endpoint)
    queue, topic = sqs.create_queue(QueueName="inbox"), sns.create_topic(Name="news")
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue.attributes["QueueArn"],
        "Condition": {"ArnEquals": {"aws:SourceArn": topic.arn}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    queue.set_attributes(Attributes={"Policy": policy})
    subscription = topic.subscribe(Protocol="sqs", Endpoint=queue.attributes["QueueArn"])
    subscription.set_attributes(AttributeName="RawMessageDelivery", AttributeValue="true")
    topic.publish(Message="one")
    queue.send_messages(Entries=[{"Id": str(n), "MessageBody": str(n)} for n in range(3)])
    bodies: list[str] = []
    while messages := queue.receive_messages(MaxNumberOfMessages=10, WaitTimeSeconds=1):
        bodies += [message.body for message in messages]
        queue.delete_messages(
            Entries=[{"Id": message.message_id, "ReceiptHandle": message.receipt_handle} for message in messages]
        )
    assert sorted(bodies) == ["0", "1", "2", "one"]
    assert [one.arn for one in topic.subscriptions.all()] == [subscription.arn]
    assert [one.url for one in sqs.queues.filter(QueueNamePrefix="in")] == [queue.url]
    subscription.delete()
    topic.delete()
    queue.delete()

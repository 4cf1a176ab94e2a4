"""Gateways and Postgres are killed while messages are on their way: what was acknowledged is there, in order."""

from __future__ import annotations

import os
import signal
import tempfile
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cloud import Cloud
from tests.services.sqs.fifo_model import Delivery, Drill, Seen, killer
from tests.services.sqs.test_waiting import RECEIVERS, looks, receiver


@pytest.fixture(scope="module")
def maltreated() -> Iterator[Cloud]:
    with tempfile.TemporaryDirectory(prefix="celaje-drill-") as folder:
        cloud = Cloud(Path(folder), agent=False)
        try:
            cloud.start()
            yield cloud
        finally:
            cloud.stop()


def test_waiting_costs_the_database_nothing(maltreated: Cloud) -> None:
    account = maltreated.new_account()
    sqs = account.client("sqs")
    url = sqs.create_queue(QueueName=f"q-{uuid.uuid4().hex[:10]}")["QueueUrl"]
    threads = [receiver(account, url, lambda _: None, 1) for _ in range(RECEIVERS)]
    time.sleep(5)  # all of them have looked once by then, even on a busy machine
    began, seen = datetime.now(UTC), 0
    for _ in range(10):
        time.sleep(0.3)
        seen += looks(maltreated, began)
    assert seen == 0, f"{seen} looks at the queue while {RECEIVERS} receivers waited"
    for n in range(RECEIVERS):
        sqs.send_message(QueueUrl=url, MessageBody=str(n))
        seen += looks(maltreated, began)  # a connection tells its last statement alone
    for thread in threads:
        thread.join()
    assert seen + looks(maltreated, began) > 0, "so that the count is known to count"


def test_a_fifo_queue_is_as_its_model_whoever_is_killed(maltreated: Cloud) -> None:
    drill = Drill(maltreated.new_account())
    seen = drill.run(12, killer(maltreated, 2.5))
    assert drill.seen.problems == []
    assert seen["accepted"] > 50 and seen["groups"] > 10, seen


def test_the_model_tells_what_is_wrong() -> None:
    def judged(*deliveries: Delivery, deleted: dict[tuple[str, int], float]) -> list[str]:
        seen = Seen({("g", 0): "a", ("g", 1): "b"}, list(deliveries), deleted, deleted)
        seen.judge()
        return seen.problems

    one, two = Delivery(("g", 0), "a", 1, 2, ()), Delivery(("g", 1), "b", 3, 4, ())
    assert judged(one, two, deleted={("g", 0): 2.5}) == []
    assert judged(one, two, deleted={}) == ["('g', 1) came before 0 was deleted"]
    assert judged(one, deleted={}) == ["('g', 1) was lost"]
    again = Delivery(("g", 0), "a", 2, 3, ())
    assert judged(one, again, two, deleted={("g", 0): 3.5}) == ["('g', 0) came again after 2.00 s"]


def test_what_was_acknowledged_survives_the_end_of_everything(maltreated: Cloud) -> None:
    account = maltreated.new_account()
    sqs = account.client("sqs")
    url = sqs.create_queue(QueueName=f"q-{uuid.uuid4().hex[:8]}")["QueueUrl"]
    sent = {sqs.send_message(QueueUrl=url, MessageBody=str(n))["MessageId"] for n in range(20)}
    killed = {p["name"]: p["pid"] for p in maltreated.processes() if p["pid"] and p["state"] == "ready"}
    for pid in killed.values():
        os.kill(pid, signal.SIGKILL)

    def back() -> bool:
        now = {p["name"]: p for p in maltreated.processes()}
        return all(now[name]["state"] == "ready" and now[name]["pid"] != pid for name, pid in killed.items())

    maltreated.wait_until(back, 60)
    found: set[str] = set()
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages"):
        found |= {message["MessageId"] for message in messages}
    assert found == sent

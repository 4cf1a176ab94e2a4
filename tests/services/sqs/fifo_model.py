"""A FIFO queue under producers, twenty consumers and a killer, and the model that what they saw is checked against.

The long form: python -m tests.services.sqs.fifo_model MINUTES

What must be, by AWS's documentation: a message that was acknowledged is delivered and, once deleted, never again; the
first delivery of a group's message comes after all before it were deleted, or in one answer behind them; a message
comes again only when its visibility timeout is over. Times are taken in this process: a request's effect lies between
its beginning and its end.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tests.cloud import Account, Cloud

PRODUCERS = 4
CONSUMERS = 20
GROUPS = 24
HIDDEN = 6.0
"""Seconds of the queue's visibility timeout."""
VICTIMS = ("gateway-1", "gateway-2", "postgres")
DRAIN_SECONDS = 120.0

Name = tuple[str, int]
"""A message: its group and its number in it."""


@dataclass(frozen=True)
class Delivery:
    """One answer's message: `began` and `ended` are the request's; `ahead` those before it in the answer."""

    name: Name
    message_id: str
    began: float
    ended: float
    ahead: tuple[int, ...]


@dataclass
class Seen:
    """What producers and consumers saw."""

    accepted: dict[Name, str] = field(default_factory=dict)
    deliveries: list[Delivery] = field(default_factory=list)
    delete_began: dict[Name, float] = field(default_factory=dict)
    deleted: dict[Name, float] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def judge(self) -> dict[str, int]:
        """Compare with the model; what is wrong is in `problems`. Answers how much was seen of what."""
        by_name: dict[Name, list[Delivery]] = defaultdict(list)
        for delivery in sorted(self.deliveries, key=lambda one: one.ended):
            by_name[delivery.name].append(delivery)
        for name, id in self.accepted.items():
            if name not in by_name:
                self.problems.append(f"{name} was lost")
            elif any(delivery.message_id != id for delivery in by_name[name]):
                self.problems.append(f"{name} is two messages")
        for name, deliveries in by_name.items():
            self._check_order(name, deliveries[0])
            self._check_repeats(name, deliveries)
        return {
            "accepted": len(self.accepted),
            "deliveries": len(self.deliveries),
            "delivered again": len(self.deliveries) - len(by_name),
            "groups": len({group for group, _ in self.accepted}),
        }

    def _check_order(self, name: Name, first: Delivery) -> None:
        group, number = name
        for before in range(number):
            began = self.delete_began.get((group, before))
            if before not in first.ahead and (began is None or began > first.ended):
                self.problems.append(f"{name} came before {before} was deleted")

    def _check_repeats(self, name: Name, deliveries: Sequence[Delivery]) -> None:
        for one, two in pairwise(deliveries):
            if two.ended < one.began + HIDDEN - 0.05:
                self.problems.append(f"{name} came again after {two.ended - one.began:.2f} s")
        gone = self.deleted.get(name)
        if gone is not None and any(delivery.began > gone for delivery in deliveries):
            self.problems.append(f"{name} came again after it was deleted")


class Drill:
    """Everybody at work on one queue."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self.seen = Seen()
        attributes = {
            "FifoQueue": "true",
            "VisibilityTimeout": str(int(HIDDEN)),
            "DeduplicationScope": "messageGroup",
            "FifoThroughputLimit": "perMessageGroupId",
        }
        made = account.client("sqs").create_queue(QueueName=f"{uuid.uuid4().hex[:12]}.fifo", Attributes=attributes)
        self.url = made["QueueUrl"]
        self._lock = threading.Lock()
        self._sending = True
        self._receiving = True

    def run(self, seconds: float, disturb: Callable[[float], None]) -> dict[str, int]:
        """Send and receive while `disturb(seconds)` runs, then receive what is left."""
        producers = [threading.Thread(target=self._guarded, args=(self._produce, n)) for n in range(PRODUCERS)]
        consumers = [threading.Thread(target=self._guarded, args=(self._consume, n)) for n in range(CONSUMERS)]
        for thread in (*producers, *consumers):
            thread.start()
        try:
            disturb(seconds)
        finally:
            self._sending = False
            for thread in producers:
                thread.join()
            deadline = time.monotonic() + DRAIN_SECONDS
            while len(self.seen.deleted) < len(self.seen.accepted) and time.monotonic() < deadline:
                time.sleep(0.1)
            self._receiving = False
            for thread in consumers:
                thread.join()
        missing = len(self.seen.accepted) - len(self.seen.deleted)
        if missing:
            self.seen.problems.append(f"{missing} messages could not be consumed within {DRAIN_SECONDS:.0f} s")
        return self.seen.judge()

    def _guarded(self, work: Callable[[int], None], number: int) -> None:
        try:
            work(number)
        except Exception as error:  # a thread's end would go unseen
            self.seen.problems.append(repr(error))

    def _produce(self, producer: int) -> None:
        """Messages of this producer's groups, each sent until it is acknowledged."""
        client, chance = self._account.client("sqs"), random.Random(producer)
        numbers = {f"g{group}": 0 for group in range(producer, GROUPS, PRODUCERS)}
        while self._sending:
            batch = []
            for group in chance.sample(sorted(numbers), chance.randint(1, len(numbers))):
                batch.append((group, numbers[group]))
                numbers[group] += 1
            answer = self._try(partial(self._send, client, batch))
            ids = {entry["Id"]: entry["MessageId"] for entry in answer["Successful"]}
            with self._lock:
                self.seen.accepted |= {(group, number): ids[group] for group, number in batch}
            time.sleep(0.02)

    def _send(self, client: Any, batch: Sequence[Name]) -> Any:
        entries = [
            {
                "Id": group,
                "MessageBody": f"{group} {number}",
                "MessageGroupId": group,
                "MessageDeduplicationId": str(number),
            }
            for group, number in batch
        ]
        return client.send_message_batch(QueueUrl=self.url, Entries=entries)

    def _consume(self, _: int) -> None:
        client = self._account.client("sqs")
        while self._receiving:
            began = time.monotonic()
            answer = self._try(
                lambda: client.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=1), once=True
            )
            messages = (answer or {}).get("Messages", ())
            self._note(messages, began, time.monotonic())
            for message in messages:
                self._delete(client, message, began)

    def _note(self, messages: Sequence[Any], began: float, ended: float) -> None:
        ahead: dict[str, list[int]] = defaultdict(list)
        with self._lock:
            for message in messages:
                group, _, number = message["Body"].partition(" ")
                name = group, int(number)
                self.seen.deliveries.append(Delivery(name, message["MessageId"], began, ended, tuple(ahead[group])))
                ahead[group].append(int(number))

    def _delete(self, client: Any, message: Any, received: float) -> None:
        """Delete within the time in which the message is ours; later the handle is no longer good."""
        group, _, number = message["Body"].partition(" ")
        name = group, int(number)
        with self._lock:
            self.seen.delete_began.setdefault(name, time.monotonic())
        while time.monotonic() < received + HIDDEN + 1:
            try:
                client.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
            except ClientError as error:
                if error.response["Error"]["Code"] == "InvalidParameterValue":
                    return
                time.sleep(0.1)
            except BotoCoreError:
                time.sleep(0.1)
            else:
                with self._lock:
                    self.seen.deleted.setdefault(name, time.monotonic())
                return

    def _try(self, call: Callable[[], Any], *, once: bool = False) -> Any:
        """Again until it is answered; None when `once`."""
        while True:
            try:
                return call()
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] < 500:
                    raise
            except BotoCoreError:
                pass
            if once:
                time.sleep(0.05)
                return None
            time.sleep(0.05)


def killer(cloud: Cloud, pause: float) -> Callable[[float], None]:
    """Kills one of the cloud's processes after the other, each `pause` seconds."""

    def disturb(seconds: float) -> None:
        until, turn = time.monotonic() + seconds, 0
        while time.monotonic() < until:
            time.sleep(min(pause, max(0.0, until - time.monotonic())))
            if pid := cloud.process(VICTIMS[turn % len(VICTIMS)])["pid"]:
                os.kill(pid, signal.SIGKILL)
            turn += 1

    return disturb


def main() -> None:
    """Run for some minutes on a cloud of its own and print what was seen."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    with tempfile.TemporaryDirectory(prefix="celaje-drill-") as folder:
        cloud = Cloud(Path(folder), agent=False)
        try:
            cloud.start()
            drill = Drill(cloud.new_account())
            print(drill.run(minutes * 60, killer(cloud, 4.0)))
        finally:
            cloud.stop()
    print("\n".join(drill.seen.problems[:20]) or "as the model says")
    sys.exit(bool(drill.seen.problems))


if __name__ == "__main__":
    main()

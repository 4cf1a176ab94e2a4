"""Producers and consumers of one queue, as many messages as go through."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from tests.benchmarks.light_client import LightClient
from tests.cloud import Account

MOST_WAITING = 20_000
"""So many messages may lie in the queue: producers wait for consumers then."""


@dataclass
class Load:
    """What goes through a queue. `batch` messages go with each request; 1 sends and deletes them one by one."""

    account: Account
    url: str
    batch: int
    body: str = "x" * 100
    producers: int = 16
    consumers: int = 16
    sent: int = 0
    deleted: int = 0
    _stopped: bool = False

    async def run(self, seconds: float) -> float:
        """Send and consume for a while. Answers messages a second that made the whole way."""
        self._stopped = False
        before, began = self.deleted, time.monotonic()
        work = [self._produce() for _ in range(self.producers)] + [self._consume() for _ in range(self.consumers)]
        tasks = [asyncio.create_task(one) for one in work]
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
        rate = (self.deleted - before) / (time.monotonic() - began)
        self._stopped = True
        await asyncio.gather(*tasks)
        return rate

    async def drain(self) -> None:
        """Consume what is left."""
        self._stopped = True
        await asyncio.gather(*(self._consume() for _ in range(self.consumers)))

    async def _produce(self) -> None:
        entries = [{"Id": str(n), "MessageBody": self.body} for n in range(self.batch)]
        async with LightClient(self.account) as client:
            while not self._stopped:
                if self.sent - self.deleted > MOST_WAITING:
                    await asyncio.sleep(0.05)
                elif self.batch == 1:
                    await client.call("SendMessage", QueueUrl=self.url, MessageBody=self.body)
                    self.sent += 1
                else:
                    answer = await client.call("SendMessageBatch", QueueUrl=self.url, Entries=entries)
                    self.sent += len(answer["Successful"])

    async def _consume(self) -> None:
        async with LightClient(self.account) as client:
            while True:
                answer = await client.call(
                    "ReceiveMessage", QueueUrl=self.url, MaxNumberOfMessages=self.batch, WaitTimeSeconds=1
                )
                messages = answer.get("Messages", ())
                if not messages and self._stopped:
                    return
                if self.batch == 1 and messages:
                    handle = messages[0]["ReceiptHandle"]
                    await client.call("DeleteMessage", QueueUrl=self.url, ReceiptHandle=handle)
                elif messages:
                    entries = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)]
                    await client.call("DeleteMessageBatch", QueueUrl=self.url, Entries=entries)
                self.deleted += len(messages)

"""Who waits for a message is woken in milliseconds, in whichever gateway."""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import asyncpg

from controlplane.settings import Settings
from tests.cloud import Account, Cloud

ROUNDS = 12
RECEIVERS = 4
WAKE_SECONDS = 0.020
_LOOKS = """
SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
AND query_start > $1
AND (query LIKE '%SKIP LOCKED%sqs_shared%' OR query LIKE '%min(visible_at) FROM sqs%')
"""


def receiver(account: Account, url: str, got: Callable[[float], None], rounds: int) -> threading.Thread:
    """Somebody who waits on a connection of its own, so that receivers are spread over the gateways."""

    def receive() -> None:
        client = account.client("sqs")
        for _ in range(rounds):
            found = client.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
            got(time.monotonic())
            client.delete_message(QueueUrl=url, ReceiptHandle=found[0]["ReceiptHandle"])

    thread = threading.Thread(target=receive)
    thread.start()
    return thread


def test_a_waiting_receiver_is_woken_in_milliseconds(account: Account) -> None:
    sqs = account.client("sqs")
    urls = [sqs.create_queue(QueueName=f"q-{uuid.uuid4().hex[:10]}")["QueueUrl"] for _ in range(RECEIVERS)]
    came = [threading.Event() for _ in urls]
    at = [0.0 for _ in urls]

    def got(place: int) -> Callable[[float], None]:
        def note(moment: float) -> None:
            at[place] = moment
            came[place].set()

        return note

    threads = [receiver(account, url, got(place), ROUNDS) for place, url in enumerate(urls)]
    waits: list[list[float]] = [[] for _ in urls]
    for _ in range(ROUNDS):
        time.sleep(0.3)  # they wait again
        for place, url in enumerate(urls):
            sqs.send_message(QueueUrl=url, MessageBody="x")
            sent = time.monotonic()
            assert came[place].wait(10)
            came[place].clear()
            waits[place].append(at[place] - sent)
    for thread in threads:
        thread.join()
    medians = [statistics.median(found) for found in waits]
    print("wake, median of each receiver in ms:", [round(1000 * median, 1) for median in medians])
    assert max(medians) < WAKE_SECONDS, medians


def looks(cloud: Cloud, since: datetime) -> int:
    """Connections on which somebody has looked for messages since then, of any queue."""

    async def count() -> int:
        connection: Any = await asyncpg.connect(Settings(home=cloud.home).database)
        try:
            return int(await connection.fetchval(_LOOKS, since))
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as thread:  # asyncio.run wants a thread without a running loop
        return thread.submit(asyncio.run, count()).result()

"""Messages a second that are sent, received and deleted, durable, with 16 producers and 16 consumers.

Run: python -m tests.benchmarks queues

The clients are part of the load: they run in this process, on the same processors.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

import uvloop

from tests.benchmarks.queue_load import Load
from tests.cloud import Cloud

WANTED = 5000
"""Messages a second in batches of ten."""
SECONDS = 5
ROUNDS = 3


async def _measure(load: Load) -> list[float]:
    await load.run(1)
    rates = [await load.run(SECONDS) for _ in range(ROUNDS)]
    assert load.sent == load.deleted, f"{load.sent} sent, {load.deleted} received"
    return rates


def main() -> None:
    """Print the median and the best of the rounds."""
    with tempfile.TemporaryDirectory(prefix="celaje-bench-") as folder:
        cloud = Cloud(Path(folder), agent=False)
        cloud.start()
        try:
            account = cloud.new_account()
            for batch in (1, 10):
                url = account.client("sqs").create_queue(QueueName=f"load-{batch}")["QueueUrl"]
                rates = uvloop.run(_measure(Load(account, url, batch)))
                wanted = f"  (wanted: {WANTED})" if batch == 10 else ""
                print(
                    f"SQS end to end, {batch:2} a request: {statistics.median(rates):6.0f} messages/s, "
                    f"best {max(rates):6.0f}{wanted}"
                )
        finally:
            cloud.stop()


if __name__ == "__main__":
    main()

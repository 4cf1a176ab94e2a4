"""One queue at full rate for some minutes: the size of its table and indexes, minute by minute, must stay flat.

Run: python -m tests.soak.queues [MINUTES]

Sizes are those of the files, after the messages have come and gone; `dead` are rows that vacuum has not yet taken away.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import asyncpg
import uvloop

from controlplane.settings import Settings
from tests.benchmarks.queue_load import Load
from tests.cloud import Cloud

MINUTES = 30.0
MOST_GROWTH = 1.5
"""Times the size after the third minute, by when vacuum has found its pace."""
_SIZES = """
SELECT pg_table_size('sqs_messages') AS heap, pg_indexes_size('sqs_messages') AS indexes,
  (SELECT n_dead_tup FROM pg_stat_all_tables WHERE relname = 'sqs_messages') AS dead,
  (SELECT autovacuum_count FROM pg_stat_all_tables WHERE relname = 'sqs_messages') AS vacuums
"""


async def soak(cloud: Cloud, load: Load, minutes: float) -> list[int]:
    """Bytes of table and indexes at the end of each minute, printed as they come."""
    connection = await asyncpg.connect(Settings(home=cloud.home).database)
    sizes = []
    try:
        for minute in range(1, max(1, round(minutes)) + 1):
            rate = await load.run(min(60.0, minutes * 60))
            row: Any = await connection.fetchrow(_SIZES)
            sizes.append(row["heap"] + row["indexes"])
            print(
                f"minute {minute:3}: {rate:6.0f} messages/s  table {row['heap'] / 2**20:6.1f} MiB  indexes "
                f"{row['indexes'] / 2**20:6.1f} MiB  dead rows {row['dead']:7}  vacuums {row['vacuums']}",
                flush=True,
            )
    finally:
        await connection.close()
    return sizes


def main() -> None:
    """Soak a cloud of its own; exit code 1 when the table has grown."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else MINUTES
    with tempfile.TemporaryDirectory(prefix="celaje-soak-") as folder:
        cloud = Cloud(Path(folder), agent=False)
        cloud.start()
        try:
            account = cloud.new_account()
            url = account.client("sqs").create_queue(QueueName="soaked")["QueueUrl"]
            load = Load(account, url, 10)
            sizes = uvloop.run(soak(cloud, load, minutes))
        finally:
            cloud.stop()
    print(f"{load.sent} messages sent, {load.deleted} received and deleted")
    grown = len(sizes) > 3 and max(sizes[3:]) > MOST_GROWTH * sizes[2]
    sys.exit("the table has grown" if grown or load.sent != load.deleted else 0)


if __name__ == "__main__":
    main()

"""Connections are spread over the gateway workers."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from controlplane.supervise.sharing import Shares
from tests.cloud import Cloud

CONNECTIONS = 40


def served(cloud: Cloud) -> Counter[str]:
    """Open connections by the process that holds them."""
    port = urlsplit(cloud.endpoint).port
    command = ["ss", "-tnpH", "state", "established", f"( sport = :{port} )"]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return Counter(line.split("pid=")[1].split(",")[0] for line in shown.splitlines() if "pid=" in line)


def test_a_burst_is_spread_evenly(cloud: Cloud) -> None:
    address = urlsplit(cloud.endpoint)
    with ExitStack() as stack:
        for _ in range(CONNECTIONS):
            stack.enter_context(socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=10))
        cloud.wait_until(lambda: served(cloud).total() >= CONNECTIONS, 10)
        counts = served(cloud)
    assert len(counts) == 2
    assert min(counts.values()) > counts.total() / 4, counts


def test_who_has_more_waits_a_moment(tmp_path: Path) -> None:
    few, many = Shares(tmp_path / "counts", 1, 2), Shares(tmp_path / "counts", 2, 2)
    many.change(2)
    few.change(1)

    async def seconds(shares: Shares) -> float:
        began = time.monotonic()
        await shares.turn()
        return time.monotonic() - began

    assert asyncio.run(seconds(many)) >= 0.001
    assert asyncio.run(seconds(few)) < 0.001
    many.change(-1)
    assert asyncio.run(seconds(many)) < 0.001

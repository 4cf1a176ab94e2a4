"""Ranges of public addresses for clouds under test: each in use by one cloud on this machine at a time."""

from __future__ import annotations

import fcntl
import json
import random
import subprocess
import tempfile
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

# 198.18.0.0/15 is set aside for tests of networks.
BLOCKS = list(IPv4Network("198.18.0.0/15").subnets(new_prefix=22))
_held: list[Any] = []
"""Locked files; the locks end with this process."""


def take_range() -> str:
    """A block that no other test process holds and no address of this machine lies in."""
    taken = _addresses()
    for block in random.sample(BLOCKS, len(BLOCKS)):
        if not any(address in block for address in taken) and _lock(block):
            return str(block)
    raise AssertionError("all ranges for tests are in use")


def _addresses() -> list[IPv4Address]:
    shown = subprocess.run(["ip", "-4", "-j", "addr"], capture_output=True, text=True, check=True).stdout
    return [IPv4Address(item["local"]) for link in json.loads(shown) for item in link.get("addr_info", ())]


def _lock(block: IPv4Network) -> bool:
    path = Path(tempfile.gettempdir()) / f"celaje-range-{block.network_address}.lock"
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return False
    _held.append(file)
    return True

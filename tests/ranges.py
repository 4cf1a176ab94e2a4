"""Ranges of public addresses for clouds under test: each in use by one cloud on this machine at a time."""

from __future__ import annotations

import json
import random
import socket
import subprocess
from ipaddress import IPv4Address, IPv4Network

# 198.18.0.0/15 is set aside for tests of networks.
BLOCKS = list(IPv4Network("198.18.0.0/15").subnets(new_prefix=22))
_held: list[socket.socket] = []


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
    # A socket with an abstract name is a lock that leaves no file and ends with its process.
    held = socket.socket(socket.AF_UNIX)
    try:
        held.bind(f"\0celaje-test-range-{block.network_address}")
    except OSError:
        held.close()
        return False
    _held.append(held)
    return True

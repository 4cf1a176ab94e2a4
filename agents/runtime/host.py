"""What the host has and what runs on it."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

from agents.contract.exchange import Capacity

_RESERVED_MIB = 1024
"""Memory that is left to the host itself."""


def capacity(home: Path) -> Capacity:
    """What this host can give to machines."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    return Capacity(
        vcpus=len(os.sched_getaffinity(0)),
        memory_mib=max(0, memory - _RESERVED_MIB),
        disk_gib=shutil.disk_usage(home).total >> 30,
    )


def address() -> str:
    """The address by which other hosts reach this one: that of the interface with the default route."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Nothing is sent: connecting a datagram socket only asks the routing table.
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"

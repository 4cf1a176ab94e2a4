"""Reading dnsmasq's record of leases."""

from __future__ import annotations

from pathlib import Path

from agents.network.dhcp import LEASE


def lease_time(leases: Path, mac: str) -> float | None:
    """When a card was granted or renewed its lease, in seconds of the epoch; None when it has none."""
    try:
        lines = leases.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        expiry, card, *_ = line.split()
        if card == mac.lower() and expiry.isdigit():
            return float(expiry) - LEASE
    return None

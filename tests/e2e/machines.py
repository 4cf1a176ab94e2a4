"""Reaching machines from the host."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path

SSH_SECONDS = 90.0


def ssh_answers(address: str, seconds: float = SSH_SECONDS) -> float:
    """Wait until an SSH server greets. Answers the seconds that it took."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        try:
            with socket.create_connection((address, 22), timeout=2) as connection:
                if connection.recv(4) == b"SSH-":
                    return time.monotonic() - began
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{address} does not answer on port 22 after {seconds:.0f} s")


def ssh(key: Path, address: str, command: str, user: str = "ec2-user") -> str:
    """Run a command in a machine; answers what it printed."""
    options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "ConnectTimeout=10")
    arguments = [part for option in options for part in ("-o", option)]
    done = subprocess.run(
        ["ssh", *arguments, "-i", str(key), f"{user}@{address}", command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout

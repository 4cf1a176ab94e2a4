"""The host's side of the network beside other software: foreign firewalls, ranges in use. Each in its own namespace."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")

_UPLINK = """
import asyncio, sys
from pathlib import Path
from agents.names import Names
from agents.network.uplink import Uplink
home = Path(sys.argv[1])
uplink = Uplink(Names("t1"), "100.100.0.0/24", home, home)
asyncio.run(getattr(uplink, sys.argv[2])())
"""


class Place:
    """A network namespace that stands for a whole host."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder

    def run(self, *words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command on that host."""
        command = ["nsenter", f"--net=/run/netns/{self.name}", *words]
        return subprocess.run(command, input=stdin, capture_output=True, text=True)

    def uplink(self, action: str) -> subprocess.CompletedProcess[str]:
        """Start or stop the uplink there."""
        return self.run(sys.executable, "-c", _UPLINK, str(self.folder), action)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A host with nothing on it but a loopback interface."""
    name = f"test-{secrets.token_hex(4)}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    place = Place(name, tmp_path)
    try:
        place.run("ip", "link", "set", "lo", "up")
        yield place
    finally:
        place.uplink("stop")
        subprocess.run(["ip", "netns", "delete", name], check=True)


def test_a_firewall_that_drops_is_passed_and_left_as_it_was(place: Place) -> None:
    docker = "table ip filter {\n chain FORWARD { type filter hook forward priority 0; policy drop; counter; }\n}\n"
    assert place.run("nft", "-f", "-", stdin=docker).returncode == 0
    before = place.run("nft", "list", "table", "ip", "filter").stdout
    for _ in range(2):
        done = place.uplink("start")
        assert done.returncode == 0, done.stderr
    chain = place.run("nft", "list", "chain", "ip", "filter", "FORWARD").stdout
    assert chain.count("accept comment") == 2 and "celaje_t1" in chain
    assert place.uplink("stop").returncode == 0
    assert place.run("nft", "list", "table", "ip", "filter").stdout == before
    assert place.run("nft", "list", "tables").stdout.strip() == "table ip filter"
    assert place.run("ip", "route").stdout == "" and "100.100" not in place.run("ip", "address").stdout


def test_a_firewall_that_accepts_is_not_touched(place: Place) -> None:
    open_chain = "table inet other {\n chain forward { type filter hook forward priority 0; policy accept; }\n}\n"
    place.run("nft", "-f", "-", stdin=open_chain)
    before = place.run("nft", "list", "table", "inet", "other").stdout
    assert place.uplink("start").returncode == 0
    assert place.run("nft", "list", "table", "inet", "other").stdout == before


@pytest.mark.parametrize(
    "use",
    ["ip address add 100.100.0.9/32 dev lo", "ip route add 100.100.0.0/16 dev lo", "ip route add 100.64.0.0/10 dev lo"],
)
def test_a_range_that_is_in_use_is_refused(place: Place, use: str) -> None:
    assert place.run(*use.split()).returncode == 0
    done = place.uplink("start")
    assert done.returncode != 0 and "RangeTaken" in done.stderr


def test_the_range_of_a_second_cloud_is_refused(place: Place) -> None:
    assert place.uplink("start").returncode == 0
    other = _UPLINK.replace('"t1"', '"t2"')
    done = place.run(sys.executable, "-c", other, str(place.folder / "other"), "start")
    assert done.returncode != 0 and "RangeTaken" in done.stderr

"""One VPC on two hosts, each a network namespace with an agent, a libvirtd and a machine of its own."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.contract.network import Port, RemotePort, Rule, SecurityGroup, Vpc
from tests.agents import documents
from tests.agents.cloud import Cloud
from tests.agents.lab import Host, any_range

pytestmark = [
    pytest.mark.machines,
    pytest.mark.skipif(os.geteuid() != 0, reason="machines need root"),
]

VPC = "vpc-0eeeeeeeeeeeeeee1"
_OWN_FOLDERS = (
    "for f in /run/netns /run/celaje; do mkdir -p $f; mount -t tmpfs none $f; done; ip link set lo up; exec sleep 600"
)


@contextlib.contextmanager
def _wire(names: list[str]) -> Iterator[str]:
    """A switch with a network namespace at each end; tells the first three octets of its addresses."""
    switch, octets = f"s{secrets.token_hex(4)}", f"198.18.{secrets.randbelow(250)}"
    made = [
        f"ip link add {switch} type bridge",
        f"ip address add {octets}.1/24 dev {switch}",
        f"ip link set {switch} up",
    ]
    for number, name in enumerate(names):
        near = f"{switch}{number}"
        made += [
            f"ip netns add {name}",
            f"ip link add {near} master {switch} type veth peer name eth0 netns {name}",
            f"ip link set {near} up",
            f"ip -n {name} address add {octets}.{number + 2}/24 dev eth0",
            f"ip -n {name} link set eth0 up",
        ]
    try:
        for line in made:
            subprocess.run(line.split(), check=True)
        yield octets
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], check=False)
        subprocess.run(["ip", "link", "delete", switch], check=False)


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[list[Host]]:
    """Two hosts of one cloud."""
    cloud, public_range = f"t{secrets.token_hex(4)}", any_range()
    names = [f"test-{secrets.token_hex(4)}" for _ in range(2)]
    with contextlib.ExitStack() as stack:
        octets = stack.enter_context(_wire(names))
        hosts = []
        for number, name in enumerate(names):
            unshare = ["nsenter", f"--net=/run/netns/{name}", "unshare", "--mount", "--propagation", "slave"]
            holder = stack.enter_context(subprocess.Popen([*unshare, "sh", "-c", _OWN_FOLDERS]))
            stack.callback(holder.kill)
            time.sleep(0.3)
            inside = f"/proc/{holder.pid}/ns"
            enter = ("nsenter", f"--net={inside}/net", f"--mount={inside}/mnt", f"--wdns={Path.cwd()}")
            folder = tmp_path / str(number)
            folder.mkdir()
            control = Cloud(cloud, public_range, listen=f"{octets}.1")
            host = Host(folder, enter, control, address=f"{octets}.{number + 2}")
            stack.callback(host.close)
            host.start()
            hosts.append(host)
        yield hosts


def _vpc(own: Port, other: Port, other_host: str, groups: tuple[SecurityGroup, ...]) -> Vpc:
    """The VPC as the host of `own` must have it."""
    whole = documents.vpc(VPC, "10.0.0.0/16", groups, (own, other))
    remote = RemotePort(subnet=whole.subnets[0].id, mac=other.mac, address=other.address, host_address=other_host)
    return whole.model_copy(update={"ports": (whole.ports[0],), "remote_ports": (remote,)})


def test_a_vpc_spans_hosts(hosts: list[Host]) -> None:
    one, two = hosts
    ping = Rule(protocol="icmp", cidr=documents.ANYONE)
    groups = (
        SecurityGroup(id="sg-1", ingress=documents.OPEN, egress=documents.ALL),
        SecurityGroup(
            id="sg-2",
            ingress=(*documents.OPEN, ping, Rule(protocol="tcp", from_port=8000, to_port=8000, group="sg-1")),
            egress=documents.ALL,
        ),
    )
    first = documents.port("eni-1", "10.0.0.5", ("sg-1",), public_address=f"{one.public}.101", instance="i-1")
    second = documents.port("eni-2", "10.0.0.6", ("sg-2",), public_address=f"{two.public}.102", instance="i-2")
    addresses = [host.cloud.joins[0].address if host.cloud.joins else "" for host in hosts]
    for host in hosts:
        host.cloud.until(lambda: bool(host.cloud.joins), 20, "joined")  # noqa: B023
    addresses = [host.cloud.joins[0].address for host in hosts]
    one.cloud.want(_vpc(first, second, addresses[1], groups))
    two.cloud.want(_vpc(second, first, addresses[0], groups))
    one.cloud.want(documents.machine("i-1", VPC, ("eni-1",), one.image, one.public_key))
    two.cloud.want(documents.machine("i-2", VPC, ("eni-2",), two.image, two.public_key))
    one.cloud.until_networked("i-1", 60)
    two.cloud.until_networked("i-2", 60)
    near, far = f"{one.public}.101", f"{two.public}.102"

    two.ssh(
        far,
        "for p in 8000 9000; do (while true; do echo over $p | nc -l -p $p; done) > /dev/null 2>&1 < /dev/null & done",
    )
    assert "1 packets received" in one.ssh(near, "ping -c 1 -W 20 10.0.0.6 || true")
    assert "0 packets received" in two.ssh(far, "ping -c 1 -W 1 10.0.0.5 || true"), "ingress holds across hosts"
    assert one.ssh(near, "nc -w 20 10.0.0.6 8000 < /dev/null || true").strip() == "over 8000", (
        "a group's members elsewhere"
    )
    assert one.ssh(near, "nc -w 1 10.0.0.6 9000 < /dev/null || true").strip() == ""
    assert "10.0.0.6" in one.ssh(near, "nslookup ip-10-0-0-6.ec2.internal 10.0.0.2")
    assert one.ssh(near, "ping -c 3 -W 10 -s 1400 10.0.0.6 | grep -c ' bytes from'").strip() == "3", "full packets fit"

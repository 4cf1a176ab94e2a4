"""Several machines: who reaches whom, by which address, and who does not."""

from __future__ import annotations

import contextlib
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from agents.contract.network import Route, Rule, SecurityGroup, Vpc
from tests.agents import documents
from tests.agents.lab import Host, eventually

OWN, OTHER = "vpc-0bbbbbbbbbbbbbbb1", "vpc-0bbbbbbbbbbbbbbb2"
A, B, C = "i-0bbbbbbbbbbbbbbba", "i-0bbbbbbbbbbbbbbbb", "i-0bbbbbbbbbbbbbbbc"
ICMP = Rule(protocol="icmp", from_port=-1, to_port=-1, cidr=documents.ANYONE)


def _own(host: Host, *more: Rule) -> Vpc:
    """A (10.0.0.5) and B (10.0.0.6): only A's group may reach B's port 8000, everybody may log in and ping."""
    groups = (
        SecurityGroup(id="sg-a", ingress=(*documents.OPEN, ICMP), egress=documents.ALL),
        SecurityGroup(
            id="sg-b",
            ingress=(*documents.OPEN, ICMP, Rule(protocol="tcp", from_port=8000, to_port=8000, group="sg-a"), *more),
            egress=documents.ALL,
        ),
    )
    ports = (
        documents.port("eni-a", "10.0.0.5", ("sg-a",), public_address=f"{host.public}.101", instance=A),
        documents.port("eni-b", "10.0.0.6", ("sg-b",), public_address=f"{host.public}.102", instance=B),
    )
    return documents.vpc(OWN, "10.0.0.0/16", groups, ports)


def _other(host: Host) -> Vpc:
    """C has the same private address as B, in a VPC of another account with the same range."""
    group = SecurityGroup(id="sg-c", ingress=(*documents.OPEN, ICMP), egress=documents.ALL)
    port = documents.port("eni-c", "10.0.0.6", ("sg-c",), public_address=f"{host.public}.103", instance=C)
    return documents.vpc(OTHER, "10.0.0.0/16", (group,), (port,))


@pytest.fixture(scope="module")
def machines(host: Host) -> dict[str, str]:
    """Public addresses of three machines that have been started together."""
    host.cloud.want(_own(host), _other(host))
    for id, vpc, port in ((A, OWN, "eni-a"), (B, OWN, "eni-b"), (C, OTHER, "eni-c")):
        host.cloud.want(documents.machine(id, vpc, (port,), host.image, host.public_key))
    for id in (A, B, C):
        host.cloud.until_networked(id, 60)
    return {A: f"{host.public}.101", B: f"{host.public}.102", C: f"{host.public}.103"}


def _listen(host: Host, address: str, port: int) -> None:
    host.ssh(
        address, f"while true; do echo $(hostname) $(cat name) | nc -l -p {port}; done > /dev/null 2>&1 < /dev/null &"
    )


def _fetch(host: Host, address: str, target: str, port: int) -> str:
    return host.ssh(address, f"nc -w 2 {target} {port} < /dev/null || true").strip()


def _hears(host: Host, address: str, target: str, port: int) -> str:
    """What a listener says, once it is heard: a busy machine may take several tries."""
    return next((text for _ in range(5) if (text := _fetch(host, address, target, port))), "")


def _reaches(host: Host, address: str, target: str) -> bool:
    return any(_pings(host, address, target) for _ in range(5))


def _pings(host: Host, address: str, target: str) -> bool:
    return "1 packets received" in host.ssh(address, f"ping -c 1 -W 2 {target} || true", "root")


def test_machines_of_a_vpc_reach_each_other(host: Host, machines: dict[str, str]) -> None:
    assert _reaches(host, machines[A], "10.0.0.6") and _reaches(host, machines[B], "10.0.0.5")


def test_an_address_belongs_to_its_vpc(host: Host, machines: dict[str, str]) -> None:
    host.ssh(machines[B], "echo B > name")
    host.ssh(machines[C], "echo C > name")
    _listen(host, machines[B], 8000)
    _listen(host, machines[C], 8000)
    assert _hears(host, machines[A], "10.0.0.6", 8000).endswith("B")
    assert not _pings(host, machines[C], "10.0.0.5"), "another account's machine was reached by its private address"


def test_security_groups_deny_what_they_do_not_allow(host: Host, machines: dict[str, str]) -> None:
    _listen(host, machines[B], 9000)
    _listen(host, machines[A], 8000)
    assert _fetch(host, machines[A], "10.0.0.6", 9000) == ""
    assert _fetch(host, machines[B], "10.0.0.5", 8000) == ""
    assert _fetch(host, machines[C], machines[B], 8000) == "", "a group allows its members only"
    host.cloud.want(_own(host, Rule(protocol="tcp", from_port=9000, to_port=9001, cidr="10.0.0.0/24")))
    host.cloud.until_applied("vpc", OWN)
    assert _hears(host, machines[A], "10.0.0.6", 9000) != ""
    assert _fetch(host, machines[C], machines[B], 9000) == ""
    host.cloud.want(_own(host))
    host.cloud.until_applied("vpc", OWN)
    assert _fetch(host, machines[A], "10.0.0.6", 9000) == ""


def test_egress_rules_hold(host: Host, machines: dict[str, str]) -> None:
    own = _own(host)
    mute = own.groups[0].model_copy(
        update={"egress": (Rule(protocol="tcp", from_port=80, to_port=80, cidr=documents.ANYONE),)}
    )
    host.cloud.want(own.model_copy(update={"groups": (mute, own.groups[1])}))
    host.cloud.until_applied("vpc", OWN)
    assert not _pings(host, machines[A], "10.0.0.6")
    assert _reaches(host, machines[B], "10.0.0.5"), "answers need no rule"
    host.cloud.want(own)
    host.cloud.until_applied("vpc", OWN)
    assert _reaches(host, machines[A], "10.0.0.6")


def test_public_addresses_lead_through_security_groups(host: Host, machines: dict[str, str]) -> None:
    assert _reaches(host, machines[C], machines[A]) and _reaches(host, machines[A], machines[B])
    assert host.ssh(machines[A], "wget -q -O - http://169.254.169.254/latest/meta-data/public-ipv4") == machines[A]


def test_a_machine_cannot_take_anothers_address(host: Host, machines: dict[str, str]) -> None:
    host.ssh(machines[A], "ip addr add 10.0.0.77/17 dev eth0", "root")
    assert "0 packets received" in host.ssh(machines[A], "ping -c 1 -W 1 -I 10.0.0.77 10.0.0.6 || true", "root")
    host.ssh(machines[A], "ip addr del 10.0.0.77/17 dev eth0", "root")


def test_machines_do_not_reach_services_of_the_host(host: Host, machines: dict[str, str]) -> None:
    with subprocess.Popen([sys.executable, "-c", _SERVER.format(address=f"{host.public}.1")]) as server:
        try:
            time.sleep(0.3)
            assert _fetch(host, machines[A], f"{host.public}.1", 8123) == ""
        finally:
            server.kill()


_SERVER = """
import socket

pytestmark = pytest.mark.machines
listener = socket.create_server(("{address}", 8123))
while True:
    listener.accept()[0].sendall(b"reached")
"""


@contextlib.contextmanager
def _outside() -> Iterator[str]:
    """An address beyond the host: a namespace that has no route to machines, only one to the host."""
    name = f"outside-{secrets.token_hex(3)}"
    near, far = f"o{secrets.token_hex(4)}n", f"o{secrets.token_hex(4)}f"
    subnet = f"198.18.{secrets.randbelow(250)}"
    try:
        for line in (
            f"ip netns add {name}",
            f"ip link add {near} type veth peer name {far} netns {name}",
            f"ip addr add {subnet}.1/24 dev {near}",
            f"ip link set {near} up",
            f"ip -n {name} addr add {subnet}.2/24 dev {far}",
            f"ip -n {name} link set {far} up",
        ):
            subprocess.run(line.split(), check=True)
        yield f"{subnet}.2"
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=False)
        subprocess.run(["ip", "link", "delete", near], check=False, capture_output=True)


def test_the_internet_gateway_translates(host: Host, machines: dict[str, str]) -> None:
    with _outside() as address:
        assert _reaches(host, machines[A], address)


def test_a_subnet_without_an_internet_route_has_no_way_out(host: Host, machines: dict[str, str]) -> None:
    own = _own(host)
    table = own.route_tables[0].model_copy(update={"routes": (Route(cidr="10.0.0.0/16", target="local"),)})
    with _outside() as address:
        host.cloud.want(own.model_copy(update={"route_tables": (table,)}))
        host.cloud.until_applied("vpc", OWN)
        words = ["ping", "-c", "1", "-W", "1", machines[A]]
        assert subprocess.run(words, capture_output=True).returncode != 0
        host.cloud.want(own)
        host.cloud.until_applied("vpc", OWN)
        assert _reaches(host, machines[A], address)


def test_a_route_can_lead_through_a_machine(host: Host, machines: dict[str, str]) -> None:
    own = _own(host)
    routes = (*own.route_tables[0].routes, Route(cidr="192.0.2.0/24", target="eni-b"))
    table = own.route_tables[0].model_copy(update={"routes": routes})
    router = own.ports[1].model_copy(update={"source_dest_check": False})
    host.ssh(machines[B], "ip address add 192.0.2.7/32 dev lo", "root")
    host.cloud.want(own.model_copy(update={"route_tables": (table,)}))
    host.cloud.until_applied("vpc", OWN)
    assert not _pings(host, machines[A], "192.0.2.7"), "B may send from its own address only"
    host.cloud.want(own.model_copy(update={"route_tables": (table,), "ports": (own.ports[0], router)}))
    host.cloud.until_applied("vpc", OWN)
    assert _reaches(host, machines[A], "192.0.2.7")
    host.cloud.want(own)
    host.cloud.until_applied("vpc", OWN)


def test_removal_leaves_nothing(host: Host, machines: dict[str, str]) -> None:
    for id in machines:
        host.cloud.drop("machine", id)
    host.cloud.drop("vpc", OWN)
    host.cloud.drop("vpc", OTHER)
    for kind, id in (("machine", A), ("machine", B), ("machine", C), ("vpc", OWN), ("vpc", OTHER)):
        host.cloud.until_applied(kind, id)
    eventually(lambda: not any(host.traces().values()), 5, f"nothing is left: {host.traces()}")

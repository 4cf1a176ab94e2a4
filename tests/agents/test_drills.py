"""What happens to machines when the agent, libvirtd or the control plane dies: nothing, and it goes on by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from agents.contract.network import Rule, SecurityGroup
from tests.agents import documents
from tests.agents.cloud import under_load
from tests.agents.lab import Host, eventually

pytestmark = pytest.mark.machines

VPC = "vpc-0ccccccccccccccc1"
STEADY = "i-0ccccccccccccccc0"
_WHO = "wget -q -O - http://169.254.169.254/latest/meta-data/instance-id || true"
PATIENCE = 10.0
"""Seconds in which everything must have recovered."""


class Fleet:
    """Machines of one VPC, added and removed one by one; number 0 is the one that must never be touched."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.numbers: set[int] = set()

    def id(self, number: int) -> str:
        """The instance's id."""
        return f"i-0ccccccccccccccc{number}"

    def address(self, number: int) -> str:
        """The public address."""
        return f"{self.host.public}.{110 + number}"

    def add(self, number: int) -> str:
        """Want one more machine."""
        self.numbers.add(number)
        self._publish()
        port = f"eni-{number}"
        self.host.cloud.want(documents.machine(self.id(number), VPC, (port,), self.host.image, self.host.public_key))
        return self.id(number)

    def remove(self, number: int) -> str:
        """Want a machine no more."""
        self.numbers.discard(number)
        self.host.cloud.drop("machine", self.id(number))
        self._publish()
        return self.id(number)

    def _publish(self) -> None:
        group = SecurityGroup(
            id="sg-1", ingress=(*documents.OPEN, Rule(protocol="icmp", cidr=documents.ANYONE)), egress=documents.ALL
        )
        ports = tuple(
            documents.port(
                f"eni-{number}", f"10.0.0.{10 + number}", ("sg-1",),
                public_address=self.address(number), instance=self.id(number),
            )
            for number in sorted(self.numbers)
        )  # fmt: skip
        self.host.cloud.want(documents.vpc(VPC, "10.0.0.0/16", (group,), ports))


@pytest.fixture(scope="module")
def fleet(host: Host) -> Fleet:
    """A host with one machine that is up."""
    fleet = Fleet(host)
    fleet.add(0)
    host.cloud.until_networked(STEADY, 60)
    host.ssh(fleet.address(0), "true")
    return fleet


@pytest.fixture(autouse=True)
def untouched(host: Host, fleet: Fleet) -> Iterator[None]:
    """Every drill leaves the steady machine as it was: same process, same uptime, never seen in another state."""
    before, noticed = host.qemu(STEADY), len(host.cloud.history)
    yield
    assert host.qemu(STEADY) == before and len(before) == 1
    eventually(lambda: host.ssh(fleet.address(0), _WHO) == STEADY, PATIENCE, "metadata is back")
    seen = {report.state for _, report in host.cloud.history[noticed:] if report.id == STEADY}
    assert seen <= {"running"}


def test_the_agent_is_killed(host: Host, fleet: Fleet) -> None:
    host.kill_agent()
    assert host.ssh(fleet.address(0), "echo alive").strip() == "alive"
    noticed = len(host.cloud.history)
    begun = time.monotonic()
    host.start_agent()
    host.cloud.until(lambda: len(host.cloud.history) > noticed, PATIENCE, "the agent is back")
    host.cloud.until_networked(STEADY, PATIENCE)
    print(f"back after {time.monotonic() - begun:.2f} s")


def test_libvirtd_is_killed(host: Host, fleet: Fleet) -> None:
    host.kill_libvirtd()
    begun = time.monotonic()
    id = fleet.add(1)
    host.cloud.until_state(id, "running", PATIENCE)
    print(f"a machine was started {time.monotonic() - begun:.2f} s after the kill")
    fleet.remove(1)
    host.cloud.until_state(id, "absent", 30)


@pytest.mark.parametrize("victim", ["agent", "libvirtd", "both"])
def test_kills_while_machines_start_and_go(host: Host, fleet: Fleet, victim: str) -> None:
    ids = []
    for number, delay in ((1, 0.05), (2, 0.2), (3, 0.35)):
        ids.append(fleet.add(number))
        time.sleep(delay)
        _kill(host, victim)
    for id in ids:
        host.cloud.until_networked(id, 4 * PATIENCE)
    assert [len(host.qemu(id)) for id in ids] == [1, 1, 1]
    for number in (1, 2, 3):
        eventually(lambda: host.ssh(fleet.address(number), _WHO, limit=60) == fleet.id(number), PATIENCE, "metadata")  # noqa: B023
    for number in (1, 2, 3):
        fleet.remove(number)
        time.sleep(0.1)
        _kill(host, victim)
    for id in ids:
        host.cloud.until_applied("machine", id, 4 * PATIENCE)
    assert [host.qemu(id) for id in ids] == [[], [], []]
    assert [path.name for path in (host.home / "machines").iterdir()] == [STEADY]
    taps = [link for link in host.traces()["links"] if link.startswith(host.names.tap_prefix)]
    assert taps == []


@pytest.mark.parametrize("delay", [0.0, 0.01, 0.05])
def test_libvirtd_is_killed_between_two_steps_of_a_start(host: Host, fleet: Fleet, delay: float) -> None:
    """Libvirt 9 can keep the lock of such a machine for ever, though its process is gone."""
    written = host.runtime / "libvirt" / "qemu" / f"{host.names.domain(fleet.id(5))}.xml"
    id = fleet.add(5)
    deadline = time.monotonic() + under_load(PATIENCE)
    while not written.exists():
        assert time.monotonic() < deadline
    time.sleep(delay)
    host.kill_libvirtd()
    host.cloud.until_networked(id, 3 * PATIENCE)
    assert len(host.qemu(id)) == 1
    fleet.remove(5)
    host.cloud.until_applied("machine", id, 3 * PATIENCE)
    assert host.qemu(id) == []


def _kill(host: Host, victim: str) -> None:
    if victim in ("libvirtd", "both"):
        eventually(lambda: _try(host.kill_libvirtd), 5, "libvirtd is there to be killed")
    if victim in ("agent", "both"):
        host.kill_agent()
        host.start_agent()


def _told_of(host: Host, id: str, since: int) -> bool:
    return any(report.id == id and report.state == "running" for _, report in host.cloud.history[since:])


def _try(kill: Callable[[], None]) -> bool:
    try:
        kill()
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return False
    return True


def test_machines_go_on_without_the_control_plane(host: Host, fleet: Fleet) -> None:
    host.cloud.stop()
    host.kill_agent()
    host.start_agent()
    eventually(lambda: host.ssh(fleet.address(0), _WHO) == STEADY, PATIENCE, "metadata without the control plane")
    host.cloud.start()
    noticed = len(host.cloud.history)
    host.cloud.until(lambda: len(host.cloud.history) > noticed, PATIENCE, "the agent reports again")


def test_an_orphan_is_removed_only_when_the_control_plane_says_so(host: Host, fleet: Fleet) -> None:
    id = fleet.add(4)
    host.cloud.until_state(id, "running")
    host.cloud.forget("machine", id)
    host.kill_agent()
    host.start_agent()
    noticed = len(host.cloud.history)
    host.cloud.until(lambda: _told_of(host, id, noticed), PATIENCE, "the agent tells of the machine")
    assert len(host.qemu(id)) == 1
    host.cloud.orphans.add(id)
    eventually(lambda: host.qemu(id) == [], 45, "the orphan is gone")
    eventually(lambda: not (host.home / "machines" / id).exists(), 5, "its disk, too")
    host.cloud.orphans.clear()

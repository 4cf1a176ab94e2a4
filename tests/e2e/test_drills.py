"""Kill -9 of each process while instances start and stop.

In the end every acknowledged RunInstances has exactly one machine or is terminated with a reason, nothing is orphaned,
a machine that ran was never touched, and the cloud recovers by itself.
"""

from __future__ import annotations

import os
import signal
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from controlplane.supervise import leftovers
from tests.cloud import Cloud
from tests.machines import machines_of

pytestmark = pytest.mark.machines

RECOVERY_SECONDS = 10.0
SETTLE_SECONDS = 120.0
VICTIMS = ("gateway-1", "gateway-2", "worker", "beat", "valkey", "postgres", "agent", "libvirtd")


class Drilled:
    """A cloud that is maltreated, and what was acknowledged to its user."""

    def __init__(self, cloud: Cloud, image: str) -> None:
        self.cloud = cloud
        account = cloud.new_account()
        self.ec2: Any = boto3.client(
            "ec2",
            region_name="us-east-1",
            endpoint_url=account.endpoint,
            aws_access_key_id=account.access_key_id,
            aws_secret_access_key=account.secret_access_key,
            config=Config(retries={"max_attempts": 10, "mode": "standard"}, read_timeout=20),
        )
        self._image = image
        self.acknowledged: list[str] = []

    def launch(self, count: int) -> list[str]:
        """As an SDK does it: with a client token, tried again until it is acknowledged."""
        made = self.ec2.run_instances(
            ImageId=self._image,
            InstanceType="t3.nano",
            MinCount=count,
            MaxCount=count,
            ClientToken=str(uuid.uuid4()),
        )
        ids = [instance["InstanceId"] for instance in made["Instances"]]
        self.acknowledged += ids
        return ids

    def states(self) -> dict[str, str]:
        """State by id, of all instances that this account has."""
        pages = self.ec2.get_paginator("describe_instances").paginate()
        return {i["InstanceId"]: i["State"]["Name"] for p in pages for r in p["Reservations"] for i in r["Instances"]}

    def wait_for(self, ids: list[str], state: str) -> None:
        deadline = time.monotonic() + SETTLE_SECONDS
        while any((found := self.states()).get(id) != state for id in ids):
            assert time.monotonic() < deadline, f"not {state}: { ({id: found.get(id) for id in ids}) }"
            time.sleep(0.2)

    def pid(self, victim: str) -> int | None:
        """Process id of one of the cloud's processes, or of the libvirtd that its agent has started."""
        if victim != "libvirtd":
            pid: int | None = self.cloud.process(victim)["pid"]
            return pid
        file = Path("/run/celaje") / self.cloud.id() / "libvirt/libvirtd.pid"
        return int(file.read_text()) if file.exists() else None

    def kill(self, victim: str) -> float:
        """Kill it; answers the seconds until it is back and the API answers."""
        before = self.pid(victim)
        assert before is not None
        os.kill(before, signal.SIGKILL)
        began = time.monotonic()
        self.cloud.wait_until(lambda: self._is_back(victim, before), RECOVERY_SECONDS)
        self.states()
        return time.monotonic() - began

    def _is_back(self, victim: str, before: int) -> bool:
        return bool(self.cloud.status()["ready"]) and self.pid(victim) not in (None, before)


@pytest.fixture(scope="module")
def drilled() -> Iterator[Drilled]:
    if os.geteuid() != 0:
        pytest.skip("the hypervisor agent needs root")
    with tempfile.TemporaryDirectory(prefix="celaje-drill-") as folder:
        cloud = Cloud(Path(folder), agent=True)
        try:
            cloud.start()
            cloud.wait_until(lambda: cloud.status()["ready"], 30)
            yield Drilled(cloud, cloud.tiny_image())
        finally:
            cloud.stop()


@pytest.fixture(scope="module")
def bystander(drilled: Drilled) -> tuple[str, int, int | None]:
    """A machine that runs through all drills: its id, process and start time."""
    (id,) = drilled.launch(1)
    drilled.wait_for([id], "running")
    (pid,) = machines_of(drilled.cloud.id())[id]
    return id, pid, leftovers.started(pid)


@pytest.mark.parametrize("victim", VICTIMS)
def test_kill_while_instances_start_and_stop(
    drilled: Drilled, bystander: tuple[str, int, int | None], victim: str
) -> None:
    if drilled.pid(victim) is None:
        pytest.skip("this host's own libvirtd is in use; it is not ours to kill")
    ids = drilled.launch(2)
    back = drilled.kill(victim)
    drilled.wait_for(ids, "running")
    assert {id: len(machines_of(drilled.cloud.id()).get(id, [])) for id in ids} == dict.fromkeys(ids, 1)
    drilled.ec2.stop_instances(InstanceIds=ids[:1], Force=True)
    drilled.ec2.terminate_instances(InstanceIds=ids[1:])
    again = drilled.kill(victim)
    drilled.wait_for(ids[:1], "stopped")
    drilled.wait_for(ids[1:], "terminated")
    drilled.ec2.terminate_instances(InstanceIds=ids[:1])
    drilled.wait_for(ids[:1], "terminated")
    print(f"{victim}: back after {back:.2f} s and {again:.2f} s")
    _check(drilled, bystander)


def test_everything_is_restarted_while_an_instance_starts(
    drilled: Drilled, bystander: tuple[str, int, int | None]
) -> None:
    ids = drilled.launch(1)
    for process in drilled.cloud.processes():
        if process["pid"]:
            os.kill(process["pid"], signal.SIGKILL)
    drilled.cloud.wait_until(lambda: drilled.cloud.status()["ready"], RECOVERY_SECONDS)
    drilled.wait_for(ids, "running")
    drilled.ec2.terminate_instances(InstanceIds=ids)
    drilled.wait_for(ids, "terminated")
    _check(drilled, bystander)


def _check(drilled: Drilled, bystander: tuple[str, int, int | None]) -> None:
    """Every acknowledged instance is known; there is one machine for each that runs and none else."""
    id, pid, started = bystander
    states = drilled.states()
    assert set(states) == set(drilled.acknowledged)
    assert {key: len(pids) for key, pids in machines_of(drilled.cloud.id()).items()} == {id: 1}, states
    assert states[id] == "running"
    assert leftovers.started(pid) == started

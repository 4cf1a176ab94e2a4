"""RunInstances until the machine is on the network, against bare QEMU with the same image, accelerator and processor.

"On the network" is the DHCP acknowledgement in both: seen in a packet dump of bare QEMU, and as the passed status check
of the instance. The goal is 1.2 times bare QEMU plus one second. Both take turns; medians are compared.

Run as root: python -m tests.benchmarks.bench_launch
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from controlplane.settings import Settings
from controlplane.state.database import Database
from tests.cloud import Cloud

ROUNDS = 5
LIMIT_SECONDS = 120.0
MEMORY_MIB, VCPUS = 512, 2
FACTOR, SECONDS = 1.2, 1.0
_ACKNOWLEDGED = b"\x35\x01\x05"
"""DHCP option 53 (message type), one byte: ACK."""


def bare_seconds(image: Path, accelerator: str) -> float:
    """Seconds from the start of a QEMU process until its guest has an address."""
    manifest = json.loads((image / "manifest.json").read_text())
    with tempfile.TemporaryDirectory(prefix="celaje-bench-") as folder:
        disk, packets = Path(folder) / "disk.qcow2", Path(folder) / "packets"
        backing = ("-b", str(image / manifest["disk"]), "-F", "qcow2")
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *backing, str(disk)], check=True)
        cpu = ("-cpu", "host") if accelerator == "kvm" else ("-cpu", "EPYC")
        command = [
            *("qemu-system-x86_64", "-machine", "q35", "-accel", accelerator, *cpu),
            *("-smp", str(VCPUS), "-m", str(MEMORY_MIB), "-display", "none", "-vga", "none", "-nodefaults"),
            *("-kernel", str(image / manifest["kernel"]), "-initrd", str(image / manifest["initrd"])),
            *("-append", manifest["command_line"], "-serial", f"file:{folder}/console"),
            *("-drive", f"file={disk},if=virtio", "-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net"),
            *("-object", f"filter-dump,id=dump,netdev=net,file={packets}", "-device", "virtio-rng-pci"),
        ]
        began = time.monotonic()
        machine = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _wait(lambda: packets.exists() and _ACKNOWLEDGED in packets.read_bytes())
            return time.monotonic() - began
        finally:
            machine.kill()
            machine.wait()


def launch_seconds(cloud: Cloud, ec2: Any, ami: str) -> tuple[float, dict[str, float]]:
    """Seconds from the call of RunInstances until the instance passes its status check, and the time of the parts:
    those that a caller sees, and those that the host's agent reports."""
    began = time.monotonic()
    made = ec2.run_instances(ImageId=ami, InstanceType="t3.nano", MinCount=1, MaxCount=1)["Instances"][0]
    spans = {"RunInstances answers": time.monotonic() - began}
    id = made["InstanceId"]
    _wait(lambda: _status(ec2, id) is not None)
    spans["running"] = time.monotonic() - began
    _wait(lambda: _status(ec2, id) == "ok")
    total = time.monotonic() - began
    spans |= asyncio.run(_agents_spans(cloud, id))
    ec2.terminate_instances(InstanceIds=[id])
    ec2.get_waiter("instance_terminated").wait(InstanceIds=[id], WaiterConfig={"Delay": 1})
    return total, spans


async def _agents_spans(cloud: Cloud, id: str) -> dict[str, float]:
    database = await Database.open(Settings(home=cloud.home).database, generations=None, size=1)
    rows = await database.fetch("SELECT spans FROM ec2_instances WHERE id = $1", id)
    await database.close()
    return {f"agent: {name}": milliseconds / 1000 for name, milliseconds in rows[0]["spans"].items()}


def _status(ec2: Any, id: str) -> str | None:
    found = ec2.describe_instance_status(InstanceIds=[id])["InstanceStatuses"]
    return found[0]["InstanceStatus"]["Status"] if found else None


def _wait(condition: Any) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the machine did not come up")
        time.sleep(0.02)


def _accelerator(home: Path) -> str:
    chosen = json.loads((home / "agent" / "accelerator.json").read_text())
    return "kvm" if "kvm" in json.dumps(chosen.get("accelerator", chosen)) else "tcg"


def main() -> None:
    if os.geteuid() != 0:
        print("launch: needs root")
        return
    home = Path(tempfile.mkdtemp(prefix="celaje-bench-"))
    cloud = Cloud(home, agent=True)
    try:
        cloud.start()
        cloud.wait_until(lambda: cloud.process("agent")["state"] == "ready")
        ami = cloud.tiny_image()
        image = home / "bench-image"
        cloud.build_tiny(image)
        ec2 = cloud.new_account().client("ec2")
        launch_seconds(cloud, ec2, ami)
        accelerator = _accelerator(home)
        pairs = [(bare_seconds(image, accelerator), *launch_seconds(cloud, ec2, ami)) for _ in range(ROUNDS)]
    finally:
        cloud.stop()
        shutil.rmtree(home, ignore_errors=True)
    bare = statistics.median(pair[0] for pair in pairs)
    ours = statistics.median(pair[1] for pair in pairs)
    goal = FACTOR * bare + SECONDS
    print(f"launch ({accelerator}): bare QEMU {bare:.2f} s, RunInstances {ours:.2f} s, goal {goal:.2f} s")
    for name in pairs[0][2]:
        print(f"    {name}: {statistics.median(pair[2].get(name, 0) for pair in pairs):.3f} s")


if __name__ == "__main__":
    main()

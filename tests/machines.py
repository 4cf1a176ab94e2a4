"""Machines under test: launched through the API, reached by SSH as a user would."""

from __future__ import annotations

import contextlib
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cloud import Account

BOOT_SECONDS = 90.0
"""Under TCG, beside other machines that boot."""


@dataclass(frozen=True)
class Lab:
    """An account with a key pair and a security group that lets SSH and ping in."""

    ec2: Any
    ami: str
    key: Path
    group: str

    def launch(self, **parameters: Any) -> list[str]:
        """Launch instances; answers their ids at once."""
        given = {
            "ImageId": self.ami,
            "InstanceType": "t3.nano",
            "KeyName": "lab",
            "SecurityGroupIds": [self.group],
            "MinCount": 1,
            "MaxCount": 1,
            **parameters,
        }
        return [item["InstanceId"] for item in self.ec2.run_instances(**given)["Instances"]]

    def show(self, instance: str) -> dict[str, Any]:
        """One instance as DescribeInstances shows it."""
        found: dict[str, Any] = self.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
        return found

    def wait(self, instance: str, state: str, seconds: float = BOOT_SECONDS) -> dict[str, Any]:
        """Wait until an instance is in a state; answers it."""
        deadline = time.monotonic() + seconds
        while (shown := self.show(instance))["State"]["Name"] != state:
            assert time.monotonic() < deadline, f"{instance} is {shown['State']} {shown.get('StateReason')}"
            time.sleep(0.2)
        return shown

    def ssh(self, instance: str, command: str, seconds: float = BOOT_SECONDS, *, user: str = "ec2-user") -> str:
        """What a command prints on an instance, by its public address; waits until the machine takes logins."""
        address = self.wait(instance, "running", seconds)["PublicIpAddress"]
        return self.ssh_to(address, command, seconds, user=user)

    def ssh_to(self, address: str, command: str, seconds: float = BOOT_SECONDS, *, user: str = "ec2-user") -> str:
        """What a command prints on the machine at an address."""
        deadline = time.monotonic() + seconds
        while True:
            done = self.try_ssh(address, command, user=user)
            if done.returncode != 255:
                assert done.returncode == 0, done.stderr
                return done.stdout
            assert time.monotonic() < deadline, f"no SSH to {address}: {done.stderr}"
            time.sleep(0.2)

    def try_ssh(self, address: str, command: str, *, user: str = "ec2-user") -> subprocess.CompletedProcess[str]:
        """One attempt; exit code 255 when the machine does not answer."""
        options = {
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
            "LogLevel": "ERROR",
            "BatchMode": "yes",
            "ConnectTimeout": "3",
        }
        flags = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
        return subprocess.run(
            ["ssh", "-i", str(self.key), *flags, f"{user}@{address}", command],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


def make_lab(account: Account, ami: str, folder: Path) -> Lab:
    """Prepare an account for machines."""
    ec2 = account.client("ec2")
    key = folder / "lab.pem"
    key.write_text(ec2.create_key_pair(KeyName="lab", KeyType="ed25519")["KeyMaterial"])
    key.chmod(0o600)
    group = ec2.create_security_group(GroupName="lab", Description="SSH and ping")["GroupId"]
    everywhere = {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, **everywhere},
            {"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1, **everywhere},
        ],
    )
    return Lab(ec2, ami, key, group)


def machines_of(cloud: str) -> dict[str, list[int]]:
    """QEMU processes of a cloud's machines on this host, by instance. `cloud` is its short id."""
    found: dict[str, list[int]] = {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_bytes().decode(errors="replace")
            if "qemu-system" in command and (match := re.search(rf"guest=celaje-{cloud}-(i-[0-9a-f]+)", command)):
                found.setdefault(match[1], []).append(int(process.name))
    return found

"""The trunk, end to end: an unmodified aws cli launches an instance, libvirt boots it, and it answers on SSH."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cloud import Account
from tests.machines import Lab

AWS = f"{sys.prefix}/aws-cli/bin/aws"
"""In an environment of its own, made by deploy/make-venv: it insists on a botocore of its own."""

pytestmark = pytest.mark.machines


class Aws:
    """The aws command with an account's environment."""

    def __init__(self, account: Account) -> None:
        self._environment = {"PATH": os.environ["PATH"], "AWS_PAGER": "", **account.environment()}

    def __call__(self, *arguments: str) -> Any:
        done = subprocess.run(
            [AWS, *arguments, "--output", "json"],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None


def test_from_the_aws_cli_to_ssh_and_back(account: Account, tiny_image: str, tmp_path: Path) -> None:
    aws = Aws(account)
    key = tmp_path / "key.pem"
    key.touch(mode=0o600)
    key.write_text(aws("ec2", "create-key-pair", "--key-name", "mine", "--key-type", "ed25519")["KeyMaterial"])
    group = aws("ec2", "create-security-group", "--group-name", "ssh", "--description", "lets SSH in")["GroupId"]
    everybody = ("--protocol", "tcp", "--port", "22", "--cidr", "0.0.0.0/0")
    aws("ec2", "authorize-security-group-ingress", "--group-id", group, *everybody)
    launched = aws(
        *("ec2", "run-instances", "--image-id", tiny_image, "--instance-type", "t3.nano"),
        *("--key-name", "mine", "--security-group-ids", group),
    )
    instance = launched["Instances"][0]["InstanceId"]
    assert launched["Instances"][0]["State"]["Name"] == "pending"

    aws("ec2", "wait", "instance-running", "--instance-ids", instance)
    found = aws("ec2", "describe-instances", "--instance-ids", instance)["Reservations"][0]["Instances"][0]
    address = found["PublicIpAddress"]
    lab = Lab(account.client("ec2"), tiny_image, key, group)
    assert lab.ssh_to(address, "hostname").strip() == found["PrivateDnsName"].split(".")[0]

    aws("ec2", "terminate-instances", "--instance-ids", instance)
    aws("ec2", "wait", "instance-terminated", "--instance-ids", instance)
    assert not _has_domain(instance)


def _has_domain(instance: str) -> bool:
    """Whether a QEMU runs for the instance on this host."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_bytes()
            if b"qemu-system" in command and instance.encode() in command:
                return True
    return False

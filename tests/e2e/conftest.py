"""Machines for end-to-end tests."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys

import pytest

from controlplane.settings import child_environment
from tests.cloud import Cloud


@pytest.fixture(scope="session")
def hypervisor(cloud: Cloud) -> Cloud:
    """The cloud, once its hypervisor agent has joined."""
    if os.geteuid() != 0:
        pytest.skip("the hypervisor agent needs root")
    cloud.wait_until(lambda: cloud.process("agent")["state"] == "ready", 30)
    return cloud


@pytest.fixture(scope="session")
def tiny_image(hypervisor: Cloud) -> str:
    """The id of the tiny AMI, built once a run."""
    command = [sys.executable, "-m", "controlplane.cli", "image", "build", "tiny", "--missing"]
    with (hypervisor.home / "image.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        environment = child_environment(CELAJE_HOME=str(hypervisor.home))
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.split()[-1]

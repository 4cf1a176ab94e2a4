"""A whole cloud: each process is killed in turn, then the supervisor itself."""

from __future__ import annotations

import os
import signal
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from controlplane.supervise import leftovers
from tests.cloud import Cloud

RECOVERY_SECONDS = 10.0


@pytest.fixture(scope="module")
def own_cloud() -> Iterator[Cloud]:
    """A cloud that no other test uses, since this one breaks it."""
    with tempfile.TemporaryDirectory(prefix="celaje-own-") as folder:
        made = Cloud(Path(folder), agent=False)
        made.start()
        yield made
        made.stop()


def answers(cloud: Cloud) -> bool:
    """The gateway answers, and so does its database."""
    request = urllib.request.Request(f"{cloud.endpoint}/_celaje/health")
    try:
        urllib.request.urlopen(request, timeout=5)
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False
    return True


def ready(cloud: Cloud) -> bool:
    return bool(cloud.status()["ready"])


@pytest.mark.parametrize("name", ["postgres", "valkey", "gateway-1", "gateway-2", "worker", "beat"])
def test_a_killed_process_is_back(own_cloud: Cloud, name: str) -> None:
    before = own_cloud.process(name)["pid"]
    os.kill(before, signal.SIGKILL)
    began = time.monotonic()
    own_cloud.wait_until(lambda: own_cloud.process(name)["pid"] not in (None, before), RECOVERY_SECONDS)
    own_cloud.wait_until(lambda: ready(own_cloud) and answers(own_cloud), RECOVERY_SECONDS)
    print(f"{name}: {time.monotonic() - began:.2f} s")


def test_a_gateway_that_stands_still_is_replaced(own_cloud: Cloud) -> None:
    before = own_cloud.process("gateway-1")["pid"]
    os.kill(before, signal.SIGSTOP)
    own_cloud.wait_until(lambda: ready(own_cloud) and own_cloud.process("gateway-1")["pid"] != before, 40)
    assert leftovers.started(before) is None


def test_only_the_home_and_what_root_must_own_belongs_to_root(own_cloud: Cloud) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root: otherwise everything runs as one user")
    for process in own_cloud.processes():
        if process["pid"]:
            assert Path(f"/proc/{process['pid']}").stat().st_uid != 0, process["name"]
    for secret in (own_cloud.home / "secrets" / "root.key", own_cloud.home / "postgres" / "data"):
        assert secret.stat().st_uid != 0
        assert secret.stat().st_mode & 0o077 == 0


def test_a_killed_supervisor_leaves_a_cloud_that_serves_and_the_next_one_replaces_it(own_cloud: Cloud) -> None:
    old = {process["name"]: process["pid"] for process in own_cloud.processes() if process["pid"]}
    endpoint = own_cloud.endpoint
    supervisor = next(
        int(path.name)
        for path in Path("/proc").glob("[0-9]*")
        if (own_cloud.home / "supervisor.lock").exists() and _locks(path, own_cloud.home / "supervisor.lock")
    )
    os.kill(supervisor, signal.SIGKILL)
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(endpoint, timeout=5)
    own_cloud.start()
    new = {process["name"]: process["pid"] for process in own_cloud.processes() if process["pid"]}
    assert set(new) == set(old)
    assert not set(new.values()) & set(old.values())
    assert [leftovers.started(pid) for pid in old.values()] == [None] * len(old)
    assert answers(own_cloud)


def _locks(process: Path, lock: Path) -> bool:
    try:
        return any(link.resolve() == lock for link in (process / "fd").iterdir())
    except OSError:
        return False

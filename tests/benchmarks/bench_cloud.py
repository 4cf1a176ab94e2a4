"""How long a cloud takes to start on an installed machine, and how much memory it takes while nothing happens.

Run: python -m tests.benchmarks.bench_cloud
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from tests.cloud import Cloud

START_BUDGET = 10.0
MEMORY_BUDGET_MIB = 1024
_SETTLE_SECONDS = 5.0


def start_seconds(cloud: Cloud) -> float:
    """Seconds from nothing running until every process is ready."""
    began = time.monotonic()
    cloud.start(containers=True)
    cloud.wait_until(lambda: cloud.status()["ready"])
    return time.monotonic() - began


def memory_mib(cloud: Cloud) -> dict[str, float]:
    """Proportional set size of each process of a cloud, in MiB, by name; children count with their parents."""
    names = {process["pid"]: process["name"] for process in cloud.processes() if process["pid"]}
    found: dict[str, float] = {}
    for pid in _processes():
        owner = next((names[parent] for parent in _ancestors(pid) if parent in names), None)
        if owner is None and _mentions(pid, cloud.home):
            owner = "supervisor" if b"controlplane.supervise" in _command(pid) else "helpers of the agent"
        if owner is not None:
            found[owner] = found.get(owner, 0) + _pss_kib(pid) / 1024
    return found


def _processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").glob("[0-9]*") if int(path.name) != os.getpid()]


def _ancestors(pid: int) -> list[int]:
    """A process and those above it."""
    line = []
    while pid > 1:
        line.append(pid)
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            break
    return line


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _mentions(pid: int, home: Path) -> bool:
    """Whether a process belongs to this home: by its environment, or (libvirtd, dnsmasq) by the files it has open."""
    if pid == os.getpid():
        return False
    try:
        if f"CELAJE_HOME={home}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
            return True
        return any(str(home).encode() in bytes(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


def _pss_kib(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def main() -> None:
    """Print both, with their budgets."""
    with tempfile.TemporaryDirectory(prefix="celaje-bench-") as folder:
        cloud = Cloud(Path(folder), agent=True)
        try:
            first = start_seconds(cloud)
            cloud.stop()
            again = start_seconds(cloud)
            time.sleep(_SETTLE_SECONDS)
            memory = memory_mib(cloud)
        finally:
            cloud.stop()
    print(f"first start of a new home: {first:.1f} s")
    print(f"start on an installed machine: {again:.1f} s (budget {START_BUDGET:.0f} s)")
    print(f"idle cloud: {sum(memory.values()):.0f} MiB PSS (budget {MEMORY_BUDGET_MIB} MiB)")
    for name, mib in sorted(memory.items(), key=lambda item: -item[1]):
        print(f"    {name:22}{mib:7.1f} MiB")


if __name__ == "__main__":
    main()

"""An agent beside a libvirtd of the host's own, as systemd would have started it, with Debian's settings."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.contract.network import SecurityGroup
from tests.agents import documents
from tests.agents.lab import Host, eventually

pytestmark = [
    pytest.mark.machines,
    pytest.mark.skipif(os.geteuid() != 0, reason="machines need root"),
]

ID, VPC = "i-0ddddddddddddddd1", "vpc-0ddddddddddddddd1"
_FOLDERS = ("/run/libvirt", "/var/lib/libvirt", "/var/log/libvirt", "/var/cache/libvirt")
# The rest of the machine must not see this libvirtd: its sockets and files are in a mount namespace of the test's.
_ENTER = """
for place in "$@"; do mkdir -p "$place" && mount -t tmpfs -o mode=755 none "$place" || exit 1; done
# As udev would have it: libvirt tries QEMU out again and again where /dev/kvm is there but closed to QEMU's user.
if [ -e /dev/kvm ]; then
    mknod -m 660 /run/libvirt/kvm c 10 232 && chgrp kvm /run/libvirt/kvm && mount --bind /run/libvirt/kvm /dev/kvm
fi
virtlogd &
exec libvirtd
"""


@pytest.fixture
def place() -> Iterator[int]:
    """Process id of a libvirtd with Debian's configuration at libvirt's usual places, in a mount namespace."""
    command = ["unshare", "--mount", "--propagation", "slave", "sh", "-c", _ENTER, "sh", *_FOLDERS]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as daemon:
        try:
            socket = Path(f"/proc/{daemon.pid}/root/run/libvirt/libvirt-sock")
            eventually(socket.exists, 20, "libvirtd listens")
            yield daemon.pid
        finally:
            for pid in _inside(daemon.pid):
                os.kill(pid, signal.SIGTERM)


def _inside(pid: int) -> list[int]:
    """The daemons in the mount namespace of a process."""
    wanted = Path(f"/proc/{pid}/ns/mnt").readlink()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (folder / "ns/mnt").readlink() == wanted:
                found.append(int(folder.name))
    return found


@pytest.fixture
def host(place: int) -> Iterator[Host]:
    """An agent that lives where that libvirtd is. Its home can be entered by the user that libvirt gives to QEMU."""
    with tempfile.TemporaryDirectory(prefix="celaje-test-") as folder:
        Path(folder).chmod(0o755)
        host = Host(Path(folder), enter=("nsenter", f"--mount=/proc/{place}/ns/mnt", f"--wdns={Path.cwd()}"))
        try:
            host.start()
            yield host
        finally:
            host.close()


def test_the_hosts_libvirtd_is_used(host: Host) -> None:
    address = f"{host.public}.120"
    group = SecurityGroup(id="sg-1", ingress=documents.OPEN, egress=documents.ALL)
    port = documents.port("eni-1", "10.0.0.5", ("sg-1",), public_address=address, instance=ID)
    host.cloud.want(
        documents.vpc(VPC, "10.0.0.0/16", (group,), (port,)),
        documents.machine(ID, VPC, ("eni-1",), host.image, host.public_key),
    )
    host.cloud.until_state(ID, "running", 60)
    assert host.ssh(address, "hostname", limit=60).strip() == "ip-10-0-0-5"
    assert not (host.runtime / "libvirt").exists(), "no second libvirtd was started"
    (qemu,) = host.qemu(ID)
    assert Path(f"/proc/{qemu}").owner() == "libvirt-qemu"
    host.cloud.drop("machine", ID)
    host.cloud.drop("vpc", VPC)
    host.cloud.until_applied("vpc", VPC, 60)
    assert {kind: found for kind, found in host.traces().items() if found} == {}

"""One machine from its document to its removal: boot, login, metadata, life."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agents.contract.exchange import Credentials
from agents.contract.machine import Disk, Image
from agents.contract.network import SecurityGroup
from tests.agents import documents
from tests.agents.lab import Host, eventually

pytestmark = pytest.mark.machines

ID, PORT, VPC = "i-0aaaaaaaaaaaaaaa1", "eni-0aaaaaaaaaaaaaaa1", "vpc-0aaaaaaaaaaaaaaa1"
SCRIPT = "#!/bin/sh\necho from user data > /root/made\n"


@pytest.fixture(scope="module")
def address(host: Host) -> str:
    """The public address of a running machine with a role, user data, tags and a second disk."""
    public = f"{host.public}.100"
    group = SecurityGroup(id="sg-1", name="default", ingress=documents.OPEN, egress=documents.ALL)
    port = documents.port(PORT, "10.0.0.5", ("sg-1",), public_address=public, instance=ID)
    later = datetime.now(UTC) + timedelta(hours=1)
    host.cloud.credentials[ID] = Credentials(
        access_key_id="ASIAEXAMPLE", secret_access_key="secret", token="token",
        last_updated="2026-01-01T00:00:00Z", expiration=later.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )  # fmt: skip
    machine = documents.machine(
        ID, VPC, (PORT,), host.image, host.public_key,
        user_data=documents.encoded(SCRIPT), role="web", instance_profile_id="AIPAEXAMPLE",
        instance_profile_arn="arn:aws:iam::111122223333:instance-profile/web", tags=(("Name", "first"),),
        disks=(
            Disk(volume="vol-1", device="/dev/xvda", size_gib=1, root=True),
            Disk(volume="vol-2", device="/dev/sdf", size_gib=2),
        ),
    )  # fmt: skip
    host.cloud.want(documents.vpc(VPC, "10.0.0.0/16", (group,), (port,)), machine)
    report = host.cloud.until_networked(ID)
    assert {"volume", "network", "define", "start", "dhcp"} <= report.spans.keys()
    print({name: f"{value} ms" for name, value in report.spans.items()})
    return public


# Prints its text on the first serial port and stops: mov dx,0x3f8; mov si,text; lodsb; test al,al; jz; out dx,al; …
_LOADER = bytes.fromhex("baf803 be117c ac 84c0 7403 ee ebf8 f4 ebfd") + b"the disk boots itself\r\n\0"


@pytest.mark.parametrize(
    ("firmware", "says"), [("bios", b"the disk boots itself"), ("uefi", b"UEFI")], ids=["bios", "uefi"]
)
def test_a_disk_boots_by_its_own_loader(host: Host, tmp_path: Path, firmware: str, says: bytes) -> None:
    raw, disk = tmp_path / "raw", tmp_path / "disk.qcow2"
    raw.write_bytes(_LOADER.ljust(510, b"\0") + b"\x55\xaa" + bytes(1 << 20))
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, disk], check=True)
    id, vpc = f"i-{firmware}", f"vpc-{firmware}"
    image = Image(id="ami-1", disk=host.cloud.add_blob(disk), firmware=firmware)
    port = documents.port(f"eni-{firmware}", "10.0.0.9", (), instance=id)
    host.cloud.want(
        documents.vpc(vpc, "10.0.0.0/16", (), (port,)),
        documents.machine(id, vpc, (port.id,), image, host.public_key),
    )
    host.cloud.until_state(id, "running")
    eventually(lambda: says in host.cloud.consoles.get(id, b""), 30, "the loader speaks")
    host.cloud.drop("machine", id)
    host.cloud.drop("vpc", vpc)
    host.cloud.until_applied("vpc", vpc, 40)


def test_login_with_the_key(host: Host, address: str) -> None:
    assert host.ssh(address, "id -un").strip() == "ec2-user"
    assert host.ssh(address, "hostname").strip() == "ip-10-0-0-5"
    assert host.ssh(address, "sudo -n sh -c 'id -u; echo $1' sh given").split() == ["0", "given"]
    eventually(lambda: b"takes SSH logins" in host.cloud.consoles.get(ID, b""), 5, "the console is sent")


def test_user_data_ran_once_as_root(host: Host, address: str) -> None:
    eventually(lambda: "from user data" in host.ssh(address, "cat /root/made; true", "root"), 10, "user data")
    assert host.ssh(address, "metadata user-data") == SCRIPT


def test_disks_have_their_sizes(host: Host, address: str) -> None:
    sizes = host.ssh(address, "cat /sys/block/vda/size /sys/block/vdb/size; cat /sys/block/vdb/serial").split()
    assert sizes == [str(1 << 21), str(2 << 21), "vol2"]


def test_names_are_resolved(host: Host, address: str) -> None:
    assert "10.0.0.5" in host.ssh(address, "nslookup ip-10-0-0-5.ec2.internal 10.0.0.2")
    assert host.ssh(address, "cat /etc/resolv.conf").split()[-1] == "10.0.0.2"


def test_the_api_is_reached_from_inside(host: Host, address: str) -> None:
    port = host.cloud.endpoint.rpartition(":")[2]
    refusal = host.ssh(address, f"wget -q -S -O - http://bucket.s3.celaje.internal:{port}/no-such-thing 2>&1 || true")
    assert "404 Not Found" in refusal


def test_metadata_version_one(host: Host, address: str) -> None:
    def read(path: str) -> str:
        return host.ssh(address, f"wget -q -O - http://169.254.169.254/{path}")

    assert read("latest/meta-data/instance-id") == ID
    assert read("2021-03-23/meta-data/local-ipv4") == "10.0.0.5"
    assert read("latest/meta-data/public-ipv4") == address
    assert read("latest/meta-data/public-keys/") == "0=test"
    assert read("latest/meta-data/tags/instance/Name") == "first"
    assert read("latest/meta-data/security-groups") == "default"
    assert read("latest/meta-data/block-device-mapping/ebs1") == "sdf"
    assert read("latest/").split() == ["dynamic/", "meta-data/", "user-data"]
    mac = read("latest/meta-data/mac")
    interface = read(f"latest/meta-data/network/interfaces/macs/{mac}/").split()
    assert {"subnet-id", "vpc-id", "ipv4-associations/", "device-number"} <= set(interface)
    assert json.loads(read("latest/dynamic/instance-identity/document"))["instanceId"] == ID
    assert json.loads(read("latest/meta-data/iam/security-credentials/web"))["SecretAccessKey"] == "secret"
    assert json.loads(read("latest/meta-data/iam/info"))["InstanceProfileId"] == "AIPAEXAMPLE"


def _status(host: Host, address: str, method: str, path: str, *headers: str) -> int:
    lines = "".join(f"{header}\\r\\n" for header in headers)
    request = f"printf '{method} {path} HTTP/1.0\\r\\n{lines}\\r\\n' | nc -w 5 169.254.169.254 80"
    return int(host.ssh(address, request).split()[1])


def test_metadata_version_two(host: Host, address: str) -> None:
    token = "/latest/api/token"
    seconds = "X-aws-ec2-metadata-token-ttl-seconds"
    assert _status(host, address, "PUT", token, f"{seconds}: 60") == 200
    assert _status(host, address, "PUT", token) == 400
    assert _status(host, address, "PUT", token, f"{seconds}: 21601") == 400
    assert _status(host, address, "PUT", token, f"{seconds}: 60", "X-Forwarded-For: 1.2.3.4") == 403
    assert _status(host, address, "GET", "/latest/meta-data/", "X-aws-ec2-metadata-token: forged") == 401
    assert _status(host, address, "GET", "/latest/meta-data/no-such-thing") == 404
    assert _status(host, address, "DELETE", "/latest/meta-data/") == 405


def test_metadata_can_be_restricted_while_the_machine_runs(host: Host, address: str) -> None:
    machine = host.cloud.wanted("machine", ID)
    about = machine.metadata
    host.cloud.want(machine.model_copy(update={"metadata": about.model_copy(update={"tokens_required": True})}))
    host.cloud.until_applied("machine", ID)
    assert _status(host, address, "GET", "/latest/meta-data/instance-id") == 401
    assert host.ssh(address, "metadata meta-data/instance-id") == ID
    host.cloud.want(machine.model_copy(update={"metadata": about.model_copy(update={"endpoint_enabled": False})}))
    host.cloud.until_applied("machine", ID)
    assert _status(host, address, "GET", "/latest/meta-data/instance-id") == 403
    host.cloud.want(machine)
    host.cloud.until_applied("machine", ID)


def test_reboot_keeps_the_process_and_the_disk(host: Host, address: str) -> None:
    host.ssh(address, "echo kept > kept; sync")
    before = host.qemu(ID)
    machine = host.cloud.wanted("machine", ID)
    host.cloud.want(machine.model_copy(update={"boots": machine.boots + 1}))
    host.cloud.until(lambda: host.cloud.reports[ID].boots == machine.boots + 1, 30, "rebooted")
    assert host.ssh(address, "cat kept; cut -d. -f1 /proc/uptime").split()[0] == "kept"
    assert host.qemu(ID) == before


def test_stop_and_start_keep_the_disk(host: Host, address: str) -> None:
    machine = host.cloud.wanted("machine", ID)
    host.ssh(address, "echo kept > /home/ec2-user/kept; sync")
    host.cloud.want(machine.model_copy(update={"run": False}))
    host.cloud.until_state(ID, "stopped")
    assert host.qemu(ID) == [] and host.traces()["links"] == [host.names.uplink(VPC)]
    larger = tuple(disk.model_copy(update={"size_gib": 3}) for disk in machine.disks)
    host.cloud.want(machine.model_copy(update={"run": True, "disks": larger}))
    host.cloud.until_state(ID, "running")
    assert host.ssh(address, "cat kept").strip() == "kept"
    assert host.ssh(address, "cat /sys/block/vda/size /sys/block/vdb/size").split() == [str(3 << 21)] * 2


def test_a_guest_that_switches_itself_off_is_stopped(host: Host, address: str) -> None:
    machine = host.cloud.wanted("machine", ID)
    host.ssh(address, "(sleep 1; poweroff) > /dev/null 2>&1 &", "root")
    report = host.cloud.until_state(ID, "stopped")
    assert report.reason is not None and report.reason.startswith("Client.InstanceInitiatedShutdown")
    host.cloud.want(machine.model_copy(update={"boots": machine.boots + 1}))
    host.cloud.until_state(ID, "running")


def test_a_machine_whose_process_dies_is_stopped_for_a_reason(host: Host, address: str) -> None:
    for pid in host.qemu(ID):
        os.kill(pid, signal.SIGKILL)
    report = host.cloud.until_state(ID, "stopped")
    assert report.reason is not None and report.reason.startswith("Server.InternalError")


def test_termination_leaves_nothing(host: Host, address: str) -> None:
    machine = host.cloud.wanted("machine", ID)
    host.cloud.want(machine.model_copy(update={"boots": machine.boots + 1}))
    host.cloud.until_state(ID, "running")
    host.cloud.drop("machine", ID)
    host.cloud.drop("vpc", VPC)
    host.cloud.until_state(ID, "absent")
    host.cloud.until_applied("machine", ID)
    host.cloud.until_applied("vpc", VPC)
    assert {kind: found for kind, found in host.traces().items() if found} == {}

"""The Debian image: cloud-init finds the metadata service and does what it is told there."""

from __future__ import annotations

import pytest

from agents.contract.machine import Disk
from agents.contract.network import SecurityGroup
from tests.agents import documents
from tests.agents.lab import Host, built_image

pytestmark = pytest.mark.machines

ID, VPC = "i-0fffffffffffffff1", "vpc-0fffffffffffffff1"
SCRIPT = "#!/bin/sh\ncloud-id > /root/made\n"


def test_debian_boots_with_cloud_init(host: Host) -> None:
    address = f"{host.public}.130"
    group = SecurityGroup(id="sg-1", ingress=documents.OPEN, egress=documents.ALL)
    port = documents.port("eni-1", "10.0.0.5", ("sg-1",), public_address=address, instance=ID)
    host.cloud.want(
        documents.vpc(VPC, "10.0.0.0/16", (group,), (port,)),
        documents.machine(
            ID, VPC, ("eni-1",), documents.image(host.cloud, built_image("debian")), host.public_key,
            memory_mib=1024, user_data=documents.encoded(SCRIPT), tokens_required=True,
            disks=(Disk(volume="vol-1", device="/dev/xvda", size_gib=4, root=True),),
        ),
    )  # fmt: skip
    host.cloud.until_networked(ID, 60)
    assert host.ssh(address, "hostname", "debian", limit=90).strip() == "ip-10-0-0-5"
    assert "status: done" in host.ssh(address, "cloud-init status --wait", "debian", limit=90)
    assert host.ssh(address, "sudo cat /root/made", "debian").strip() == "aws"
    assert int(host.ssh(address, "df --output=size -BM / | tail -1 | tr -d M", "debian")) > 3500
    assert host.ssh(address, "systemctl --failed --plain --no-legend", "debian").strip() == ""

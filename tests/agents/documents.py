"""Documents as a control plane would write them."""

from __future__ import annotations

import base64
import json
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from agents.contract.machine import Disk, Image, Machine, Metadata
from agents.contract.network import Port, Route, RouteTable, Rule, SecurityGroup, Subnet, Vpc
from tests.agents.cloud import Cloud

ANYONE = "0.0.0.0/0"
OPEN = (Rule(protocol="tcp", from_port=22, to_port=22, cidr=ANYONE),)
ALL = (Rule(protocol="-1", cidr=ANYONE),)


def image(cloud: Cloud, folder: Path) -> Image:
    """A built image, its files offered by the cloud."""
    manifest = json.loads((folder / "manifest.json").read_text())

    def blob(name: str) -> str | None:
        return cloud.add_blob(folder / manifest[name]) if manifest[name] else None

    return Image(
        id="ami-0123456789abcdef0",
        disk=blob("disk") or "",
        kernel=blob("kernel"),
        initrd=blob("initrd"),
        command_line=manifest["command_line"],
    )


def port(id: str, address: str, groups: tuple[str, ...], **more: Any) -> Port:
    """A port of the first subnet."""
    octets = [int(octet) for octet in address.split(".")]
    mac = "02:aa:" + ":".join(f"{octet:02x}" for octet in octets)
    hostname = "ip-" + address.replace(".", "-")
    return Port(
        **{"id": id, "subnet": "", "mac": mac, "address": address, "groups": groups, "hostname": hostname} | more
    )


def vpc(id: str, cidr: str, groups: tuple[SecurityGroup, ...], ports: tuple[Port, ...], internet: bool = True) -> Vpc:
    """A VPC with one subnet that takes half of it. Group members are filled in."""
    half = next(IPv4Network(cidr).subnets(1))
    subnet = Subnet(
        id=f"subnet-{id}", cidr=str(half), gateway=str(half[1]), vni=100, mac="02:bb:" + ":".join(["00"] * 3) + ":01"
    )
    ports = tuple(each.model_copy(update={"subnet": subnet.id}) for each in ports)
    members = {group.id: tuple(each.address for each in ports if group.id in each.groups) for group in groups}
    routes = [Route(cidr=cidr, target="local")] + ([Route(cidr=ANYONE, target="internet")] if internet else [])
    return Vpc(
        id=id,
        cidrs=(cidr,),
        dns_domain="ec2.internal",
        subnets=(subnet,),
        route_tables=(RouteTable(id=f"rtb-{id}", subnets=(subnet.id,), routes=tuple(routes)),),
        groups=tuple(group.model_copy(update={"members": members[group.id]}) for group in groups),
        ports=ports,
    )


def machine(id: str, vpc_id: str, ports: tuple[str, ...], of: Image, key: str, **more: Any) -> Machine:
    """A small machine with a root disk; `metadata` members are given among the others by name."""
    about = {
        "account": "111122223333", "region": "us-east-1", "zone": "us-east-1a", "instance_type": "t3.nano",
        "ami_id": of.id, "reservation": "r-0123456789abcdef0", "public_keys": (("test", key),),
    }  # fmt: skip
    about |= {name: more.pop(name) for name in list(more) if name in Metadata.model_fields}
    disks = (Disk(volume=f"vol-{id}", device="/dev/xvda", size_gib=1, root=True),)
    given = {"vcpus": 1, "memory_mib": 128, "disks": disks} | more
    return Machine(id=id, vpc=vpc_id, ports=ports, image=of, metadata=Metadata(**about), **given)


def encoded(script: str) -> str:
    """User data as the contract carries it."""
    return base64.b64encode(script.encode()).decode()

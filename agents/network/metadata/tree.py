"""What a machine can read of itself: the tree below /latest, after the EC2 User Guide's categories."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Union

from agents.contract.machine import Machine
from agents.contract.network import Port, Vpc

Node = Union[str, "Folder"]


class Folder(dict[str, Node]):
    """A folder of the tree; `label` is what its parent lists it as, when that is not its name."""

    label: str | None = None


@dataclass(frozen=True)
class Identity:
    """Who asks: a machine, the port that it asks through, and their VPC."""

    machine: Machine
    port: Port
    vpc: Vpc


def metadata(identity: Identity) -> Folder:
    """The tree below `meta-data`, without the credentials, which have to be asked for."""
    machine, port = identity.machine, identity.port
    about = machine.metadata
    hostname = f"{port.hostname.split('.')[0]}.{identity.vpc.dns_domain}"
    tree = Folder(
        {
            "ami-id": about.ami_id,
            "ami-launch-index": str(about.launch_index),
            "ami-manifest-path": "(unknown)",
            "block-device-mapping": _block_devices(machine),
            "events": Folder({"maintenance": Folder({"history": "[]", "scheduled": "[]"})}),
            "hostname": hostname,
            "instance-action": "none",
            "instance-id": machine.id,
            "instance-life-cycle": "on-demand",
            "instance-type": about.instance_type,
            "local-hostname": hostname,
            "local-ipv4": port.address,
            "mac": port.mac,
            "network": Folder({"interfaces": Folder({"macs": _interfaces(identity)})}),
            "placement": Folder({"availability-zone": about.zone, "region": about.region}),
            "profile": "default-hvm",
            "reservation-id": about.reservation,
            "security-groups": "\n".join(_group_names(port, identity.vpc)),
            "services": Folder({"domain": "amazonaws.com", "partition": "aws"}),
        }
    )
    placement = tree["placement"]
    if about.zone_id and isinstance(placement, Folder):
        placement["availability-zone-id"] = about.zone_id
    if port.public_address:
        tree["public-ipv4"] = port.public_address
    if about.public_keys:
        tree["public-keys"] = _keys(about.public_keys)
    if about.tags is not None:
        tree["tags"] = Folder({"instance": Folder(dict(about.tags))})
    return tree


def identity_document(identity: Identity) -> str:
    """The instance identity document, a JSON text."""
    about = identity.machine.metadata
    document = {
        "accountId": about.account,
        "architecture": "x86_64",
        "availabilityZone": about.zone,
        "billingProducts": None,
        "devpayProductCodes": None,
        "marketplaceProductCodes": None,
        "imageId": about.ami_id,
        "instanceId": identity.machine.id,
        "instanceType": about.instance_type,
        "kernelId": None,
        "pendingTime": about.launch_time,
        "privateIp": identity.port.address,
        "ramdiskId": None,
        "region": about.region,
        "version": "2017-09-30",
    }
    return json.dumps(document, indent=2)


def find(tree: Folder, path: list[str]) -> str | None:
    """What stands at a path: an item's value or a folder's listing. A final empty part asks for a folder."""
    node: Node = tree
    for part in path:
        if part == "" and isinstance(node, Folder):
            continue
        if not isinstance(node, Folder) or part not in node:
            return None
        node = node[part]
    return _listing(node) if isinstance(node, Folder) else node


def _listing(folder: Folder) -> str:
    return "\n".join(
        (entry.label or f"{name}/") if isinstance(entry, Folder) else name for name, entry in sorted(folder.items())
    )


def _block_devices(machine: Machine) -> Folder:
    folder = Folder()
    others = 0
    for disk in machine.disks:
        if disk.root:
            folder["ami"] = folder["root"] = disk.device
        else:
            others += 1
            folder[f"ebs{others}"] = disk.device.removeprefix("/dev/")
    return folder


def _keys(keys: tuple[tuple[str, str], ...]) -> Folder:
    folder = Folder()
    for index, (name, key) in enumerate(keys):
        entry = Folder({"openssh-key": key})
        entry.label = f"{index}={name}"
        folder[str(index)] = entry
    return folder


def _interfaces(identity: Identity) -> Folder:
    ports = {port.id: port for port in identity.vpc.ports}
    attached = [ports[id] for id in identity.machine.ports if id in ports]
    return Folder({f"{port.mac}": _interface(identity, port, number) for number, port in enumerate(attached)})


def _interface(identity: Identity, port: Port, number: int) -> Folder:
    vpc = identity.vpc
    subnet = next(subnet for subnet in vpc.subnets if subnet.id == port.subnet)
    folder = Folder(
        {
            "device-number": str(number),
            "interface-id": port.id,
            "local-hostname": f"{port.hostname.split('.')[0]}.{vpc.dns_domain}",
            "local-ipv4s": port.address,
            "mac": port.mac,
            "owner-id": identity.machine.metadata.account,
            "security-group-ids": "\n".join(port.groups),
            "security-groups": "\n".join(_group_names(port, vpc)),
            "subnet-id": subnet.id,
            "subnet-ipv4-cidr-block": subnet.cidr,
            "vpc-id": vpc.id,
            "vpc-ipv4-cidr-block": vpc.cidrs[0],
            "vpc-ipv4-cidr-blocks": "\n".join(vpc.cidrs),
        }
    )
    if port.public_address:
        folder["ipv4-associations"] = Folder({port.public_address: port.address})
        folder["public-ipv4s"] = port.public_address
    return folder


def _group_names(port: Port, vpc: Vpc) -> list[str]:
    names = {group.id: group.name for group in vpc.groups}
    return [names.get(id) or id for id in port.groups]

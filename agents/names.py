"""Names of everything that an agent makes on its host. All carry the cloud's id, so that two clouds never collide."""

from __future__ import annotations

import hashlib
import re

_CLOUD = re.compile(r"[a-z0-9]{1,16}")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_id(value: str) -> str:
    """The given id, once it is known to be fit for a file name or a name on the host. Raises ValueError."""
    if not _ID.fullmatch(value) or ".." in value:
        raise ValueError(f"unfit as an id: {value!r}")
    return value


class Names:
    """Names on one host for one cloud. Interface names have at most 15 characters, hence the digests."""

    def __init__(self, cloud: str) -> None:
        if not _CLOUD.fullmatch(cloud):
            raise ValueError(f"unfit as a cloud's id: {cloud!r}")
        self.cloud = cloud
        self._short = _digest(cloud, 5)

    @property
    def domain_prefix(self) -> str:
        """What the libvirt names of this cloud's machines begin with."""
        return f"celaje-{self.cloud}-"

    @property
    def namespace_prefix(self) -> str:
        """What the names of this cloud's network namespaces begin with."""
        return f"celaje-{self.cloud}-"

    @property
    def tap_prefix(self) -> str:
        """What the names of this cloud's taps begin with, in any namespace."""
        return f"ct{self._short}"

    @property
    def uplink_prefix(self) -> str:
        """What the names of the host's ends of the VPCs' uplinks begin with."""
        return f"cv{self._short}"

    @property
    def overlay_prefix(self) -> str:
        """What the names of this cloud's VXLAN devices begin with."""
        return f"co{self._short}"

    @property
    def overlay_port(self) -> int:
        """UDP port of this cloud's VXLAN, the same on all its hosts; below the range that Linux gives away."""
        return 24000 + int(_digest(self.cloud, 8), 16) % 8000

    @property
    def host_table(self) -> str:
        """The nftables table in the host's own namespace."""
        return f"celaje_{self.cloud}"

    def domain(self, machine: str) -> str:
        """Libvirt name of a machine."""
        return self.domain_prefix + check_id(machine)

    def container(self, id: str) -> str:
        """Docker's name of a container."""
        return self.domain_prefix + check_id(id)

    @property
    def image_repository(self) -> str:
        """Docker's name of the repository with the images that this cloud has imported."""
        return f"celaje-{self.cloud}"

    def namespace(self, vpc: str) -> str:
        """Network namespace of a VPC."""
        return self.namespace_prefix + check_id(vpc)

    def tap(self, port: str) -> str:
        """Tap of a port."""
        return self.tap_prefix + _digest(port, 8)

    def overlay(self, subnet: str) -> str:
        """VXLAN device of a subnet."""
        return self.overlay_prefix + _digest(subnet, 8)

    def uplink(self, vpc: str) -> str:
        """The host's end of a VPC's uplink."""
        return self.uplink_prefix + _digest(vpc, 8)


def bridge(subnet: str) -> str:
    """Bridge of a subnet, inside its VPC's namespace."""
    return "br" + _digest(subnet, 8)


def group_set(group: str) -> str:
    """The nftables set with the members of a security group."""
    return "g" + _digest(group, 12)


def link_address(*seed: str) -> str:
    """A locally administered MAC address that is always the same for the same seed."""
    digest = hashlib.sha256("/".join(seed).encode()).digest()
    return ":".join(f"{octet:02x}" for octet in (0x02, 0xCE, *digest[:4]))


def _digest(text: str, length: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]

"""A virtual machine as its host must have it, and as the host sees it."""

from __future__ import annotations

from typing import Literal

from agents.contract.base import Document


class Image(Document):
    """An AMI. The files are fetched from the control plane by their blob ids and kept on the host by digest.

    With `kernel` the machine boots it directly; without, the disk boots by its own loader (`firmware`).
    """

    id: str
    disk: str
    """Blob id (sha256) of a qcow2."""
    kernel: str | None = None
    initrd: str | None = None
    command_line: str = ""
    firmware: Literal["bios", "uefi"] = "bios"


class Disk(Document):
    """One attached disk. The root disk is an overlay over the image; the others start empty. Sizes in GiB."""

    volume: str
    device: str
    size_gib: int
    root: bool = False


class Metadata(Document):
    """What the metadata service tells the machine of itself, beyond what its other members say."""

    account: str
    region: str
    zone: str
    zone_id: str | None = None
    launch_time: str | None = None
    """ISO 8601, UTC."""
    instance_type: str
    ami_id: str
    launch_index: int = 0
    reservation: str
    public_keys: tuple[tuple[str, str], ...] = ()
    """(name, OpenSSH public key) pairs."""
    user_data: str | None = None
    """Base64."""
    role: str | None = None
    """Role name of the instance profile; credentials are asked of the control plane when the guest asks for them."""
    instance_profile_arn: str | None = None
    instance_profile_id: str | None = None
    tokens_required: bool = False
    hop_limit: int = 1
    endpoint_enabled: bool = True
    tags: tuple[tuple[str, str], ...] | None = None
    """None when tags are not exposed."""


class Machine(Document):
    """The desired state of one instance on its host.

    `run` says whether it must run. `boots` counts the control plane's orders to boot: a higher number than the one
    last applied means "reboot once", or "start" when the guest had switched itself off. Such a machine is reported as
    stopped and stays off, though `run` still says true, until `boots` rises or `run` has been false; so StartInstances
    must raise `boots` too, or the host could miss that `run` was false for a moment.
    """

    kind: Literal["machine"] = "machine"
    id: str
    vpc: str
    ports: tuple[str, ...]
    vcpus: int
    memory_mib: int
    image: Image
    disks: tuple[Disk, ...]
    metadata: Metadata
    run: bool = True
    boots: int = 0


class MachineReport(Document):
    """What a host sees of one machine.

    `stopped` has a reason when nobody ordered it: `Client.InstanceInitiatedShutdown: …` when the guest switched itself
    off, `Server.InternalError: …` when its process died. `failed` means that the document could not be applied, for the
    reason given; the host goes on trying.
    """

    kind: Literal["machine"] = "machine"
    id: str
    state: Literal["starting", "running", "stopped", "absent", "failed"]
    reason: str | None = None
    boots: int = 0
    networked: bool = False
    """True once the guest has taken its address by DHCP or asked the metadata service."""
    spans: dict[str, float] = {}
    """Milliseconds that the steps of the last start took, by name."""

"""A container as its host must have it, and as the host sees it."""

from __future__ import annotations

from typing import Literal

from agents.contract.base import Document


class ContainerImage(Document):
    """What a container is made of.

    With `archive`, the blob id (sha256) of a tar of a root file system, the host imports that. Without, `reference` is
    the name of an image that the host's Docker has, or that it can pull.
    """

    reference: str
    archive: str | None = None


class Container(Document):
    """The desired state of one container on its host.

    It is started once. When its command ends, it stays as it is and is reported as exited: whoever wants another run
    asks for another container. So under one id only `run` may change; false stops it for good. Its network has no
    interface but loopback.
    """

    kind: Literal["container"] = "container"
    id: str
    image: ContainerImage
    command: tuple[str, ...] = ()
    """Empty: the image's own."""
    environment: tuple[tuple[str, str], ...] = ()
    vcpus: float | None = None
    """Share of processors that it may use; None: all of them."""
    memory_mib: int | None = None
    """Beyond this it is killed; None: no limit."""
    stop_seconds: int = 30
    """What it has to end by itself, between SIGTERM and SIGKILL."""
    run: bool = True


class ContainerReport(Document):
    """What a host sees of one container.

    `exited` comes with the exit code. `failed` means that the document could not be applied, for the reason given; the
    host goes on trying.
    """

    kind: Literal["container"] = "container"
    id: str
    state: Literal["starting", "running", "exited", "absent", "failed"]
    reason: str | None = None
    exit_code: int | None = None
    spans: dict[str, float] = {}
    """Milliseconds that the steps of its start took, by name."""

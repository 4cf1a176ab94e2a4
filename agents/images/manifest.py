"""What a built image consists of and how to boot it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Manifest:
    """Describes an image beside its files; file members are names in the same folder. Sizes in MiB and GiB."""

    name: str
    description: str
    architecture: str
    disk: str
    kernel: str | None
    initrd: str | None
    command_line: str
    root_device: str
    login_user: str
    min_disk_gib: int
    min_memory_mib: int

    def write(self, folder: Path) -> None:
        """Write `manifest.json`, last of all files, so that its presence says the image is whole."""
        (folder / "manifest.json").write_text(json.dumps(asdict(self), indent=2) + "\n")

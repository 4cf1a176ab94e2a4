"""Disks of the machines: qcow2 overlays over images, and empty ones."""

from __future__ import annotations

import asyncio
import os
import shutil
import struct
from pathlib import Path

from agents.contract.machine import Disk, Machine
from agents.names import check_id
from agents.runtime.files import sync_folder
from agents.runtime.process import run
from agents.volumes.blobs import Blobs


class Disks:
    """Keeps `<folder>/<machine>/<volume>.qcow2`."""

    def __init__(self, folder: Path, blobs: Blobs) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._root = folder
        self._blobs = blobs

    def folder(self, machine: str) -> Path:
        """The folder of a machine's files."""
        return self._root / check_id(machine)

    def console(self, machine: str) -> Path:
        """The file that a machine's serial console is written to."""
        return self.folder(machine) / "console.log"

    def path(self, machine: str, disk: Disk) -> Path:
        """The file of a disk."""
        return self.folder(machine) / f"{check_id(disk.volume)}.qcow2"

    def machines(self) -> set[str]:
        """Machines that have files on this host."""
        return {path.name for path in self._root.iterdir() if path.is_dir()}

    async def prepare(self, machine: Machine) -> None:
        """Make the disks that are missing, enlarge those that are too small, remove those that are no longer wanted.

        The machine must be off.
        """
        folder = self.folder(machine.id)
        folder.mkdir(exist_ok=True)
        self.console(machine.id).touch(mode=0o600)
        wanted = {self.path(machine.id, disk) for disk in machine.disks}
        for path in folder.glob("*.qcow2"):
            if path not in wanted:
                path.unlink()
        await asyncio.gather(*(self._ensure(machine, disk) for disk in machine.disks))

    def remove(self, machine: str) -> None:
        """Remove all files of a machine."""
        shutil.rmtree(self.folder(machine), ignore_errors=True)
        sync_folder(self._root)

    async def _ensure(self, machine: Machine, disk: Disk) -> None:
        path = self.path(machine.id, disk)
        size = disk.size_gib << 30
        if path.exists():
            if virtual_size(path) < size:
                await run(["qemu-img", "resize", "-q", "-f", "qcow2", str(path), str(size)])
            return
        # Made under another name: a half-made disk must never be taken for a whole one after a crash.
        aside = path.with_suffix(".new")
        aside.unlink(missing_ok=True)
        command = ["qemu-img", "create", "-q", "-f", "qcow2"]
        if disk.root:
            base = await self._blobs.path(machine.image.disk)
            size = max(size, virtual_size(base))
            # Relative, because libvirtd can see the home at another place.
            command += ["-F", "qcow2", "-b", os.path.relpath(base, path.parent)]
        await run([*command, str(aside), str(size)])
        # Libvirt gives it to QEMU's user at the start; nobody else may read a machine's data.
        aside.chmod(0o600)
        aside.replace(path)


def virtual_size(image: Path) -> int:
    """Size in bytes that a qcow2 shows to its machine (docs/interop/qcow2.txt of QEMU). Raises ValueError."""
    with image.open("rb") as file:
        header = file.read(32)
    if header[:4] != b"QFI\xfb":
        raise ValueError(f"not a qcow2: {image.name}")
    return int(struct.unpack(">Q", header[24:32])[0])

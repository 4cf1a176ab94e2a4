"""The tiny image: Debian's cloud kernel, busybox and dropbear on an ext4 root disk; seconds to SSH even without KVM."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from agents.images import initramfs
from agents.images.disk import build_disk
from agents.images.manifest import Manifest
from agents.images.packages import kernel_package, shared_libraries, unpack

_PACKAGES = (
    "busybox-static", "dropbear-bin", "libtomcrypt1", "libtommath1", "zlib1g", "libcrypt1", "libgmp10", "libc6",
    "e2fsprogs", "libext2fs2", "libcom-err2", "libuuid1", "libblkid1",
)  # fmt: skip
_MODULES = ("virtio_pci", "virtio_blk", "virtio_net", "virtio-rng", "evdev", "button")
_PROGRAMS = ("usr/sbin/dropbear", "usr/bin/dropbearkey", "sbin/resize2fs")
_FOLDERS = (
    "bin", "sbin", "usr/bin", "usr/sbin", "lib64", "lib/x86_64-linux-gnu", "proc", "sys", "dev", "run", "tmp",
    "etc/dropbear", "etc/acpi/PWRF", "root", "home/ec2-user", "var/lib/cloud", "var/log",
)  # fmt: skip
_FILES = Path(__file__).parent / "files" / "tiny"
_INSTALLED = {
    "boot": "etc/boot",
    "metadata": "usr/bin/metadata",
    "sudo": "usr/bin/sudo",
    "configure": "etc/configure",
    "udhcpc": "etc/udhcpc",
    "logins": "etc/logins",
    "grow": "etc/grow",
    "power-button": "etc/acpi/PWRF/00000080",
    "inittab": "etc/inittab",
    "passwd": "etc/passwd",
    "group": "etc/group",
    "shells": "etc/shells",
    "profile": "etc/profile",
}
_EXECUTABLE = {"sudo", "boot", "metadata", "configure", "udhcpc", "logins", "grow", "power-button"}


def build(work: Path, output: Path, say: Callable[[str], None]) -> None:
    """Build the image into `output`, with `work` as scratch space."""
    unpacked = work / "packages"
    say("download packages")
    unpack([kernel_package(), *_PACKAGES], work / "downloads", unpacked)
    say("kernel and initial RAM disk")
    shutil.copyfile(next((unpacked / "boot").glob("vmlinuz-*")), output / "kernel")
    (output / "initrd").write_bytes(_initial_ram_disk(unpacked))
    say("root disk")
    root = work / "root"
    _install_root(unpacked, root)
    build_disk(root, output / "disk.qcow2", size_mib=512)
    Manifest(
        name="celaje-tiny",
        description="Busybox and dropbear on Debian's cloud kernel",
        architecture="x86_64",
        disk="disk.qcow2",
        kernel="kernel",
        initrd="initrd",
        command_line="console=ttyS0 root=/dev/vda quiet loglevel=4 tsc=reliable cryptomgr.notests",
        root_device="/dev/vda",
        login_user="ec2-user",
        min_disk_gib=1,
        min_memory_mib=96,
    ).write(output)


def _initial_ram_disk(unpacked: Path) -> bytes:
    archive = initramfs.Archive()
    for folder in ("bin", "dev", "proc", "sys", "new"):
        archive.folder(folder)
    archive.device("dev/console", 5, 1)
    archive.file("bin/busybox", (unpacked / "bin/busybox").read_bytes(), 0o755)
    initramfs.add_modules(archive, unpacked, _MODULES)
    archive.file("drivers", " ".join(_MODULES).encode() + b"\n")
    archive.file("init", (_FILES / "init").read_bytes(), 0o755)
    return archive.compressed()


def _install_root(unpacked: Path, root: Path) -> None:
    for folder in _FOLDERS:
        (root / folder).mkdir(parents=True, exist_ok=True)
    shutil.copy2(unpacked / "bin/busybox", root / "bin/busybox")
    # For su and ping; busybox gives the privilege up for every other applet.
    (root / "bin/busybox").chmod(0o4755)
    for program in _PROGRAMS:
        shutil.copy2(unpacked / program, root / program)
        for library in shared_libraries(unpacked, unpacked / program):
            shutil.copy2(library, root / "lib/x86_64-linux-gnu" / library.name)
    shutil.copy2(unpacked / "lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", root / "lib64/ld-linux-x86-64.so.2")
    for name, target in _INSTALLED.items():
        shutil.copyfile(_FILES / name, root / target)
        (root / target).chmod(0o755 if name in _EXECUTABLE else 0o644)
    (root / "sbin/init").symlink_to("/bin/busybox")
    for applet in _applets(root / "bin/busybox"):
        (root / "bin" / applet).symlink_to("busybox")
    (root / "etc/resolv.conf").symlink_to("/run/resolv.conf")
    (root / "root").chmod(0o700)
    (root / "tmp").chmod(0o1777)
    shutil.chown(root / "home/ec2-user", 1000, 1000)


def _applets(busybox: Path) -> list[str]:
    listing = subprocess.run([busybox, "--list"], check=True, capture_output=True, text=True).stdout
    return [name for name in listing.split() if name not in ("busybox", "init")]

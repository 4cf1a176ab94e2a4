"""The Debian 12 image with cloud-init: a plain server for the user `debian`, booted by its own kernel directly."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from agents.images.disk import build_disk
from agents.images.manifest import Manifest
from agents.images.packages import KERNEL, debian_sources

_SUITE = "bookworm"
_PACKAGES = (
    KERNEL, "ca-certificates", "cloud-guest-utils", "cloud-init", "curl", "dbus", "e2fsprogs", "initramfs-tools",
    "iproute2", "iputils-ping", "isc-dhcp-client", "kmod", "less", "netbase", "openssh-server", "procps", "sudo",
    "systemd-resolved", "systemd-sysv", "udev", "vim-tiny",
)  # fmt: skip
_DRIVERS = ("virtio_pci", "virtio_blk", "virtio_net", "virtio_rng")
_UNWANTED = (
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service",
    "fstrim.timer", "getty@tty1.service",
)  # fmt: skip
_FILES = Path(__file__).parent / "files" / "debian"
# Set before the kernel is installed, so that its initial RAM disk is made once, and small.
_BEFORE_PACKAGES = r"""#!/bin/sh -e
mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/etc/dpkg/dpkg.cfg.d"
echo MODULES=list > "$1/etc/initramfs-tools/conf.d/drivers"
printf '%s\n' {drivers} > "$1/etc/initramfs-tools/modules"
printf 'path-exclude=/usr/share/%s/*\n' doc man locale > "$1/etc/dpkg/dpkg.cfg.d/small"
"""


def build(work: Path, output: Path, say: Callable[[str], None]) -> None:
    """Build the image into `output`, with `work` as scratch space."""
    root = work / "root"
    say("install packages (a minute or more)")
    _bootstrap(work, root)
    say("configure")
    _configure(root)
    kernel, initrd = (next((root / "boot").glob(f"{name}-*")) for name in ("vmlinuz", "initrd.img"))
    shutil.copyfile(kernel, output / "kernel")
    shutil.copyfile(initrd, output / "initrd")
    say("root disk")
    build_disk(root, output / "disk.qcow2", size_mib=2048)
    Manifest(
        name="debian-12",
        description="Debian 12 (bookworm) with cloud-init",
        architecture="x86_64",
        disk="disk.qcow2",
        kernel="kernel",
        initrd="initrd",
        command_line="console=ttyS0 root=/dev/vda rw quiet tsc=reliable",
        root_device="/dev/vda",
        login_user="debian",
        min_disk_gib=2,
        min_memory_mib=256,
    ).write(output)


def _bootstrap(work: Path, root: Path) -> None:
    sources = work / "sources.list"
    sources.write_text("".join(f"{line}\n" for line in debian_sources(_SUITE)))
    hook = work / "before-packages"
    hook.write_text(_BEFORE_PACKAGES.format(drivers=" ".join(_DRIVERS)))
    hook.chmod(0o755)
    command = [
        "mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", "--format=directory",
        f"--include={','.join(_PACKAGES)}",
        "--dpkgopt=force-confold", "--dpkgopt=force-unsafe-io", '--aptopt=Acquire::Languages "none"',
        "--aptopt=APT::Install-Recommends false",
        f"--essential-hook={hook}",
        _SUITE, str(root), str(sources),
    ]  # fmt: skip
    subprocess.run(command, check=True)


def _configure(root: Path) -> None:
    shutil.copyfile(_FILES / "cloud.cfg", root / "etc/cloud/cloud.cfg.d/90_image.cfg")
    for unit in ("systemd-networkd.service", "systemd-resolved.service"):
        subprocess.run(["systemctl", "--quiet", f"--root={root}", "enable", unit], check=True)
    for unit in _UNWANTED:
        (root / "etc/systemd/system" / unit).symlink_to("/dev/null")
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    # The builder's own copies: with its name servers cloud-init waits for minutes, its name belongs to no machine.
    resolver = root / "etc/resolv.conf"
    resolver.unlink(missing_ok=True)
    resolver.symlink_to("/run/systemd/resolve/stub-resolv.conf")
    (root / "etc/hostname").unlink(missing_ok=True)
    (root / "etc/machine-id").write_text("")
    (root / "etc/fstab").write_text("/dev/vda / ext4 defaults,noatime 0 0\n")
    for folder in ("var/lib/apt/lists", "var/cache/apt"):
        shutil.rmtree(root / folder, ignore_errors=True)
        (root / folder).mkdir()

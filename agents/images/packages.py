"""Debian packages, taken with the host's own apt configuration and unpacked without being installed."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

KERNEL = "linux-image-cloud-amd64"


def kernel_package() -> str:
    """Name of the newest cloud kernel's package, that the metapackage depends on."""
    listing = subprocess.run(["apt-cache", "depends", KERNEL], check=True, capture_output=True, text=True).stdout
    for line in listing.splitlines():
        key, _, value = line.strip().partition(": ")
        if key == "Depends" and value.startswith("linux-image-"):
            return value
    raise LookupError(f"apt knows no package {KERNEL}; run apt-get update")


def debian_sources(suite: str) -> list[str]:
    """One-line sources of a Debian release with its updates, as the host's own apt is configured to reach them.

    Raises LookupError when the host's apt knows no source of that release.
    """
    template = "$(ORIGIN)|$(SIGNED_BY)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)"
    command = ["apt-get", "indextargets", "--format", template, "Created-By: Packages"]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    lines = []
    for target in listing.splitlines():
        origin, key, uri, release, component = target.split("|")
        if origin == "Debian" and release.split("-")[0] == suite:
            signed = f"[signed-by={key}] " if key.startswith("/") else ""
            lines.append(f"deb {signed}{uri} {release} {component}")
    if not lines:
        raise LookupError(f"this host's apt has no source of Debian {suite}")
    return list(dict.fromkeys(lines))


def unpack(names: Sequence[str], downloads: Path, root: Path) -> None:
    """Download the named packages and unpack their files below `root`."""
    downloads.mkdir(parents=True, exist_ok=True)
    # The sandbox user cannot write into a private build folder, and apt warns about it on every package.
    command = ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *names]
    subprocess.run(command, cwd=downloads, check=True)
    for package in sorted(downloads.glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", package, root], check=True)
        package.unlink()


def shared_libraries(root: Path, program: Path) -> list[Path]:
    """Libraries that a program below `root` needs, resolved by the unpacked tree's own dynamic loader."""
    loader = root / "lib64/ld-linux-x86-64.so.2"
    loader = root / str(loader.readlink()).lstrip("/") if loader.is_symlink() else loader
    folders = ":".join(str(root / place) for place in ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"))
    command = [str(loader), "--library-path", folders, "--list", str(program)]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = [line.split(" => ")[1].split(" (")[0] for line in listing.splitlines() if " => " in line]
    return [Path(path) for path in found if path.startswith(str(root))]

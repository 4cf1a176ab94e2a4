"""Initial RAM disks: a newc cpio writer, and the kernel modules to put into one."""

from __future__ import annotations

import gzip
import stat
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

_HEADER = "070701" + "{:08X}" * 13


class Archive:
    """A newc cpio archive (Documentation/driver-api/early-userspace/buffer-format.rst) built in memory."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._folders: set[str] = {"."}
        self._inode = 0

    def folder(self, name: str) -> None:
        """Add a folder, with those above it."""
        if name not in self._folders:
            self.folder(str(PurePosixPath(name).parent))
            self._folders.add(name)
            self._add(name, stat.S_IFDIR | 0o755, b"")

    def file(self, name: str, content: bytes, mode: int = 0o644) -> None:
        """Add a regular file, with the folders above it."""
        self.folder(str(PurePosixPath(name).parent))
        self._add(name, stat.S_IFREG | mode, content)

    def device(self, name: str, major: int, minor: int) -> None:
        """Add a character device node."""
        self._add(name, stat.S_IFCHR | 0o600, b"", major, minor)

    def compressed(self) -> bytes:
        """The finished archive, compressed by gzip."""
        self._add("TRAILER!!!", 0, b"")
        return gzip.compress(b"".join(self._parts), compresslevel=9, mtime=0)

    def _add(self, name: str, mode: int, content: bytes, major: int = 0, minor: int = 0) -> None:
        self._inode += 1
        encoded = name.encode() + b"\0"
        fields = (self._inode, mode, 0, 0, 1, 0, len(content), 0, 0, major, minor, len(encoded), 0)
        self._parts += [_pad(_HEADER.format(*fields).encode() + encoded), _pad(content)]


def _pad(content: bytes) -> bytes:
    return content + b"\0" * (-len(content) % 4)


def add_modules(archive: Archive, root: Path, names: Sequence[str]) -> None:
    """Add kernel modules with all they depend on, and the index that modprobe reads. Built-in ones are left out."""
    folder = next((root / "lib/modules").iterdir())
    subprocess.run(["depmod", "-b", root, folder.name], check=True)
    depends = dict(_dependencies(folder / "modules.dep"))
    paths = {PurePosixPath(path).name.removesuffix(".ko").replace("-", "_"): path for path in depends}
    wanted: dict[str, list[str]] = {}
    for name in names:
        if path := paths.get(name.replace("-", "_")):
            wanted |= {needed: depends[needed] for needed in (path, *depends[path])}
    target = f"lib/modules/{folder.name}"
    for path in wanted:
        archive.file(f"{target}/{path}", (folder / path).read_bytes())
    index = "".join(f"{path}: {' '.join(needed)}\n" for path, needed in wanted.items())
    archive.file(f"{target}/modules.dep", index.encode())


def _dependencies(listing: Path) -> Iterable[tuple[str, list[str]]]:
    for line in listing.read_text().splitlines():
        path, _, needed = line.partition(":")
        yield path, needed.split()

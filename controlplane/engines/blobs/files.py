"""Blobs as local files, fanned out over 256 folders, written aside, fsynced and renamed.

A folder for each disk: the main one, and one for each tier that has its own. Ids on those begin with the tier's name.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from awscrt import checksums

from controlplane.core.errors import EngineMissing

_CHUNK = 1024 * 1024
_ID = re.compile(r"(?:([A-Z_]{1,32}):)?([0-9a-f]{64}|[0-9a-f]{32})")
_WRITTEN = re.compile(r"[0-9a-f]{32}")
_RANDOM_BYTES = 12
_INCOMING = ".incoming-"


class FileWriter:
    """Implements `contract.Writer`."""

    def __init__(self, folder: Path, prefix: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._prefix = prefix
        self._file, self._name = tempfile.mkstemp(dir=folder, prefix=_INCOMING)
        self._checksum = 0

    def write(self, data: bytes) -> None:
        self._checksum = checksums.crc32c(data, self._checksum)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._file, rest) :]

    def commit(self) -> str:
        try:
            os.fsync(self._file)
            name = f"{secrets.token_hex(_RANDOM_BYTES)}{self._checksum:08x}"
            final = self._folder / name[:2] / name
            if not final.parent.exists():
                _make_folder(final.parent)
            os.rename(self._name, final)  # noqa: PTH104
            _sync_folder(final.parent)
        except BaseException:
            self.abort()
            raise
        os.close(self._file)
        self._file = -1
        return self._prefix + name

    def abort(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            with suppress(FileNotFoundError):
                os.unlink(self._name)  # noqa: PTH108


class FileReader:
    """Implements `contract.Reader`."""

    _file = -1

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def read(self, start: int, length: int) -> bytes:
        found = os.pread(self._file, length, start)
        while len(found) < length and (more := os.pread(self._file, length - len(found), start + len(found))):
            found += more
        return found

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __del__(self) -> None:
        self.close()


class FileBlobs:
    """Implements `contract.Blobs` under one folder, and one more for each tier that has its own disk."""

    def __init__(self, folder: Path, tiers: Mapping[str, Path] | None = None) -> None:
        self._folder = folder
        self._tiers = dict(tiers or {})

    def _path(self, id: str) -> Path:
        found = _ID.fullmatch(id)
        if found is None or (found[1] and found[1] not in self._tiers):
            raise EngineMissing(f"not a blob id: {id[:80]!r}")
        folder = self._tiers[found[1]] if found[1] else self._folder
        return folder / found[2][:2] / found[2]

    def create(self, tier: str = "") -> FileWriter:
        if tier in self._tiers:
            return FileWriter(self._tiers[tier], f"{tier}:")
        return FileWriter(self._folder, "")

    def open(self, id: str) -> FileReader:
        try:
            return FileReader(self._path(id))
        except FileNotFoundError as error:
            raise EngineMissing(f"no blob {id}") from error

    def lies_on(self, id: str, tier: str) -> bool:
        return id.rpartition(":")[0] == (tier if tier in self._tiers else "")

    def duplicate(self, id: str, tier: str | None = None) -> str:
        if tier is not None and not self.lies_on(id, tier):
            return self._copy(id, tier)
        path = self._path(id)
        name = f"{secrets.token_hex(_RANDOM_BYTES)}{path.name[-8:]}"
        final = path.parent.parent / name[:2] / name
        if not final.parent.exists():
            _make_folder(final.parent)
        try:
            final.hardlink_to(path)
        except FileNotFoundError as error:
            raise EngineMissing(f"no blob {id}") from error
        _sync_folder(final.parent)
        return id[: -len(path.name)] + name

    def _copy(self, id: str, tier: str) -> str:
        """Onto another disk."""
        reader, place = self.open(id), 0
        writer = self.create(tier)
        try:
            while data := reader.read(place, _CHUNK):
                writer.write(data)
                place += len(data)
            return writer.commit()
        finally:
            writer.abort()
            reader.close()

    def written(self, before: float) -> Iterator[list[str]]:
        for prefix, folder in (
            ("", self._folder),
            *((f"{tier}:", folder) for tier, folder in sorted(self._tiers.items())),
        ):
            for number in range(256):
                found = []
                with suppress(FileNotFoundError), os.scandir(folder / f"{number:02x}") as entries:
                    for entry in entries:
                        with suppress(FileNotFoundError):
                            if _WRITTEN.fullmatch(entry.name) and entry.stat().st_ctime < before:
                                found.append(prefix + entry.name)
                if found:
                    yield found

    def verify(self, id: str) -> bool:
        reader, checksum, place = self.open(id), 0, 0
        try:
            while data := reader.read(place, _CHUNK):
                checksum, place = checksums.crc32c(data, checksum), place + len(data)
        finally:
            reader.close()
        return f"{checksum:08x}" == id[-8:]

    def sweep(self, before: float) -> int:
        swept = 0
        for folder in (self._folder, *self._tiers.values()):
            for path in folder.glob(f"{_INCOMING}*"):
                with suppress(FileNotFoundError):
                    if path.stat().st_mtime < before:
                        path.unlink()
                        swept += 1
        return swept

    async def put_file(self, path: Path) -> str:
        return await asyncio.to_thread(self._put, path)

    def _put(self, source: Path) -> str:
        self._folder.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        descriptor, name = tempfile.mkstemp(dir=self._folder, prefix=_INCOMING)
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as target, source.open("rb") as origin:
                while chunk := origin.read(_CHUNK):
                    digest.update(chunk)
                    target.write(chunk)
                target.flush()
                os.fsync(target.fileno())
            final = self._path(digest.hexdigest())
            final.parent.mkdir(exist_ok=True)
            temporary.chmod(0o640)
            # As root (the command line) the files must belong to the user that the gateway runs as.
            owner = self._folder.stat()
            for item in (temporary, final.parent):
                shutil.chown(item, owner.st_uid, owner.st_gid)
            temporary.rename(final)
            _sync_folder(final.parent)
        finally:
            temporary.unlink(missing_ok=True)
        return final.name

    async def size(self, id: str) -> int:
        try:
            return (await asyncio.to_thread(self._path(id).stat)).st_size
        except FileNotFoundError as error:
            raise EngineMissing(f"no blob {id}") from error

    async def read(self, id: str, start: int = 0) -> AsyncIterator[bytes]:
        reader = await asyncio.to_thread(self.open, id)
        try:
            while chunk := await asyncio.to_thread(reader.read, start, _CHUNK):
                yield chunk
                start += len(chunk)
        finally:
            reader.close()

    async def delete(self, id: str) -> None:
        with suppress(EngineMissing):
            await asyncio.to_thread(self._path(id).unlink, missing_ok=True)


def _make_folder(folder: Path) -> None:
    """A folder that outlives a loss of power."""
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

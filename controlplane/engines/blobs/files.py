"""Blobs as local files, fanned out over 256 folders, written aside, fsynced and renamed."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from controlplane.core.errors import EngineMissing

_CHUNK = 1024 * 1024
_ID = re.compile(r"[0-9a-f]{64}")


class FileBlobs:
    """Implements `contract.Blobs` under one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _path(self, id: str) -> Path:
        if not _ID.fullmatch(id):
            raise EngineMissing(f"not a blob id: {id[:80]!r}")
        return self._folder / id[:2] / id

    async def put_file(self, path: Path) -> str:
        return await asyncio.to_thread(self._put, path)

    def _put(self, source: Path) -> str:
        self._folder.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        descriptor, name = tempfile.mkstemp(dir=self._folder, prefix=".incoming-")
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
        try:
            file = await asyncio.to_thread(self._path(id).open, "rb")
        except FileNotFoundError as error:
            raise EngineMissing(f"no blob {id}") from error
        with file:
            file.seek(start)
            while chunk := await asyncio.to_thread(file.read, _CHUNK):
                yield chunk

    async def delete(self, id: str) -> None:
        await asyncio.to_thread(self._path(id).unlink, missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

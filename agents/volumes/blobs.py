"""Image files on the host, fetched once and kept by digest."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from agents.runtime.files import sync_folder

_DIGEST = re.compile(r"[0-9a-f]{64}")


class Corrupt(Exception):
    """What arrived is not what was asked for."""


class Blobs:
    """A folder of read-only files named by their SHA-256. `fetch` yields the bytes of a blob that is not there yet."""

    def __init__(self, folder: Path, fetch: Callable[[str], AsyncIterator[bytes]]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for partial in folder.glob(".*.part"):
            partial.unlink()
        self._folder = folder
        self._fetch = fetch
        self._locks: dict[str, asyncio.Lock] = {}

    async def path(self, digest: str) -> Path:
        """The file of a blob, downloaded if it is missing. Raises Corrupt, OSError or the fetcher's errors."""
        if not _DIGEST.fullmatch(digest):
            raise ValueError(f"not a blob id: {digest!r}")
        path = self._folder / digest
        if not path.exists():
            async with self._locks.setdefault(digest, asyncio.Lock()):
                if not path.exists():
                    await self._download(digest, path)
        return path

    async def _download(self, digest: str, path: Path) -> None:
        partial = self._folder / f".{digest}.part"
        measure = hashlib.sha256()
        try:
            with partial.open("wb") as file:
                async for piece in self._fetch(digest):
                    measure.update(piece)
                    await asyncio.to_thread(file.write, piece)
                file.flush()
                await asyncio.to_thread(os.fsync, file.fileno())
            if measure.hexdigest() != digest:
                raise Corrupt(f"blob {digest} arrived with digest {measure.hexdigest()}")
            partial.chmod(0o444)
            partial.replace(path)
            sync_folder(self._folder)
        finally:
            partial.unlink(missing_ok=True)

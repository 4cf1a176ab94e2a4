"""What a store of blobs must do. Blobs are immutable and named by the SHA-256 of their bytes, in hexadecimal."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol


class Blobs(Protocol):
    """A store of immutable bytes."""

    async def put_file(self, path: Path) -> str:
        """Store a file's bytes durably; answers the blob's id. Storing the same bytes again costs nothing."""

    async def size(self, id: str) -> int:
        """Bytes. Raises EngineMissing."""

    def read(self, id: str, start: int = 0) -> AsyncIterator[bytes]:
        """The bytes from an offset, in chunks. Raises EngineMissing."""

    async def delete(self, id: str) -> None:
        """Remove a blob; nothing happens when it is not there."""

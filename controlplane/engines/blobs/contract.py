"""What a store of blobs must do. Blobs are immutable. An id tells all that is needed to find and to verify a blob.

Files that are put whole (images of machines) are named by the SHA-256 of their bytes, so that equal ones are stored
once. What is written piece by piece (objects) gets a random name that ends with the CRC-32C of the bytes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Protocol

MARK = "s3+"
"""How ids of blobs in a cluster begin."""


class Writer(Protocol):
    """One blob in the making. `write` and `commit` block on the disk: call them in a thread."""

    def write(self, data: bytes) -> None:
        """Add bytes."""

    def commit(self) -> str:
        """Make it durable; answers the blob's id. Nothing is visible before."""

    def abort(self) -> None:
        """Leave nothing behind; nothing happens after `commit`."""


class Reader(Protocol):
    """An open blob. `read` blocks on the disk. The blob may be deleted meanwhile; an open one is read to its end."""

    def read(self, start: int, length: int) -> bytes:
        """At most `length` bytes from an offset; fewer at the end only."""

    def close(self) -> None: ...


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

    def create(self, tier: str = "") -> Writer:
        """Begin a blob, on the disk that a tier (a storage class) has; the default one where it has none. Blocks."""

    def open(self, id: str) -> Reader:
        """Open a blob for reads at any place. Blocks. Raises EngineMissing."""

    def duplicate(self, id: str, tier: str | None = None) -> str:
        """The same bytes as another blob, which lives and dies by itself: beside it, or where a tier has its blobs.

        Blocks. Raises EngineMissing.
        """

    def lies_on(self, id: str, tier: str) -> bool:
        """Whether a blob lies where `create` would put one of a tier."""

    def written(self, before: float) -> Iterator[list[str]]:
        """Ids of all blobs made by `create` before a moment (seconds since the epoch), some at a time. Blocks."""

    def verify(self, id: str) -> bool:
        """Whether a blob made by `create` still has the bytes that were written. Blocks. Raises EngineMissing."""

    def sweep(self, before: float) -> int:
        """Remove what was begun before a moment and never committed; answers how many. Blocks."""

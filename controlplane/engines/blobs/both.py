"""Files and a cluster beside each other: ids tell which has a blob, a setting which gets new ones."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from controlplane.engines.blobs.contract import MARK, Blobs, Reader, Writer
from controlplane.engines.blobs.files import FileBlobs

if TYPE_CHECKING:
    from controlplane.engines.blobs.cluster import ClusterBlobs


class BothBlobs:
    """Implements `contract.Blobs`. Images of machines, put whole, go to the files in any case."""

    def __init__(self, files: FileBlobs, cluster: ClusterBlobs, *, new_to_cluster: bool) -> None:
        self.files = files
        self.cluster = cluster
        self._new: Blobs = cluster if new_to_cluster else files

    def _of(self, id: str) -> Blobs:
        return self.cluster if id.startswith(MARK) else self.files

    async def put_file(self, path: Path) -> str:
        return await self.files.put_file(path)

    async def size(self, id: str) -> int:
        return await self._of(id).size(id)

    def read(self, id: str, start: int = 0) -> AsyncIterator[bytes]:
        return self._of(id).read(id, start)

    async def delete(self, id: str) -> None:
        await self._of(id).delete(id)

    def create(self, tier: str = "") -> Writer:
        return self._new.create(tier)

    def open(self, id: str) -> Reader:
        return self._of(id).open(id)

    def lies_on(self, id: str, tier: str) -> bool:
        return self._of(id).lies_on(id, tier)

    def duplicate(self, id: str, tier: str | None = None) -> str:
        return self._of(id).duplicate(id, tier)

    def written(self, before: float) -> Iterator[list[str]]:
        yield from self.files.written(before)
        yield from self.cluster.written(before)

    def verify(self, id: str) -> bool:
        return self._of(id).verify(id)

    def sweep(self, before: float) -> int:
        return self.files.sweep(before)

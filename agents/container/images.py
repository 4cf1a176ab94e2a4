"""Images in Docker: imported from blobs of the control plane, or pulled."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path

from agents.container.engine import Engine, Refused
from agents.contract.container import ContainerImage
from agents.names import Names
from agents.volumes.blobs import Blobs

_LIMIT = 900.0
_PIECE = 1 << 20


class Images:
    """The images of one cloud. All raise Unavailable while Docker is away and Refused when it says no."""

    def __init__(self, engine: Engine, names: Names, blobs: Blobs) -> None:
        self._engine = engine
        self._repository = names.image_repository
        self._blobs = blobs
        self._importing = asyncio.Lock()

    async def name(self, image: ContainerImage) -> str:
        """The name under which Docker has an image, once it has it."""
        if image.archive is None:
            if not await self._has(image.reference):
                name, tag = _parts(image.reference)
                await self._engine.call("POST", "/images/create", params={"fromImage": name, "tag": tag}, limit=_LIMIT)
            return image.reference
        name = f"{self._repository}:{image.archive}"
        async with self._importing:
            if not await self._has(name):
                archive = await self._blobs.path(image.archive)
                params = {"fromSrc": "-", "repo": self._repository, "tag": image.archive}
                await self._engine.call("POST", "/images/create", params=params, content=_pieces(archive), limit=_LIMIT)
                archive.unlink()
        return name

    async def drop_unused(self, archives: set[str]) -> None:
        """Remove imported images that are of none of these archives, unless a container uses them."""
        filters = json.dumps({"reference": [self._repository]})
        for found in await self._engine.call("GET", "/images/json", params={"filters": filters}):
            for name in found["RepoTags"] or ():
                if name.rpartition(":")[2] not in archives:
                    with contextlib.suppress(Refused):
                        await self._engine.call("DELETE", f"/images/{name}")

    async def _has(self, image: str) -> bool:
        try:
            await self._engine.call("GET", f"/images/{image}/json")
        except Refused as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return False
            raise
        return True


def _parts(reference: str) -> tuple[str, str]:
    """Repository, and tag or digest; a colon in the name of a registry is none of a tag."""
    if "@" in reference:
        name, _, digest = reference.partition("@")
        return name, digest
    name, _, tag = reference.rpartition(":")
    return (name, tag) if name and "/" not in tag else (reference, "latest")


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, _PIECE):
            yield piece

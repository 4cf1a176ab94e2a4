"""One suite for both engines of blobs; the cluster is a SeaweedFS of three volume servers with two copies of all."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from controlplane.core.errors import EngineMissing, EngineUnavailable
from controlplane.engines.blobs.cluster import ClusterBlobs
from controlplane.engines.blobs.contract import Blobs
from controlplane.engines.blobs.files import FileBlobs
from tests.seaweed import WEED, Cluster, running

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    if not WEED.exists():
        pytest.skip("no SeaweedFS is installed")
    with running() as cluster:
        yield cluster


@pytest.fixture(params=["files", "cluster"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    if request.param == "files":
        return FileBlobs(tmp_path / "all", {"COLD": tmp_path / "cold"})
    return ClusterBlobs(request.getfixturevalue("cluster").url, tmp_path)


def put(blobs: Blobs, data: bytes, tier: str = "") -> str:
    writer = blobs.create(tier)
    try:
        for start in range(0, len(data), MIB):
            writer.write(data[start : start + MIB])
        return writer.commit()
    finally:
        writer.abort()


def read(blobs: Blobs, id: str, start: int, length: int) -> bytes:
    reader = blobs.open(id)
    try:
        return reader.read(start, length)
    finally:
        reader.close()


@pytest.mark.parametrize("size", [0, 1, 70_000, 17 * MIB + 5])
async def test_what_was_written_is_read(blobs: Blobs, size: int) -> None:
    data = os.urandom(size)
    id = put(blobs, data)
    assert await blobs.size(id) == size
    assert read(blobs, id, 0, size + 10) == data
    assert read(blobs, id, size // 2, 1000) == data[size // 2 : size // 2 + 1000]
    assert b"".join([chunk async for chunk in blobs.read(id, size // 3)]) == data[size // 3 :]
    assert blobs.verify(id)


async def test_what_was_deleted_or_never_there_is_missing(blobs: Blobs) -> None:
    id = put(blobs, b"x")
    await blobs.delete(id)
    await blobs.delete(id)
    for name in (id, "nonsense", "../../etc/passwd", "s3+../x"):
        with pytest.raises(EngineMissing):
            blobs.open(name)
        with pytest.raises(EngineMissing):
            await blobs.size(name)
        with pytest.raises(EngineMissing):
            blobs.duplicate(name)


async def test_an_open_blob_is_read_to_its_end(blobs: Blobs) -> None:
    data = os.urandom(3 * MIB)
    id = put(blobs, data)
    reader = blobs.open(id)
    first = reader.read(0, MIB)
    await blobs.delete(id)
    assert first + reader.read(MIB, MIB) + reader.read(2 * MIB, MIB) == data
    reader.close()


async def test_copies_live_by_themselves_and_lie_where_they_are_asked_to(blobs: Blobs) -> None:
    id = put(blobs, b"data")
    beside, cold = blobs.duplicate(id), blobs.duplicate(id, "COLD")
    assert blobs.lies_on(beside, "")
    assert blobs.lies_on(cold, "COLD")
    await blobs.delete(id)
    assert read(blobs, beside, 0, 10) == read(blobs, cold, 0, 10) == b"data"
    assert blobs.lies_on(blobs.duplicate(cold), "COLD")


async def test_all_that_was_written_is_told_once(blobs: Blobs) -> None:
    made = {put(blobs, b"1"), put(blobs, b"2", "COLD")}
    writer = blobs.create()
    writer.write(b"never committed")
    writer.abort()
    await asyncio.sleep(1.1)
    told = [id for portion in blobs.written(time.time()) for id in portion]
    assert made <= set(told)
    assert len(told) == len(set(told))
    assert not [id for portion in blobs.written(time.time() - 3600) for id in portion]


async def test_a_volume_server_may_die(cluster: Cluster, tmp_path: Path) -> None:
    blobs = ClusterBlobs(cluster.url, tmp_path)
    data = {put(blobs, body): body for body in (os.urandom(300_000) for _ in range(40))}
    cluster.kill("v2")
    for id, body in data.items():
        assert read(blobs, id, 0, len(body)) == body
    # The master must notice, and make volumes on the other two: until then writes to those with a copy on it fail.
    deadline, written = time.monotonic() + 240, 0
    while written < 3:
        assert time.monotonic() < deadline, "nothing can be written without the dead server"
        with contextlib.suppress(EngineUnavailable):
            assert blobs.verify(put(blobs, os.urandom(100_000)))
            written += 1

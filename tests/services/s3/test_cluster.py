"""Objects whose bytes lie in a SeaweedFS: moved there while they are read, and read on when a server of it dies."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cloud import Cloud
from tests.seaweed import WEED, Cluster, running

SIZES = (10, 100_000, 3_000_000)
PART = 5 * 1024 * 1024


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    if not WEED.exists():
        pytest.skip("no SeaweedFS is installed")
    with running() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def cloud_on_it(cluster: Cluster) -> Iterator[Cloud]:
    """A cloud of its own, for its settings; new blobs go to files at first."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        cloud = Cloud(Path(folder), agent=False)
        cloud.start(blob_cluster=cluster.url)
        (Path(folder) / "settings.toml").write_text(f'blob_cluster = "{cluster.url}"\n')
        yield cloud
        cloud.stop()


def test_blobs_move_to_a_cluster_and_back_while_they_are_read(cloud_on_it: Cloud, cluster: Cluster) -> None:
    cloud = cloud_on_it
    s3 = cloud.new_account().client("s3")
    s3.create_bucket(Bucket="moving")
    bodies = {f"k{n}": os.urandom(SIZES[n % len(SIZES)]) for n in range(30)}
    for key, body in bodies.items():
        s3.put_object(Bucket="moving", Key=key, Body=body)
    bodies["parts"] = os.urandom(PART + 1000)
    upload = s3.create_multipart_upload(Bucket="moving", Key="parts")["UploadId"]
    parts = [
        {
            "PartNumber": number,
            "ETag": s3.upload_part(Bucket="moving", Key="parts", UploadId=upload, PartNumber=number, Body=body)["ETag"],
        }
        for number, body in ((1, bodies["parts"][:PART]), (2, bodies["parts"][PART:]))
    ]
    s3.complete_multipart_upload(Bucket="moving", Key="parts", UploadId=upload, MultipartUpload={"Parts": parts})
    wrong: list[Any] = []
    done = threading.Event()

    def read_all() -> None:
        for key, body in bodies.items():
            try:
                if s3.get_object(Bucket="moving", Key=key)["Body"].read() != body:
                    wrong.append(key)
            except Exception as error:
                wrong.append((key, error))

    def keep_reading() -> None:
        while not done.is_set():
            read_all()

    reader = threading.Thread(target=keep_reading)
    reader.start()
    try:
        moved = cloud.celaje("blobs", "migrate", "cluster")
        assert moved.split()[0] == "21", moved
        assert cloud.celaje("blobs", "migrate", "files").split()[0] == "21"
        assert cloud.celaje("blobs", "migrate", "cluster").split()[0] == "21"
    finally:
        done.set()
        reader.join()
    assert wrong == []
    cluster.kill("v2")
    read_all()
    assert wrong == []

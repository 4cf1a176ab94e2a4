"""Clouds under which something breaks: processes are killed, a disk is full."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cloud import Cloud
from tests.services.s3 import drill

ROUNDS = 6
DISK = 8 * 1024 * 1024
BODY = 5 * 1024 * 1024


@pytest.fixture(scope="module")
def maltreated() -> Iterator[Cloud]:
    """A cloud that no other test uses; what is rarely read lies on a small disk of its own, where we may mount one."""
    with tempfile.TemporaryDirectory(prefix="celaje-own-") as folder:
        home, small = Path(folder), Path(folder) / "small"
        home.chmod(0o711)
        small.mkdir()
        mounted = (
            os.geteuid() == 0
            and not subprocess.run(
                ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=777", "tmpfs", small], check=False
            ).returncode
        )
        cloud = Cloud(home, agent=False)
        try:
            settings: dict[str, Any] = {"blob_tiers": {"STANDARD_IA": small}} if mounted else {}
            cloud.start(**settings)
            yield cloud
            cloud.stop()
        finally:
            if mounted:
                subprocess.run(["umount", "--lazy", small], check=True)


def test_no_acknowledged_write_is_lost(maltreated: Cloud) -> None:
    under = drill.begin(maltreated, 4)
    killed = [under.round() for _ in range(ROUNDS)]
    assert under.verify() == []
    _, strays, lost = under.collect()
    assert (strays, lost) == (set(), set()), killed
    assert under.verify() == []
    assert sum(writer.tally["acknowledged"] for writer in under.writers) > ROUNDS


def test_a_full_disk_is_told_and_recovers(maltreated: Cloud) -> None:
    small = maltreated.home / "small"
    if not small.is_mount():
        pytest.skip("only root may mount a small disk")
    s3, bucket = maltreated.new_account().client("s3"), f"full-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=bucket)

    def put(key: str) -> None:
        s3.put_object(Bucket=bucket, Key=key, Body=os.urandom(BODY), StorageClass="STANDARD_IA")

    put("first")
    with pytest.raises(ClientError) as full:
        put("second")
    assert full.value.response["Error"]["Code"] == "InsufficientStorage"
    assert full.value.response["ResponseMetadata"]["HTTPStatusCode"] == 507
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["first"]
    assert len([path for path in small.rglob("*") if path.is_file()]) == 1
    s3.put_object(Bucket=bucket, Key="other", Body=os.urandom(BODY))
    s3.delete_object(Bucket=bucket, Key="first")
    deadline = time.monotonic() + 30
    while any(path.is_file() for path in small.rglob("*")):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    put("second")
    assert len(s3.get_object(Bucket=bucket, Key="second")["Body"].read()) == BODY

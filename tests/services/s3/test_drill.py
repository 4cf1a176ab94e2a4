"""A short form of the drill: no acknowledged write is lost, whoever is killed, and orphans are collected."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cloud import Cloud
from tests.services.s3 import drill

ROUNDS = 6


@pytest.fixture
def killed_cloud(tmp_path: Path) -> Iterator[Cloud]:
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o711)
    cloud = Cloud(tmp_path, agent=False)
    cloud.start()
    yield cloud
    cloud.stop()


def test_no_acknowledged_write_is_lost(killed_cloud: Cloud) -> None:
    under = drill.begin(killed_cloud, 4)
    killed = [under.round() for _ in range(ROUNDS)]
    assert under.verify() == []
    _, strays, lost = under.collect()
    assert (strays, lost) == (set(), set()), killed
    assert under.verify() == []
    assert sum(writer.tally["acknowledged"] for writer in under.writers) > ROUNDS

"""Fixtures of the wire tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from controlplane.wire.index import Index


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """The index of all services, built once a session."""
    return Index.open(Path(tmp_path_factory.mktemp("wire-index")))

"""Hosts for the tests of agents. They need root; each has names, folders and addresses of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.agents.lab import Host


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host with a running agent, shared by the tests of a module."""
    if os.geteuid() != 0:
        pytest.skip("machines and networks need root")
    host = Host(tmp_path_factory.mktemp("host"))
    try:
        host.start()
        yield host
    finally:
        host.close()

"""What the tests of access share."""

from __future__ import annotations

import pytest

from controlplane.state.sealing import Sealer


@pytest.fixture(scope="session")
def sealer() -> Sealer:
    """Seals under a key of the tests' own."""
    return Sealer(bytes(range(32)))

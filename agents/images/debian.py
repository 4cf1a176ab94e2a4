"""The Debian 12 image with cloud-init."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def build(work: Path, output: Path, say: Callable[[str], None]) -> None:
    """Build the image into `output`, with `work` as scratch space."""
    raise NotImplementedError

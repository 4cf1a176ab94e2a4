"""What some settings may be."""

from __future__ import annotations

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from controlplane.folders import absolute


def file(path: Path | None) -> Path | None:
    """A file that may be unset."""
    return absolute(path) if path is not None else None


def listening(text: str) -> str:
    """`HOST:PORT`. Raises ValueError."""
    host, separator, port = text.rpartition(":")
    if not separator or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError("expected HOST:PORT, such as 127.0.0.1:4566")
    return text


def places(given: dict[str, str]) -> dict[str, str]:
    """Networks, and where they are. Raises ValueError."""
    for network, place in given.items():
        ip_network(network)
        if not re.fullmatch(r"[A-Z]{2}(-[A-Z]{2}(-[A-Z0-9]{1,3})?)?|[a-z]{2}(-[a-z]+)+-\d", place):
            raise ValueError(f"expected a place such as EU-DE or a region, not {place!r}")
    return given


class Gateway(BaseModel):
    """A server of the owner's that takes messages for phones, one POST a message."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Annotated[str, Field(pattern=r"^https?://")]
    headers: dict[str, str] = {}
    body: str = ""
    price: Annotated[float, Field(ge=0)] = 0.0

"""The checksums that S3's clients send along, computed over the data as it passes."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable
from typing import Protocol

from awscrt import checksums


class Checksum(Protocol):
    """A checksum in the making."""

    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


class Crc:
    """A CRC by a function that goes on from the value before."""

    def __init__(self, function: Callable[[bytes, int], int], size: int) -> None:
        self._function = function
        self._size = size
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = self._function(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


ALGORITHMS: dict[str, Callable[[], Checksum]] = {
    "crc32": lambda: Crc(checksums.crc32, 4),
    "crc32c": lambda: Crc(checksums.crc32c, 4),
    "crc64nvme": lambda: Crc(checksums.crc64nvme, 8),
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "sha256": hashlib.sha256,
    "sha512": hashlib.sha512,
    "md5": lambda: hashlib.md5(usedforsecurity=False),
}
"""By the name in `x-amz-checksum-<name>`."""


def text(checksum: Checksum) -> str:
    """A checksum as headers carry it: base64 of the digest, most significant byte first."""
    return b64encode(checksum.digest()).decode()

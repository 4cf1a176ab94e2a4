"""The checksums that S3's clients send along, computed over the data as it passes."""

from __future__ import annotations

import hashlib
import zlib
from base64 import b64encode
from collections.abc import Callable
from functools import lru_cache
from typing import Protocol


class Checksum(Protocol):
    """A checksum in the making."""

    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


class Crc32:
    """CRC-32 as in zip, at the speed of zlib."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


class ReflectedCrc:
    """A reflected CRC by table. Plain Python: some MB/s, which only clients that ask for these two algorithms pay."""

    def __init__(self, polynomial: int, bits: int) -> None:
        self._table = _table(polynomial)
        self._bits = bits
        self._value = self._ones = (1 << bits) - 1

    def update(self, data: bytes, /) -> None:
        value, table = self._value, self._table
        for byte in data:
            value = table[(value ^ byte) & 0xFF] ^ (value >> 8)
        self._value = value

    def digest(self) -> bytes:
        return (self._value ^ self._ones).to_bytes(self._bits // 8, "big")


@lru_cache(maxsize=4)
def _table(polynomial: int) -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ polynomial if value & 1 else value >> 1
        table.append(value)
    return table


ALGORITHMS: dict[str, Callable[[], Checksum]] = {
    "crc32": Crc32,
    "crc32c": lambda: ReflectedCrc(0x82F63B78, 32),
    "crc64nvme": lambda: ReflectedCrc(0x9A6C9329AC4BC9B5, 64),
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "sha256": hashlib.sha256,
    "sha512": hashlib.sha512,
    "md5": lambda: hashlib.md5(usedforsecurity=False),
}
"""By the name in `x-amz-checksum-<name>`."""


def text(checksum: Checksum) -> str:
    """A checksum as headers carry it: base64 of the digest, most significant byte first."""
    return b64encode(checksum.digest()).decode()

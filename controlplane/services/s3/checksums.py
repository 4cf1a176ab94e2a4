"""Checksums that clients send along and ask for."""

from __future__ import annotations

import binascii
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from controlplane.core.checksums import ALGORITHMS, Checksum
from controlplane.services.s3.errors import BadDigest, InvalidDigest, InvalidRequest

NAMES = {
    "crc32": "ChecksumCRC32",
    "crc32c": "ChecksumCRC32C",
    "crc64nvme": "ChecksumCRC64NVME",
    "sha1": "ChecksumSHA1",
    "sha256": "ChecksumSHA256",
}
"""Members of requests and answers by algorithm."""
SIZES = {"crc32": 4, "crc32c": 4, "crc64nvme": 8, "sha1": 20, "sha256": 32}
DEFAULT = "crc64nvme"
FULL, COMPOSITE = "FULL_OBJECT", "COMPOSITE"
_MD5_BYTES = 16


def new(algorithm: str) -> Checksum:
    """A checksum in the making."""
    return ALGORITHMS[algorithm]()


def text(digest: bytes) -> str:
    """A digest as headers carry it."""
    return b64encode(digest).decode()


def decoded(value: str, size: int) -> bytes | None:
    """A base64 digest of so many bytes; None where it is not."""
    try:
        found = binascii.a2b_base64(value.encode("ascii"), strict_mode=True)
    except (binascii.Error, UnicodeError):
        return None
    return found if len(found) == size else None


def given(request: Mapping[str, Any]) -> tuple[str, bytes] | None:
    """The checksum among a request's headers. Raises InvalidRequest where there are several or it is none."""
    found = [(algorithm, request[name]) for algorithm, name in NAMES.items() if request.get(name) is not None]
    if len(found) > 1:
        raise InvalidRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
    if not found:
        return None
    algorithm, value = found[0]
    digest = decoded(value, SIZES[algorithm])
    if digest is None:
        raise InvalidRequest(f"Value for x-amz-checksum-{algorithm} header is invalid.")
    return algorithm, digest


def md5_given(request: Mapping[str, Any]) -> bytes | None:
    """The digest of Content-MD5. Raises InvalidDigest."""
    value = request.get("ContentMD5")
    if value is None:
        return None
    digest = decoded(value, _MD5_BYTES)
    if digest is None:
        raise InvalidDigest(**{"Content-MD5": value})
    return digest


def mismatch(algorithm: str) -> BadDigest:
    """The data does not have the checksum that was given."""
    return BadDigest(f"The {algorithm.upper()} you specified did not match the calculated checksum.")


def shown(facts: Mapping[str, Any]) -> dict[str, str]:
    """A version's checksums as members of an answer."""
    sums: Mapping[str, str] = facts.get("sums") or {}
    if not sums:
        return {}
    return {**{NAMES[algorithm]: value for algorithm, value in sums.items()}, "ChecksumType": facts["sum_type"]}


def listed(facts: Mapping[str, Any]) -> dict[str, Any]:
    """A version's checksums as listings tell them."""
    sums: Mapping[str, str] = facts.get("sums") or {}
    if not sums:
        return {}
    return {"ChecksumAlgorithm": [name.upper() for name in sums], "ChecksumType": facts["sum_type"]}

"""Ciphertexts of symmetric keys.

A blob is: version (1 byte), kind of key id (1), key id (16), id of the material (32), salt (16), nonce (12), then
AES-256-GCM's output. Everything before the nonce and the encryption context are authenticated. Each message has a key
of its own, derived from the material and the salt (one step of SP 800-108's counter mode), so that the number of
messages under one material has no practical bound.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_VERSION = 1
_PLAIN, _MULTI_REGION = 0, 1
_HEADER = 2 + 16 + 32
_SALT = 16
_NONCE = 12
_LABEL = b"\x00\x00\x00\x01celaje kms message key\x00"
_LENGTH = (256).to_bytes(4, "big")
_SMALLEST = _HEADER + _SALT + _NONCE + 16 + 1


class NotACiphertext(Exception):
    """The blob was not made by this key for this context, or was altered."""


@dataclass(frozen=True, slots=True)
class Address:
    """What a blob says of itself before it is opened."""

    key_id: str
    material_id: str


def address(blob: bytes) -> Address:
    """The key and the version of its material that a blob names. Raises NotACiphertext."""
    if len(blob) < _SMALLEST or blob[0] != _VERSION or blob[1] not in (_PLAIN, _MULTI_REGION):
        raise NotACiphertext
    id = blob[2:18]
    key_id = f"mrk-{id.hex()}" if blob[1] == _MULTI_REGION else str(UUID(bytes=id))
    return Address(key_id, blob[18:_HEADER].hex())


def encrypt(key_id: str, material_id: str, material: bytes, plaintext: bytes, context: Mapping[str, str]) -> bytes:
    """A new blob."""
    start = _header(key_id, material_id) + secrets.token_bytes(_SALT)
    nonce = secrets.token_bytes(_NONCE)
    return start + nonce + AESGCM(_message_key(material, start)).encrypt(nonce, plaintext, _bound(start, context))


def decrypt(material: bytes, blob: bytes, context: Mapping[str, str]) -> bytes:
    """The plaintext. Raises NotACiphertext."""
    start, rest = blob[: _HEADER + _SALT], blob[_HEADER + _SALT :]
    try:
        return AESGCM(_message_key(material, start)).decrypt(rest[:_NONCE], rest[_NONCE:], _bound(start, context))
    except InvalidTag as error:
        raise NotACiphertext from error


def _header(key_id: str, material_id: str) -> bytes:
    multi_region = key_id.startswith("mrk-")
    id = bytes.fromhex(key_id[4:]) if multi_region else UUID(key_id).bytes
    return bytes((_VERSION, _MULTI_REGION if multi_region else _PLAIN)) + id + bytes.fromhex(material_id)


def _message_key(material: bytes, start: bytes) -> bytes:
    return hmac.digest(material, _LABEL + start[_HEADER:] + _LENGTH, hashlib.sha256)


def _bound(start: bytes, context: Mapping[str, str]) -> bytes:
    """Header and context as one string; each part with its length, so that no two contexts read alike."""
    parts = [start]
    for name in sorted(context):
        for text in (name.encode(), context[name].encode()):
            parts += (len(text).to_bytes(4, "big"), text)
    return b"".join(parts)

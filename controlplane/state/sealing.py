"""Encryption at rest: AES-256-GCM under keys derived from one root key.

The root key is a file of 32 random bytes, mode 0600. A seam for OpenBao or a TPM is `load_root_key`: whatever yields
the 32 bytes can stand in its place.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_VERSION = b"\x01"
_NONCE = 12


class SealError(Exception):
    """The sealed bytes were not made by this key for this purpose and context, or were altered."""


def load_root_key(path: Path) -> bytes:
    """Read the root key, making it first when there is none. Raises PermissionError when others may read it."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = path.with_suffix(".new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(32))
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    if path.stat().st_mode & 0o077:
        raise PermissionError(f"{path} may be read by others: chmod 600 it")
    key = path.read_bytes()
    if len(key) != 32:
        raise ValueError(f"{path} does not hold a 32-byte key")
    return key


class Sealer:
    """Seals and opens small secrets. One derived key a purpose, so that a blob of one kind never opens as another."""

    def __init__(self, root_key: bytes) -> None:
        self._root = root_key
        self._ciphers: dict[str, AESGCM] = {}

    def derive(self, purpose: str) -> bytes:
        """A 32-byte key for a purpose, always the same."""
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"celaje:" + purpose.encode()).derive(self._root)

    def _cipher(self, purpose: str) -> AESGCM:
        cipher = self._ciphers.get(purpose)
        if cipher is None:
            cipher = self._ciphers[purpose] = AESGCM(self.derive(purpose))
        return cipher

    def seal(self, purpose: str, plaintext: bytes, context: str = "") -> bytes:
        """Encrypt; `context` (an id of the row) is authenticated, so that blobs cannot be swapped between rows."""
        nonce = secrets.token_bytes(_NONCE)
        return _VERSION + nonce + self._cipher(purpose).encrypt(nonce, plaintext, context.encode())

    def open(self, purpose: str, sealed: bytes, context: str = "") -> bytes:
        """Decrypt. Raises SealError."""
        if sealed[:1] != _VERSION or len(sealed) < 1 + _NONCE + 16:
            raise SealError("not a sealed value")
        try:
            return self._cipher(purpose).decrypt(sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :], context.encode())
        except InvalidTag as error:
            raise SealError("not a sealed value") from error

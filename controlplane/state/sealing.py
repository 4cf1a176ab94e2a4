"""Encryption at rest: AES-256-GCM under keys derived from one root key.

The root key comes from a `RootKey`; `FileRootKey` is the one there is (docs/decisions/root-key.md).
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_VERSION = b"\x01"
_NONCE = 12
_SIZE = 32


class SealError(Exception):
    """The sealed bytes were not made by this key for this purpose and context, or were altered."""


class RootKey(Protocol):
    """Where the root key comes from: a file, or whatever guards it better (OpenBao, a TPM)."""

    def read(self) -> bytes:
        """The 32 bytes, always the same; made at the first call. Raises an error that says why there are none."""


class FileRootKey:
    """A file of 32 random bytes, mode 0600."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> bytes:
        """The key. Raises PermissionError when others may read the file, ValueError when it holds something else."""
        if not self._path.exists():
            self._make()
        if self._path.stat().st_mode & 0o077:
            raise PermissionError(f"{self._path} may be read by others: chmod 600 it")
        key = self._path.read_bytes()
        if len(key) != _SIZE:
            raise ValueError(f"{self._path} does not hold a {_SIZE}-byte key")
        return key

    def _make(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = self._path.with_suffix(".new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_SIZE))
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(self._path)


def load_root_key(path: Path) -> bytes:
    """The root key of a cloud: the one place that chooses where it comes from."""
    source: RootKey = FileRootKey(path)
    return source.read()


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

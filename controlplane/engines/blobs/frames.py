"""Bytes at rest: AES-256-GCM in frames of 64 KiB, each authenticated by itself, so that any range can be read.

Every blob has a key of its own, derived from a master key and a random salt; frames are numbered by their nonce.
"""

from __future__ import annotations

import hmac
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from controlplane.core.errors import EngineError

FRAME = 64 * 1024
_TAG = 16
_NONCE = 12
_SALT = 16


class Corrupt(EngineError):
    """The bytes on disk are not those that were written."""


def new_salt() -> bytes:
    """What tells one blob's key from the next one's."""
    return secrets.token_bytes(_SALT)


def _cipher(master: bytes, salt: bytes) -> AESGCM:
    return AESGCM(hmac.digest(master, salt, "sha256"))


class Sealing:
    """Seals one blob, piece by piece."""

    def __init__(self, master: bytes, salt: bytes) -> None:
        self._cipher = _cipher(master, salt)
        self._number = 0
        self._rest = b""

    def update(self, data: bytes) -> bytes:
        """What is complete after more data."""
        data = self._rest + data if self._rest else data
        whole = len(data) - len(data) % FRAME
        self._rest = data[whole:]
        view = memoryview(data)
        return b"".join([self._frame(view[place : place + FRAME]) for place in range(0, whole, FRAME)])

    def finish(self) -> bytes:
        """The last frame."""
        return self._frame(self._rest) if self._rest else b""

    def _frame(self, data: bytes | memoryview) -> bytes:
        sealed = self._cipher.encrypt(self._number.to_bytes(_NONCE, "big"), data, None)
        self._number += 1
        return sealed


def seal(master: bytes, salt: bytes, data: bytes) -> bytes:
    """A small blob at once."""
    sealing = Sealing(master, salt)
    return sealing.update(data) + sealing.finish()


def span(start: int, length: int) -> tuple[int, int]:
    """Where the frames of a range lie on disk: offset and length."""
    first, last = start // FRAME, (start + length - 1) // FRAME
    return first * (FRAME + _TAG), (last - first + 1) * (FRAME + _TAG)


class Opening:
    """Reads ranges of one sealed blob."""

    def __init__(self, master: bytes, salt: bytes) -> None:
        self._cipher = _cipher(master, salt)

    def open(self, sealed: bytes, start: int, length: int) -> bytes:
        """A range out of the frames that `span` names for it. Raises Corrupt."""
        number, view, size = start // FRAME, memoryview(sealed), FRAME + _TAG
        try:
            found = b"".join(
                [
                    self._cipher.decrypt((number + n).to_bytes(_NONCE, "big"), view[place : place + size], None)
                    for n, place in enumerate(range(0, len(sealed), size))
                ]
            )
        except InvalidTag as error:
            raise Corrupt("a frame of a blob is not what was written") from error
        skipped = start % FRAME
        if len(found) < skipped + length:
            raise Corrupt("a blob is shorter than it was")
        return found if not skipped and len(found) == length else found[skipped : skipped + length]

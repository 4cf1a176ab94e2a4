"""Session tokens of the metadata service, version 2: signed, so that they outlive a restart of the agent."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import struct
import time
from pathlib import Path

from agents.runtime.files import write_durably

_LONGEST = 21600
_LENGTH = 8 + 8 + 32


class Tokens:
    """Makes and checks tokens with a key kept in `file`."""

    def __init__(self, file: Path) -> None:
        if not file.exists():
            write_durably(file, os.urandom(32))
        self._key = file.read_bytes()

    def make(self, machine: str, ttl: str) -> str | None:
        """A token for one machine that lives `ttl` seconds; None unless that is a number from 1 to 21600."""
        if not (ttl.isascii() and ttl.isdigit()) or not 1 <= int(ttl) <= _LONGEST:
            return None
        claim = os.urandom(8) + struct.pack(">d", time.time() + int(ttl))
        return base64.urlsafe_b64encode(claim + self._sign(machine, claim)).decode()

    def remaining(self, machine: str, token: str) -> int | None:
        """Seconds that a token is still good for; None for a token that is forged, another machine's or expired."""
        try:
            raw = base64.b64decode(token.encode(), altchars=b"-_", validate=True)
        except ValueError:
            return None
        claim, signature = raw[:16], raw[16:]
        if len(raw) != _LENGTH or not hmac.compare_digest(self._sign(machine, claim), signature):
            return None
        left = struct.unpack(">d", claim[8:])[0] - time.time()
        return int(left) if left > 0 else None

    def _sign(self, machine: str, claim: bytes) -> bytes:
        return hmac.digest(self._key, machine.encode() + b"\0" + claim, hashlib.sha256)

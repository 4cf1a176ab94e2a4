"""Identifiers, in the shapes that AWS gives them."""

from __future__ import annotations

import random
import secrets
import uuid
from base64 import b64encode
from hashlib import sha256

_RANDOM = random.Random(secrets.randbits(256))  # noqa: S311
_VERSION_4 = uuid.UUID(int=0, version=4).int
_FREE_BITS = uuid.UUID(int=2**128 - 1, version=4).int ^ _VERSION_4
_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def resource_id(prefix: str) -> str:
    """An EC2-style id: `i-` and 17 hexadecimal digits."""
    return f"{prefix}-{secrets.token_hex(9)[:17]}"


def principal_id(prefix: str) -> str:
    """An IAM-style unique id of 21 characters, such as `AIDA…` for a user or `AROA…` for a role."""
    return prefix + "".join(secrets.choice(_BASE32) for _ in range(21 - len(prefix)))


def access_key_id(prefix: str = "AKIA") -> str:
    """An access key id of 20 characters: `AKIA…` long-lived, `ASIA…` temporary."""
    return prefix + "".join(secrets.choice(_BASE32) for _ in range(20 - len(prefix)))


def any_uuid() -> str:
    """A UUID that need not be secret, so that it is drawn without asking the kernel."""
    bits = _RANDOM.getrandbits(128) & _FREE_BITS | _VERSION_4
    text = f"{bits:032x}"  # a third of the time that the class of the standard library takes, at each request
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def host_id(request_id: str) -> str:
    """S3's second id of a request."""
    return b64encode(sha256(request_id.encode()).digest()).decode()


def request_id() -> str:
    """A request id, as AWS prints it."""
    return any_uuid()

"""Ids of versions. An id tells the version's place among its key's, so that it is found by one look at an index."""

from __future__ import annotations

import binascii
import hashlib
import re
import secrets
import time
from base64 import b64decode, b64encode
from datetime import datetime

NULL = "null"
_BYTES = 24
_PLACE = 8
_ID = re.compile(r"[A-Za-z0-9._-]{32}")
_LETTERS = b"._"
"""Of ids, beside those of the alphabet and digits. Those made earlier have a dash for the dot."""


def new_place() -> int:
    """A place before all that were given out earlier."""
    return -time.time_ns()


def place_at(moment: datetime) -> int:
    """The place that was given out at a moment."""
    return -int(moment.timestamp() * 1e9)


def new(place: int) -> str:
    """An id of 32 characters for a place."""
    number = (place + 2**63).to_bytes(_PLACE, "big")
    mask = secrets.token_bytes(_PLACE)
    hidden = bytes(a ^ b for a, b in zip(number, mask, strict=True))
    return b64encode(mask + hidden + _seal(mask + hidden), _LETTERS).decode()


def _decoded(text: str) -> bytes:
    return b64decode(text.replace("-", "."), _LETTERS)


def _seal(data: bytes) -> bytes:
    """The rest of an id, by which ids that this service gave out are told from other text."""
    return hashlib.blake2b(data, digest_size=_BYTES - len(data), usedforsecurity=False).digest()


def is_id(text: str) -> bool:
    """Whether text is an id that was given out, for whatever version. Those made before they had a seal are not told
    from other text: look for the version first."""
    if text == NULL or not _ID.fullmatch(text):
        return text == NULL
    raw = _decoded(text)
    return raw[2 * _PLACE :] == _seal(raw[: 2 * _PLACE])


def read(text: str) -> tuple[str | None, int]:
    """The id as rows hold it (None for `null`) and its place; a place where nothing is for what is no id."""
    if text == NULL:
        return None, 0
    if not _ID.fullmatch(text):
        return "", 0
    try:
        raw = _decoded(text)
    except (binascii.Error, ValueError):
        return "", 0
    number = bytes(a ^ b for a, b in zip(raw[:_PLACE], raw[_PLACE : 2 * _PLACE], strict=True))
    return text, int.from_bytes(number, "big") - 2**63


def shown(version: str | None) -> str:
    """An id as the API tells it."""
    return NULL if version is None else version

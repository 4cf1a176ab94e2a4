"""Opaque page tokens."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import orjson


def encode_token(position: Any) -> str:
    """Make a token of a JSON-able position (usually the sort key of the last row given out)."""
    return base64.urlsafe_b64encode(orjson.dumps(position)).decode()


def decode_token(token: str) -> Any:
    """Read a token back. Raises ValueError when it is not one of ours."""
    try:
        return orjson.loads(base64.urlsafe_b64decode(token.encode()))
    except (binascii.Error, UnicodeError, orjson.JSONDecodeError) as error:
        raise ValueError("not a page token") from error

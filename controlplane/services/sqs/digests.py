"""The MD5 sums by which clients check what they sent and received.

Source: "Calculating the MD5 message digest for message attributes", SQS developer guide.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from typing import Any

_BINARY = b"\x02"
_TEXT = b"\x01"


def of_body(body: str) -> str:
    """Of a message's body."""
    return hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()


def of_attributes(attributes: Mapping[str, Any]) -> str:
    """Of message attributes, by name."""
    digest = hashlib.md5(usedforsecurity=False)
    for name in sorted(attributes):
        value = attributes[name]
        type = value["DataType"]
        binary = type.partition(".")[0] == "Binary"
        raw = value["BinaryValue"] if binary else value["StringValue"].encode()
        for part in (name.encode(), type.encode()):
            digest.update(struct.pack("!I", len(part)) + part)
        digest.update((_BINARY if binary else _TEXT) + struct.pack("!I", len(raw)) + raw)
    return digest.hexdigest()

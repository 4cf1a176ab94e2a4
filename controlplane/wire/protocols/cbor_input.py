"""CBOR bodies of the RPC v2 protocol."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import cbor2

from controlplane.wire.compiler import Closure
from controlplane.wire.errors import Malformed
from controlplane.wire.limits import Limits
from controlplane.wire.protocols.json_input import JsonInput, unexpected
from controlplane.wire.timestamps import parse_epoch


def parse_cbor(body: bytes, limits: Limits) -> Any:
    """One CBOR item, nested no deeper than allowed. Raises Malformed."""
    try:
        return cbor2.loads(body, max_depth=limits.depth, strict_hashable_types=True)
    except (cbor2.CBORDecodeError, ValueError, OverflowError, ArithmeticError) as error:
        raise Malformed("The body is not valid CBOR") from error


class CborInput(JsonInput):
    """As JSON, but blobs come as byte strings and times as tagged numbers."""

    def _timestamp(self, shape: Any) -> Closure:
        return _read_timestamp

    def _blob(self, shape: Any) -> Closure:
        return _read_blob


def _read_timestamp(value: Any) -> datetime:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    if type(value) in (int, float):
        return parse_epoch(value)
    raise unexpected(value, "a Timestamp")


def _read_blob(value: Any) -> bytes:
    if type(value) is not bytes:
        raise unexpected(value, "a Blob")
    return value

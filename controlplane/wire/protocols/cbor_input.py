"""CBOR bodies of the RPC v2 protocol."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import cbor2

from controlplane.wire.compiler import Closure
from controlplane.wire.errors import Malformed
from controlplane.wire.limits import Limits
from controlplane.wire.protocols.json_input import JsonInput, unexpected
from controlplane.wire.timestamps import parse_epoch

_BREAK, _NULL, _UNDEFINED = 0xFF, 0xF6, 0xF7
_ONE_BYTE, _EIGHT_BYTES, _INDEFINITE = 24, 27, 31
_ARRAY, _TAG, _SIMPLE = 4, 6, 7
_STRINGS, _CONTAINERS, _WITH_LENGTH = (2, 3), (4, 5), (2, 3, 4, 5)
# false, true, null, undefined, and floats of three sizes.
_SIMPLE_VALUES = (20, 21, 22, 23, 25, 26, 27)
_EPOCH_TAG = 1


def parse_cbor(body: bytes, limits: Limits) -> Any:
    """One CBOR item, nested no deeper than allowed. Raises Malformed."""
    try:
        return cbor2.loads(plain_cbor(body, limits), max_depth=limits.depth + 1, strict_hashable_types=True)
    except (cbor2.CBORDecodeError, ValueError, OverflowError, ArithmeticError) as error:
        raise Malformed("The body is not valid CBOR") from error


def plain_cbor(body: bytes, limits: Limits) -> bytes:
    """The body if it is one well-formed item without what the protocol has no use for, with `undefined` made null.

    Looked through before cbor2 sees it: its tags for shared values build, from some bytes, values that take for ever to
    walk, and others make regular expressions and MIME messages. Raises Malformed.
    """
    # How many items are still to come on each level; -1 where a break ends them.
    expected = [1]
    position, items, undefined = 0, 0, []
    while expected:
        if expected[-1] == 0:
            expected.pop()
            continue
        if position >= len(body) or len(expected) > limits.depth or items > limits.elements:
            raise Malformed("The CBOR is cut short, nested too deeply or too long")
        initial = body[position]
        position += 1
        if initial == _BREAK:
            if expected.pop() != -1:
                raise Malformed("The CBOR has a break where nothing is open")
            continue
        items += 1
        expected[-1] -= expected[-1] > 0
        major, info = initial >> 5, initial & 31
        if info == _INDEFINITE and major in _WITH_LENGTH:
            expected.append(-1)
            continue
        if info > _EIGHT_BYTES or (major == _SIMPLE and info not in _SIMPLE_VALUES):
            raise Malformed("The CBOR has an item of an unknown kind")
        if initial == _UNDEFINED:
            undefined.append(position - 1)
        size = 0 if info < _ONE_BYTE else 1 << (info - _ONE_BYTE)
        argument = int.from_bytes(body[position : position + size], "big") if size else info
        position += size
        if major in _STRINGS:
            position += argument
        elif major in _CONTAINERS:
            expected.append(argument * (major - _ARRAY + 1))
        elif major == _TAG:
            if argument != _EPOCH_TAG:
                raise Malformed("The CBOR has a tag that the protocol does not know")
            expected.append(1)
    if position != len(body):
        raise Malformed("The CBOR goes on after its end, or is cut short")
    return _with_nulls(body, undefined) if undefined else body


def _with_nulls(body: bytes, positions: list[int]) -> bytes:
    patched = bytearray(body)
    for position in positions:
        patched[position] = _NULL
    return bytes(patched)


class CborInput(JsonInput):
    """As JSON, but blobs come as byte strings and times as tagged numbers."""

    def _timestamp(self, shape: Any) -> Closure:
        return _read_timestamp

    def _blob(self, shape: Any) -> Closure:
        return _read_blob


def _read_timestamp(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if type(value) in (int, float):
        return parse_epoch(value)
    raise unexpected(value, "a Timestamp")


def _read_blob(value: Any) -> bytes:
    if type(value) is not bytes:
        raise unexpected(value, "a Blob")
    return value

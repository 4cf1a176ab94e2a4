"""Results as CBOR."""

from __future__ import annotations

from typing import Any

import cbor2

from controlplane.wire.compiler import Closure
from controlplane.wire.protocols.json_output import JsonOutput, replace_surrogates
from controlplane.wire.timestamps import epoch

_EPOCH_TAG = 1


def dump_cbor(value: Any) -> bytes:
    """CBOR; lone surrogates in text become question marks."""
    try:
        return cbor2.dumps(value)
    except UnicodeEncodeError:
        return cbor2.dumps(replace_surrogates(value))


class CborOutput(JsonOutput):
    """As in JSON, but blobs are byte strings, times carry a tag and floats may be special."""

    def _double(self, shape: Any) -> Closure:
        return float

    _float = _double

    def _timestamp(self, shape: Any) -> Closure:
        return lambda value: cbor2.CBORTag(_EPOCH_TAG, epoch(value))

    def _blob(self, shape: Any) -> Closure:
        return bytes

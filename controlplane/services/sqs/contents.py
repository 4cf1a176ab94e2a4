"""What a message holds, as one blob of the database: body, attributes, trace header; sealed where the queue says so."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid5

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from controlplane.state.sealing import Sealer

_PLAIN, _SEALED, _WITH_KEY, _SHARED = b"\0", b"\1", b"\2", b"\3"
_PURPOSE = "sqs-message"


@dataclass(frozen=True, slots=True)
class Content:
    """Of one message. Attributes are as the API has them, binary values as bytes. `finisher` is the service that the
    body is given to when it is delivered, for what is costly to make and not always read (SNS's signatures)."""

    body: str
    attributes: Mapping[str, Any]
    trace: str | None = None
    finisher: str | None = None


def pack(content: Content, message_id: str, *, sealer: Sealer | None = None, key: bytes | None = None) -> bytes:
    """Under a data key where one is given, else sealed by the cloud where a sealer is, else plain."""
    fields = [content.body, _portable(content.attributes), content.trace]
    plain = orjson.dumps([*fields, content.finisher] if content.finisher else fields)
    if key is not None:
        nonce = AESGCM.generate_key(128)[:12]
        return _WITH_KEY + nonce + AESGCM(key).encrypt(nonce, plain, message_id.encode())
    if sealer is not None:
        return _SEALED + sealer.seal(_PURPOSE, plain, message_id)
    return _PLAIN + plain


GAP = "\0"
"""Stands in a shared body where each copy has something of its own. No message may hold this character."""


def pack_own(own: str) -> bytes:
    """What one copy of a shared message has of its own: nothing secret."""
    return _SHARED + own.encode()


def filled(body: str, own: bytes) -> str:
    """A shared body with what a copy has of its own, as `pack_own` made it."""
    return body.replace(GAP, own[1:].decode(), 1)


def copy_id(shared_id: UUID, id: int) -> UUID:
    """The message id of a copy: drawn from what its row has, which spares the fan-out a thousand random numbers."""
    return uuid5(UUID(bytes=shared_id.bytes), str(id))


def unpack_shared(blob: bytes, shared: bytes, shared_id: str, sealer: Sealer) -> Content:
    """A copy of a shared message, whole."""
    content = unpack(shared, shared_id, sealer)
    return replace(content, body=filled(content.body, blob))


def unpack(blob: bytes, message_id: str, sealer: Sealer, key: bytes | None = None) -> Content:
    """Read a blob back. `key` is the data key of a blob that was packed with one."""
    kind, rest = blob[:1], blob[1:]
    if kind == _WITH_KEY:
        assert key is not None
        rest = AESGCM(key).decrypt(rest[:12], rest[12:], message_id.encode())
    elif kind == _SEALED:
        rest = sealer.open(_PURPOSE, rest, message_id)
    body, attributes, *more = orjson.loads(rest)
    return Content(body, _native(attributes), *more)


def _portable(attributes: Mapping[str, Any]) -> dict[str, list[str]]:
    """JSON has no bytes: `[type, value]`, binary values in base64."""
    portable = {}
    for name, value in attributes.items():
        binary = value.get("BinaryValue")
        portable[name] = [
            value["DataType"],
            value["StringValue"] if binary is None else base64.b64encode(binary).decode(),
        ]
    return portable


def _native(portable: Mapping[str, list[str]]) -> dict[str, Any]:
    native: dict[str, Any] = {}
    for name, (type, value) in portable.items():
        if type.partition(".")[0] == "Binary":
            native[name] = {"DataType": type, "BinaryValue": base64.b64decode(value)}
        else:
            native[name] = {"DataType": type, "StringValue": value}
    return native

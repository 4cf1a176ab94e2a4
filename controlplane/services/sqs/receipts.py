"""Receipt handles: which delivery of which message."""

from __future__ import annotations

import base64
import binascii
import struct

from controlplane.services.sqs.errors import ReceiptHandleIsInvalid

_FORM = struct.Struct("!4sqqI")
_MAGIC = b"sqs1"


def handle(queue_id: int, id: int, receipt: int) -> str:
    """The handle of one delivery."""
    return base64.b64encode(_FORM.pack(_MAGIC, queue_id, id, receipt)).decode()


def read(text: str, queue_id: int) -> tuple[int, int]:
    """Message id and receipt of a handle that this queue gave. Raises ReceiptHandleIsInvalid."""
    try:
        magic, queue, id, receipt = _FORM.unpack(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, struct.error):
        magic = queue = id = receipt = None
    if magic != _MAGIC or queue != queue_id:
        raise ReceiptHandleIsInvalid(f'The input receipt handle "{text[:1024]}" is not a valid receipt handle.')
    return id, receipt

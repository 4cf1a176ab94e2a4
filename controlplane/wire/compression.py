"""Compressed request bodies."""

from __future__ import annotations

import zlib

from controlplane.core.http import HttpRequest
from controlplane.wire.errors import Malformed
from controlplane.wire.limits import Limits

_GZIP = 16 + zlib.MAX_WBITS


def codings(text: str) -> list[str]:
    """The codings in a Content-Encoding header, in the order in which they were applied."""
    return [part.strip() for part in text.split(",") if part.strip()] if text else []


def inflate(request: HttpRequest, limits: Limits) -> bytes:
    """The body, inflated when gzip is the last of its codings. Raises Malformed, also when a body is over its limit."""
    body = request.body
    if len(body) > limits.body:
        raise Malformed(f"Request body is larger than {limits.body} bytes")
    applied = codings(request.headers.get("content-encoding", ""))
    if not applied or applied[-1].lower() != "gzip" or not body:
        return body
    inflater = zlib.decompressobj(_GZIP)
    try:
        plain = inflater.decompress(body, limits.inflated + 1)
    except zlib.error as error:
        raise Malformed("Request body is not valid gzip") from error
    if len(plain) > limits.inflated:
        raise Malformed(f"Request body inflates to more than {limits.inflated} bytes")
    if not inflater.eof or inflater.unused_data:
        raise Malformed("Request body is not one whole gzip stream")
    return plain

"""How much of a request the codecs take before they refuse it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one request. Sizes are in bytes."""

    body: int = 16 * 1024 * 1024
    """A body held in memory, as sent."""
    inflated: int = 32 * 1024 * 1024
    """A gzip body after inflation."""
    depth: int = 64
    """Nesting of JSON, CBOR, XML and query names; DynamoDB, the deepest API, allows 32."""
    parameters: int = 10_000
    """Parameters of a form or query string."""


DEFAULT_LIMITS = Limits()

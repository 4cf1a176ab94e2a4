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
    depth: int = 128
    """Nesting of JSON, CBOR and XML; DynamoDB, the deepest API, allows 32 levels, which are 64 of JSON."""
    name_parts: int = 32
    """Dotted parts in the name of a query parameter."""
    elements: int = 250_000
    """Structures and lists in a JSON body, elements in an XML body, items in a CBOR body, parts of names in a form.

    A body of two bytes a list would otherwise take fifty times its size in memory.
    """
    parameters: int = 10_000
    """Parameters of a form or query string."""


DEFAULT_LIMITS = Limits()

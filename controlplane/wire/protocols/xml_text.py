"""Text and names inside XML."""

from __future__ import annotations

import re

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'

needs_escape = re.compile('[&<>"\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]').search
"""Whether text has anything that XML would read as something else: a match, or None."""
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def escape(text: str) -> str:
    """Text for an element or a quoted attribute.

    A carriage return is written as a reference, because a parser would read it as a line feed. What XML 1.0 cannot hold
    at all becomes the replacement character, so that the document stays readable.
    """
    if needs_escape(text) is None:
        return text
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = text.replace('"', "&quot;").replace("\r", "&#13;")
    return _ILLEGAL.sub("\ufffd", text)


def namespace(declared: object) -> str:
    """The attribute for a shape's `xmlNamespace` trait, with a leading space; empty without one."""
    if isinstance(declared, dict):
        prefix = f":{declared['prefix']}" if declared.get("prefix") else ""
        return f' xmlns{prefix}="{escape(declared["uri"])}"'
    return f' xmlns="{escape(declared)}"' if isinstance(declared, str) else ""

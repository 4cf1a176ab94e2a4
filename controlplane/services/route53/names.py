"""Domain names as Route 53 writes them: small letters, a last dot, octal escapes for unusual characters."""

from __future__ import annotations

import re

from controlplane.services.route53.errors import InvalidDomainName

_ESCAPE = re.compile(r"\\([0-7]{3})")
_SHOWN = re.compile(r"[a-z0-9_.-]")
_LONGEST, _LONGEST_LABEL = 254, 63
"""Characters of a name with its last dot, and of a label: more does not fit into a message."""


def normal(name: str) -> str:
    """`Www.Example.com` as `www.example.com.`. Raises InvalidDomainName."""
    text = _ESCAPE.sub(lambda match: chr(int(match[1], 8)), name).lower()
    text = text if text.endswith(".") else f"{text}."
    labels = text[:-1].split(".") if text != "." else []
    if "\\" in text or any(not 0x21 <= ord(char) <= 0x7E for char in text):
        raise InvalidDomainName(f"DomainName contains an unsupported character: {name[:100]}")
    if any(not label for label in labels):
        raise InvalidDomainName(f"Empty labels are not permitted: {name[:100]}")
    if len(text) > _LONGEST or any(len(label) > _LONGEST_LABEL for label in labels):
        raise InvalidDomainName(f"The domain name or one of its labels is too long: {name[:100]}")
    return "".join(char if _SHOWN.fullmatch(char) else f"\\{ord(char):03o}" for char in text)


def sort_key(name: str) -> str:
    """By this names are listed: from the last label on."""
    return ".".join(reversed(name[:-1].split("."))) + "."


def within(name: str, zone: str) -> bool:
    """Whether a name lies in a zone."""
    return name == zone or name.endswith(f".{zone}") or zone == "."


def served(name: str) -> str:
    """A name as the engine wants it: decimal escapes, no last dot."""

    def plain(match: re.Match[str]) -> str:
        code = int(match[1], 8)
        return "*" if code == ord("*") else f"\\{code:03d}"

    return _ESCAPE.sub(plain, name).removesuffix(".")

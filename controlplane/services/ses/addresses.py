"""Mail addresses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from email.utils import getaddresses, parseaddr

from controlplane.services.ses.errors import InvalidParameterValue

_ADDRESS = re.compile(r"[^@\s<>()\",;:\\]{1,64}@[A-Za-z0-9.-]{1,253}")
DOMAIN = re.compile(r"(?=.{1,253}\Z)([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}")


def bare(text: str) -> str:
    """The address of `Name <address>`, without a label (`user+label@…`). Raises InvalidParameterValue."""
    address = parseaddr(text)[1]
    if "\n" in text or "\r" in text or not _ADDRESS.fullmatch(address):
        raise InvalidParameterValue("Missing final '@domain'" if "@" not in address else "Illegal address")
    return address


def all_bare(texts: Iterable[str]) -> list[str]:
    """The addresses of many. Raises InvalidParameterValue."""
    return [bare(text) for text in texts]


def of_header(values: Sequence[str]) -> list[str]:
    """The addresses in a header's values; what is none is left out."""
    return [address for _, address in getaddresses(list(values)) if _ADDRESS.fullmatch(address)]


def identities_of(address: str) -> tuple[str, str]:
    """What may be verified for an address to be sent from: itself or its domain."""
    local, _, domain = address.rpartition("@")
    return f"{local.partition('+')[0]}@{domain.lower()}", domain.lower()

"""What the values of each type of record may be, in AWS's words where they are not."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from ipaddress import AddressValueError, IPv4Address, IPv6Address

import dns.exception
import dns.rdata
import dns.rdataclass
import dns.rdatatype

from controlplane.services.route53 import names
from controlplane.services.route53.errors import InvalidDomainName

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_LONGEST_STRING = 255
_ESCAPED = re.compile(r"\\(?:[0-7]{3}|.)")

Problem = tuple[str, str] | None
"""Code and words of what is wrong."""


def problem(type: str, value: str) -> str | None:
    """What AWS says of a value that a type cannot have."""
    found = _CHECKS.get(type, _generic(type))(value)
    if found is None:
        return None
    code, words = found
    return f"Invalid Resource Record: 'FATAL problem: {code} ({words}) encountered with '{value}''"


def _address(kind: Callable[[str], object], code: str, words: str) -> Callable[[str], Problem]:
    def check(value: str) -> Problem:
        try:
            kind(value)
        except (AddressValueError, ValueError):
            return code, words
        return (code, words) if "%" in value else None  # a scope, which is any text

    return check


def _strings(value: str) -> Problem:
    rest = _QUOTED.sub("", value)
    if rest.strip() or not value.strip():
        return "InvalidCharacterString", "Value should be enclosed in quotation marks"
    if any(len(_ESCAPED.sub("x", part[1:-1])) > _LONGEST_STRING for part in _QUOTED.findall(value)):
        return "CharacterStringTooLong", "Value is too long"
    return None


def _name(value: str) -> Problem:
    try:
        names.normal(value)
    except InvalidDomainName:
        return "DomainNameInvalid", "Value is not a valid domain name"
    return None


def _fields(type: str, words: str, highest: tuple[int, ...]) -> Callable[[str], Problem]:
    """Numbers and then a name."""

    def check(value: str) -> Problem:
        parts = value.split()
        if len(parts) != len(highest) + 1:
            return f"{type}RRDATANot{words.title()}Fields", f"{type} record doesn't have {len(highest) + 1} fields"
        for part, most in zip(parts, highest, strict=False):
            if not (part.isascii() and part.isdigit() and int(part[:10]) <= most):
                return f"{type}RRDATAIllegalNumber", f"Value is not a number between 0 and {most}"
        return _name(parts[-1])

    return check


def _generic(type: str) -> Callable[[str], Problem]:
    def check(value: str) -> Problem:
        try:
            dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.from_text(type), value)
        except (dns.exception.DNSException, ValueError, NotImplementedError):
            return f"{type}RRDATAIllegal", f"Value is not a valid {type} record"
        return None

    return check


_CHECKS: Mapping[str, Callable[[str], Problem]] = {
    "A": _address(IPv4Address, "ARRDATAIllegalIPv4Address", "Value is not a valid IPv4 address"),
    "AAAA": _address(IPv6Address, "AAAARRDATAIllegalIPv6Address", "Value is not a valid IPv6 address"),
    "TXT": _strings,
    "SPF": _strings,
    "CNAME": _name,
    "NS": _name,
    "PTR": _name,
    "MX": _fields("MX", "two", (65535,)),
    "SRV": _fields("SRV", "four", (65535, 65535, 65535)),
}
_LAST_IS_NAME = {"CNAME", "NS", "PTR", "MX", "SRV"}


def served(type: str, value: str) -> str:
    """A value in the form of zone files; names of the common types are made absolute."""
    if type in ("A", "AAAA"):
        return str(IPv4Address(value) if type == "A" else IPv6Address(value))
    if type in ("TXT", "SPF"):
        return " ".join(_ESCAPED.sub(_decimal, part) for part in _QUOTED.findall(value))
    if type in _LAST_IS_NAME:
        parts = value.split()
        return " ".join([*parts[:-1], names.served(names.normal(parts[-1])) + "."])
    return value


def _decimal(match: re.Match[str]) -> str:
    """Route 53 escapes by octal numbers, zone files by decimal ones."""
    text = match[0][1:]
    return f"\\{int(text, 8) & 255:03d}" if len(text) == 3 else match[0]

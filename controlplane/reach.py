"""By which addresses this machine is reached, as far as it can tell by itself."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from ipaddress import ip_address

# Nothing is sent there: a datagram socket that is connected knows the address that it would send from.
_ELSEWHERE = {"0.0.0.0": (("192.0.2.1", 9),), "::": (("192.0.2.1", 9), ("2001:db8::1", 9))}  # noqa: S104


def addresses(host: str) -> tuple[str, ...]:
    """Of a host that is listened on: an address, a name, or all addresses, for which those stand that this machine
    uses towards the rest of the world."""
    if host in _ELSEWHERE:
        return tuple(_sources(host))
    try:
        return (str(ip_address(host)),)
    except ValueError:
        return _of_name(host)


def is_loopback(address: str) -> bool:
    return ip_address(address).is_loopback


def _sources(host: str) -> Iterator[str]:
    for place in _ELSEWHERE[host]:
        family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as sender:
                sender.connect(place)
                address = str(sender.getsockname()[0])
        except OSError:  # no way out by this family
            continue
        if not ip_address(address).is_link_local:
            yield address


def _of_name(host: str) -> tuple[str, ...]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # away, or no name at all
        return ()
    return tuple(dict.fromkeys(str(item[4][0]) for item in found if "%" not in str(item[4][0])))

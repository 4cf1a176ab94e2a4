"""How a host tells the gateway for whom it relays a connection: the PROXY protocol, version 2, with a proof.

Guests reach the cloud's API through the agent of their host, so the gateway sees the agent's address. The agent
therefore begins each such connection with a header that names VPC, address and port of the guest. Its own field (type
0xE0) holds `host NUL vpc NUL seconds NUL` and an HMAC-SHA256 over everything before, under the host's relay key: nobody
who lacks the key can pose as a guest, and a guest cannot pose as anybody else.
"""

from __future__ import annotations

import hashlib
import hmac
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_PROXY_V2, _TCP_OVER_IPV4, _OUR_FIELD = 0x21, 0x11, 0xE0
_HEAD, _ADDRESSES, _FIELD = struct.Struct("!12sBBH"), struct.Struct("!4s4sHH"), struct.Struct("!BH")
_MAC_BYTES = 32
_LONGEST = 512
_SECONDS = 300.0


class Unproven(Exception):
    """The header is malformed, or not of whom it claims to be."""


@dataclass(frozen=True)
class Guest:
    """Who is relayed, and the host that says so."""

    host: str
    vpc: str
    address: str
    port: int


def header(guest: Guest, key: bytes, now: float) -> bytes:
    """What the relay sends before anything else."""
    about = f"{guest.host}\0{guest.vpc}\0{int(now)}\0".encode()
    size = _ADDRESSES.size + _FIELD.size + len(about) + _MAC_BYTES
    addresses = _ADDRESSES.pack(socket.inet_aton(guest.address), bytes(4), guest.port, 0)
    field = _FIELD.pack(_OUR_FIELD, len(about) + _MAC_BYTES)
    told = _HEAD.pack(SIGNATURE, _PROXY_V2, _TCP_OVER_IPV4, size) + addresses + field + about
    return told + hmac.digest(key, told, hashlib.sha256)


def read(data: bytes, key_of: Callable[[str], bytes], now: float) -> tuple[Guest, bytes] | None:
    """The guest and what follows the header; None while the header is not whole. Raises Unproven."""
    if len(data) < _HEAD.size:
        return None
    signature, version, family, size = _HEAD.unpack_from(data)
    if (signature, version, family) != (SIGNATURE, _PROXY_V2, _TCP_OVER_IPV4) or size > _LONGEST:
        raise Unproven("not a header of ours")
    end = _HEAD.size + size
    if len(data) < end:
        return None
    if size < _ADDRESSES.size + _FIELD.size + _MAC_BYTES:
        raise Unproven("too short")
    address, _, port, _ = _ADDRESSES.unpack_from(data, _HEAD.size)
    try:
        host, vpc, seconds, _ = data[_HEAD.size + _ADDRESSES.size + _FIELD.size : end - _MAC_BYTES].decode().split("\0")
        age = abs(now - int(seconds))
    except ValueError:
        raise Unproven("malformed") from None
    proof = hmac.digest(key_of(host), data[: end - _MAC_BYTES], hashlib.sha256)
    if not hmac.compare_digest(proof, data[end - _MAC_BYTES : end]) or age > _SECONDS:
        raise Unproven(f"no proof of {host[:80]!r}")
    return Guest(host, vpc, socket.inet_ntoa(address), port), data[end:]

"""Answers as dnsdist tells them: dnstap messages (https://dnstap.info) in frame streams.

Of both formats we need a few numbers only: a frame is a length and bytes, a message is protobuf of two levels.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
from collections import Counter
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import dns.edns
import dns.exception
import dns.name
import dns.rcode
import dns.rdatatype
import dns.wire

from controlplane.engines.dns.contract import Question

_CONTENT = b"protobuf:dnstap.Dnstap"
_ACCEPT, _START, _STOP, _READY, _FINISH = 1, 2, 3, 4, 5
_CONTENT_TYPE = 1
_LARGEST_FRAME = 70_000
_SOCKET_MODE = 0o600
# Numbers of fields: of a Dnstap its message, of a Message the rest.
_MESSAGE, _PROTOCOL, _ADDRESS, _ASKED, _ASKED_NANOSECONDS, _ANSWERED, _ANSWERED_NANOSECONDS, _RESPONSE = (
    14, 3, 4, 8, 9, 12, 13, 14,
)  # fmt: skip
_TRANSPORTS = {1: "UDP", 2: "TCP"}
_CLIENT_SUBNET = 8
_POINTER = 0xC0
_HEADER = 12
"""Bytes of a message before the name that was asked for."""
_SEPARATORS = re.compile(r"[.\\]")
"""Characters that are written with a backslash within a label."""


class Tap:
    """Takes frames, and keeps `most` of them, and `most_bytes`, until they are fetched; of more it only knows how many
    they were. `whose` says by a name that was asked for who shares in the room: nobody may take more of it than is left
    for the others."""

    def __init__(self, most: int, most_bytes: int, whose: Callable[[str], str]) -> None:
        self._whose = whose
        self._left, self._left_bytes = self._all = most, most_bytes
        self._frames: list[bytes] = []
        self._taken: dict[str, tuple[int, int]] = {}
        self._dropped: Counter[str] = Counter()

    async def listen(self, path: Path) -> asyncio.Server:
        """Take frames on this socket from now on."""
        return await asyncio.start_unix_server(self._take, sock=_bound(path))

    def fetch(self) -> tuple[list[bytes], Counter[str]]:
        """The frames since the last time, and how many more there were, and whose."""
        found = self._frames, self._dropped
        self._left, self._left_bytes = self._all
        self._frames, self._taken, self._dropped = [], {}, Counter()
        return found

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                while (length := await _number(reader)) <= _LARGEST_FRAME:
                    if length == 0:
                        if not await _control(reader, writer):
                            return
                    else:
                        self._keep(await reader.readexactly(length))
        finally:
            writer.close()

    def _keep(self, frame: bytes) -> None:
        whose = self._whose(asked(frame))
        number, size = self._taken.get(whose, (0, 0))
        if number < self._left and size + len(frame) <= self._left_bytes:
            self._frames.append(frame)
            self._taken[whose] = number + 1, size + len(frame)
            self._left -= 1
            self._left_bytes -= len(frame)
        else:
            self._dropped[whose] += 1


def _bound(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX)
    bound.setblocking(False)
    bound.bind(str(path))
    path.chmod(_SOCKET_MODE)
    return bound


async def _number(reader: asyncio.StreamReader) -> int:
    return int.from_bytes(await reader.readexactly(4), "big")


async def _control(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Agree on what the frames hold; False at the end."""
    length = await _number(reader)
    if not 4 <= length <= _LARGEST_FRAME:
        return False
    kind = int.from_bytes((await reader.readexactly(length))[:4], "big")
    if kind == _READY:
        field = struct.pack("!II", _CONTENT_TYPE, len(_CONTENT)) + _CONTENT
        writer.write(struct.pack("!III", 0, 4 + len(field), _ACCEPT) + field)
    elif kind == _STOP:
        writer.write(struct.pack("!III", 0, 4, _FINISH))
    return kind in (_READY, _START)


def asked(frame: bytes) -> str:
    """The name that was asked for, in small letters, by much less work than `question`; empty where there is none."""
    try:
        answer, place, labels = _fields(_fields(frame)[_MESSAGE])[_RESPONSE], _HEADER, []
        while 0 < (length := answer[place]) < _POINTER:
            label = answer[place + 1 : place + 1 + length].lower().decode("latin-1")
            labels.append(_SEPARATORS.sub(r"\\\g<0>", label))
            place += 1 + length
    except (KeyError, IndexError, TypeError, ValueError):
        return ""
    return ".".join(labels)


def question(frame: bytes) -> Question | None:
    """What was asked and answered; None of a frame that tells something else."""
    try:
        message = _fields(_fields(frame)[_MESSAGE])
        seconds, nanoseconds = message.get(_ASKED), message.get(_ASKED_NANOSECONDS, 0)
        if seconds is None:
            seconds, nanoseconds = message[_ANSWERED], message.get(_ANSWERED_NANOSECONDS, 0)
        name, type, rcode, subnet = _read(message[_RESPONSE])
        address, transport = str(ip_address(message[_ADDRESS])), _TRANSPORTS[message[_PROTOCOL]]
    except (KeyError, IndexError, TypeError, ValueError, struct.error, dns.exception.DNSException):
        return None
    return Question(seconds + nanoseconds / 1e9, name, type, rcode, transport, address, subnet)


def _fields(data: bytes) -> dict[int, Any]:
    """The fields of a protobuf message by their numbers: numbers, or bytes."""
    found: dict[int, Any] = {}
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        kind = key & 7
        if kind == 0:
            value, place = _varint(data, place)
            found[key >> 3] = value
            continue
        length = {1: 8, 5: 4}.get(kind)
        if length is not None:
            found[key >> 3] = int.from_bytes(data[place : place + length], "little")
        else:
            length, place = _varint(data, place)
            found[key >> 3] = data[place : place + length]
        place += length
    return found


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7


def _read(answer: bytes) -> tuple[str, str, str, str]:
    """Name, type, response code and client subnet. The records are passed over: only OPT is of interest."""
    parser = dns.wire.Parser(answer)
    _, flags, questions, *counts = parser.get_struct("!HHHHHH")
    if questions != 1:
        raise ValueError("no question")
    name = parser.get_name()
    type, _ = parser.get_struct("!HH")
    rcode, subnet = flags & 0xF, ""
    for _ in range(sum(counts)):
        _skip_name(parser)
        kind, _, extended, length = parser.get_struct("!HHIH")
        data = parser.get_bytes(length)
        if kind == dns.rdatatype.OPT:
            rcode |= extended >> 24 << 4
            subnet = _subnet(data)
    told = name.to_text(omit_final_dot=True)
    return told, dns.rdatatype.to_text(type), dns.rcode.to_text(dns.rcode.Rcode(rcode)), subnet


def _skip_name(parser: dns.wire.Parser) -> None:
    while length := parser.get_uint8():
        if length >= _POINTER:
            parser.get_uint8()
            return
        parser.get_bytes(length)


def _subnet(options: bytes) -> str:
    parser = dns.wire.Parser(options)
    while parser.remaining():
        kind, length = parser.get_struct("!HH")
        with parser.restrict_to(length):
            if kind == _CLIENT_SUBNET:
                found: Any = dns.edns.ECSOption.from_wire_parser(kind, parser)
                return f"{found.address}/{found.srclen}"
            parser.get_remaining()
    return ""

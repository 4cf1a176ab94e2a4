"""What stands between the guests of a VPC and its dnsmasq where questions are looked at: DNS Firewall, and the log.

Only such VPCs have it. Their dnsmasq then answers on a port of its own that guests do not reach, so that while the
agent is away they get no answers rather than unchecked ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import struct
import time
from collections.abc import Callable
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from agents.contract.network import Vpc
from agents.contract.queries import Query
from agents.network.dhcp import GUARDED_PORT
from agents.network.dns_server import TCP, UDP, DnsServer, Sockets, framed, open_sockets, read
from agents.network.namespace import Namespace
from agents.network.rules import BLOCK, Decision, Rules

_SECONDS = 10.0
_OVERRIDES = 20
"""So many questions that are answered with another name may wait for dnsmasq, each with a connection."""
_TOLD_ANSWERS, _TOLD_CHARACTERS = 100, 4096
"""So much of an answer is logged."""
_PLAIN_DATAGRAM, _LARGEST_DATAGRAM = 512, 4096

Told = Callable[[Query], None]


class Guard:
    """The questions of one VPC. `told` is given what was asked, where the VPC's questions are logged."""

    def __init__(self, told: Told) -> None:
        self._told = told
        self._rules = Rules(())
        self._document: Vpc | None = None
        self._namespace: Namespace | None = None
        self._server = DnsServer(self._answer)
        self._outward: asyncio.DatagramTransport | None = None
        self._upstream: _Upstream | None = None
        self._overriding = asyncio.Semaphore(_OVERRIDES)
        self.addresses: list[str] = []
        """Where guests reach it; none while it does not listen."""

    def load(self, document: Vpc) -> None:
        """Go by this document from now on."""
        if self._document is None or document.firewalls != self._document.firewalls:
            self._rules = Rules(document.firewalls)
        self._document = document

    async def listen(self, namespace: Namespace, addresses: list[str]) -> None:
        """Open the sockets inside the namespace."""
        self.close()

        def opened() -> tuple[Sockets, socket.socket]:
            upstream = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            upstream.connect(("127.0.0.1", GUARDED_PORT))
            return open_sockets([(address, 53) for address in addresses]), upstream

        sockets, upstream = await namespace.within(opened)
        loop = asyncio.get_running_loop()
        self._outward, self._upstream = await loop.create_datagram_endpoint(_Upstream, sock=upstream)
        self._namespace = namespace
        await self._server.listen(sockets)
        self.addresses = addresses

    def close(self) -> None:
        """Listen no longer."""
        self._server.close()
        if self._outward is not None:
            self._outward.close()
        self._outward, self.addresses = None, []

    async def _answer(self, data: bytes, sender: tuple[str, int], transport: str) -> bytes | None:
        """What goes back to a guest; None when nothing does."""
        try:
            query = dns.message.from_wire(data)
        except (dns.exception.DNSException, ValueError):
            return None
        if query.flags & dns.flags.QR or len(query.question) != 1 or query.opcode() != dns.opcode.QUERY:
            return None
        question = query.question[0]
        type = dns.rdatatype.to_text(question.rdtype)
        decision = self._rules.decide(question.name, type)
        if decision is not None and decision.rule.action == BLOCK:
            reply = await self._blocked(query, decision)
            self._tell(reply, question, sender, transport, decision)
            return _wire(reply, query, transport)
        answer = await self._ask(data, transport)
        if answer is None:
            return None
        try:
            reply = dns.message.from_wire(answer, ignore_trailing=True)
        except (dns.exception.DNSException, ValueError):
            return answer
        decision = self._rules.redirected(decision, reply.answer, type)
        if decision is not None and decision.rule.action == BLOCK:
            reply = await self._blocked(query, decision)
            answer = _wire(reply, query, transport)
        self._tell(reply, question, sender, transport, decision)
        return answer

    async def _blocked(self, query: dns.message.Message, decision: Decision) -> dns.message.Message:
        """Nothing, no such name, or another name with what it answers."""
        reply, rule, question = (
            dns.message.make_response(query, recursion_available=True),
            decision.rule,
            query.question[0],
        )
        if rule.response == "NXDOMAIN":
            reply.set_rcode(dns.rcode.NXDOMAIN)
        elif rule.response == "OVERRIDE":
            reply.answer.append(dns.rrset.from_text(question.name, rule.ttl, "IN", "CNAME", f"{rule.override}."))
            other = dns.message.make_query(f"{rule.override}.", question.rdtype)
            async with self._overriding:
                found = await self._ask(other.to_wire(), TCP) if question.rdtype != dns.rdatatype.CNAME else None
            with contextlib.suppress(dns.exception.DNSException, ValueError):
                reply.answer += dns.message.from_wire(found).answer if found is not None else []
        return reply

    async def _ask(self, data: bytes, transport: str) -> bytes | None:
        """What dnsmasq answers."""
        assert self._namespace is not None and self._upstream is not None
        try:
            async with asyncio.timeout(_SECONDS):
                if transport == UDP:
                    return await self._upstream.ask(data)
                opened = await self._namespace.within(lambda: socket.create_connection(("127.0.0.1", GUARDED_PORT), 2))
                opened.setblocking(False)
                reader, writer = await asyncio.open_connection(sock=opened)
                try:
                    writer.write(framed(data))
                    return await read(reader)
                finally:
                    writer.close()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            return None

    def _tell(
        self,
        reply: dns.message.Message,
        question: dns.rrset.RRset,
        sender: tuple[str, int],
        transport: str,
        decision: Decision | None,
    ) -> None:
        document = self._document
        if document is None or not document.query_logs:
            return
        answers = _told(reply)
        self._told(
            Query(
                vpc=document.id,
                at=time.time(),
                name=question.name.to_text(),
                type=dns.rdatatype.to_text(question.rdtype),
                rcode=dns.rcode.to_text(reply.rcode()),
                answers=answers,
                address=sender[0],
                port=sender[1],
                transport=transport,
                instance=next((port.instance for port in document.ports if port.address == sender[0]), None),
                action=decision.rule.action if decision else "",
                group=decision.group if decision else "",
                domain_list=decision.rule.domain_list if decision else "",
            )
        )


def _wire(reply: dns.message.Message, query: dns.message.Message, transport: str) -> bytes:
    """A reply of our own; without its answers, and marked so, where the asker takes no datagram so large."""
    if transport == TCP:
        return reply.to_wire(max_size=65535)
    room = min(max(query.payload, _PLAIN_DATAGRAM), _LARGEST_DATAGRAM)
    try:
        return reply.to_wire(max_size=room)
    except dns.exception.TooBig:
        short = dns.message.make_response(query, recursion_available=True)
        short.set_rcode(reply.rcode())
        short.flags |= dns.flags.TC
        return short.to_wire(max_size=room)


def _told(reply: dns.message.Message) -> tuple[tuple[str, str], ...]:
    """Values and types that are answered, as far as they are logged."""
    told: list[tuple[str, str]] = []
    room = _TOLD_CHARACTERS
    for each in reply.answer:
        for item in each:
            value = item.to_text()[:room]
            room -= len(value)
            if not value or len(told) == _TOLD_ANSWERS:
                return tuple(told)
            told.append((value, dns.rdatatype.to_text(each.rdtype)))
    return tuple(told)


class _Upstream(asyncio.DatagramProtocol):
    """One socket to dnsmasq; questions get numbers of its own, so that answers find theirs."""

    def __init__(self) -> None:
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    async def ask(self, data: bytes) -> bytes:
        assert self._transport is not None
        number = secrets.randbelow(1 << 16)
        while number in self._waiting:
            number = secrets.randbelow(1 << 16)
        answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answered
        try:
            self._transport.sendto(struct.pack("!H", number) + data[2:])
            return data[:2] + (await answered)[2:]
        finally:
            del self._waiting[number]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if len(data) > 2 and (waiting := self._waiting.get(struct.unpack("!H", data[:2])[0])) and not waiting.done():
            waiting.set_result(data)

    def error_received(self, exc: Exception) -> None:
        """Dnsmasq is being restarted: guests ask again."""

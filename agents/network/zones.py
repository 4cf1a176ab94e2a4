"""The private zones of one VPC: an authoritative server on the loopback of its namespace, which dnsmasq asks.

It answers from the zones alone and follows CNAMEs, also out of them, as the resolver of a VPC does.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from agents.contract.network import NameSet, PrivateZone
from agents.network.dhcp import ZONES_PORT
from agents.network.dns_server import UDP, Address, DnsServer, open_sockets
from agents.network.namespace import Namespace

_LOOPBACK = "127.0.0.1"
_MOST_STEPS = 8
"""So many CNAMEs are followed; a circle ends here."""
_SECONDS = 2.0


class _Zone:
    """One zone, for looking names up."""

    def __init__(self, zone: PrivateZone) -> None:
        self.apex = _name(zone.name)
        self._sets: dict[tuple[dns.name.Name, str], NameSet] = {}
        self._there: set[dns.name.Name] = {self.apex}
        for each in zone.sets:
            name = _name(each.name)
            self._sets[name, each.type] = each
            while name != self.apex and name.is_subdomain(self.apex):
                self._there.add(name)
                name = name.parent()

    def find(self, name: dns.name.Name, type: str) -> tuple[dns.rrset.RRset | None, bool]:
        """The records that answer, a CNAME among them; and whether the name exists."""
        owner = name if name in self._there else self._wildcard(name)
        if owner is None:
            return None, False
        found = self._sets.get((owner, type)) or self._sets.get((owner, "CNAME"))
        return (_drawn(name, found) if found else None), True

    def authority(self) -> list[dns.rrset.RRset]:
        """What goes with an answer that says no."""
        found = self._sets.get((self.apex, "SOA"))
        return [_drawn(self.apex, found)] if found else []

    def _wildcard(self, name: dns.name.Name) -> dns.name.Name | None:
        encloser = name.parent()
        while encloser not in self._there:
            encloser = encloser.parent()
        star = dns.name.Name((b"*", *encloser.labels))
        return star if star in self._there else None


class ZoneServer:
    """Answers for the zones that it was loaded with. `upstream` is asked for names outside of them."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._zones: Mapping[dns.name.Name, _Zone] = {}
        self._loaded: tuple[PrivateZone, ...] = ()
        self._server = DnsServer(self.answer)

    def load(self, zones: tuple[PrivateZone, ...]) -> None:
        """Answer for exactly these from now on."""
        if zones != self._loaded:
            self._zones = {zone.apex: zone for zone in map(_Zone, zones)}
            self._loaded = zones

    async def listen(self, namespace: Namespace) -> None:
        """Open the sockets inside the namespace; the agent itself stays outside."""
        self.close()
        await self._server.listen(await namespace.within(lambda: open_sockets([(_LOOPBACK, ZONES_PORT)])))

    def close(self) -> None:
        """Listen no longer."""
        self._server.close()

    async def answer(self, data: bytes, sender: Address, transport: str) -> bytes | None:
        """The reply to a message; None to what is no question."""
        try:
            query = dns.message.from_wire(data)
        except (dns.exception.DNSException, ValueError):
            return None
        if query.flags & dns.flags.QR or len(query.question) != 1:
            return None
        reply = dns.message.make_response(query, our_payload=1232, recursion_available=True)
        question = query.question[0]
        if query.opcode() != dns.opcode.QUERY or question.rdclass != dns.rdataclass.IN:
            reply.set_rcode(dns.rcode.NOTIMP)
        elif dns.rdatatype.is_metatype(question.rdtype):
            reply.set_rcode(dns.rcode.REFUSED)  # transfers above all
        else:
            try:
                await self._fill(reply, question.name, dns.rdatatype.to_text(question.rdtype))
            except dns.exception.DNSException:
                reply.set_rcode(dns.rcode.SERVFAIL)
        try:
            return reply.to_wire(max_size=min(max(query.payload, 512), 1232) if transport == UDP else 65535)
        except dns.exception.TooBig:
            short = dns.message.make_response(query, our_payload=1232, recursion_available=True)
            short.flags |= dns.flags.TC
            return short.to_wire()

    async def _fill(self, reply: dns.message.Message, name: dns.name.Name, type: str) -> None:
        for _ in range(_MOST_STEPS):
            zone = self._of(name)
            if zone is None:
                await self._ask_outside(reply, name, type)
                return
            reply.flags |= dns.flags.AA
            found, exists = zone.find(dns.name.Name(tuple(label.lower() for label in name.labels)), type)
            if found is None:
                reply.set_rcode(dns.rcode.NOERROR if exists else dns.rcode.NXDOMAIN)
                reply.authority = zone.authority()
                return
            reply.answer.append(found)
            if found.rdtype != dns.rdatatype.CNAME or type == "CNAME":
                return
            name = found[0].target
        reply.set_rcode(dns.rcode.SERVFAIL)

    def _of(self, name: dns.name.Name) -> _Zone | None:
        """The nearest zone above a name."""
        labels = tuple(label.lower() for label in name.labels)
        for place in range(len(labels)):
            zone = self._zones.get(dns.name.Name(labels[place:]))
            if zone is not None:
                return zone
        return None

    async def _ask_outside(self, reply: dns.message.Message, name: dns.name.Name, type: str) -> None:
        if not reply.answer:
            reply.set_rcode(dns.rcode.REFUSED)
            return
        try:
            query = dns.message.make_query(name, type)
            found, _ = await dns.asyncquery.udp_with_fallback(query, self._upstream, _SECONDS)
        except (OSError, dns.exception.DNSException):
            reply.set_rcode(dns.rcode.SERVFAIL)
            return
        reply.answer += found.answer
        reply.set_rcode(found.rcode())


def _name(text: str) -> dns.name.Name:
    return dns.name.from_text(text)


def _drawn(name: dns.name.Name, found: NameSet) -> dns.rrset.RRset:
    """A record set under the name that was asked for; of several choices one by its weight."""
    weights = [weight for weight, _ in found.choices]
    _, values = random.choices(found.choices, weights)[0]  # noqa: S311 (a draw, no secret)
    return dns.rrset.from_text(name, found.ttl, "IN", found.type, *values)

"""What the resolver of a VPC answers from private zones: a real VPC with its dnsmasq, no machine."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

from agents.contract.network import NameSet, PrivateZone, SecurityGroup, Vpc
from agents.network.namespace import Namespace
from agents.network.zones import ZoneServer
from tests.agents import documents
from tests.agents.lab import Host, eventually

OWN, OTHER = "vpc-0ccccccccccccccc1", "vpc-0ccccccccccccccc2"
SOA = "ns. hostmaster. 1 7200 900 1209600 60"


def zone(name: str, *sets: tuple[str, str, tuple[str, ...]]) -> PrivateZone:
    """Name, type and values."""
    apex = NameSet(name=name, type="SOA", ttl=900, choices=((1, (SOA,)),))
    rest = tuple(NameSet(name=each, type=type, ttl=60, choices=((1, values),)) for each, type, values in sets)
    return PrivateZone(id=f"Z{name.upper().replace('.', '')}", name=name, sets=(apex, *rest))


CORP = zone(
    "corp.internal",
    ("db.corp.internal", "A", ("10.0.0.9",)),
    ("a.b.corp.internal", "A", ("10.0.0.8",)),
    ("*.corp.internal", "A", ("10.0.0.7",)),
    ("www.corp.internal", "CNAME", ("db.corp.internal.",)),
    ("loop.corp.internal", "CNAME", ("pool.corp.internal.",)),
    ("pool.corp.internal", "CNAME", ("loop.corp.internal.",)),
    ("big.corp.internal", "TXT", tuple(f'"{number:03d}{"x" * 200}"' for number in range(40))),
)


ASKER = ("10.0.0.5", 5353)


def ask(server: ZoneServer, name: str, type: str = "A", *, datagram: bool = True) -> dns.message.Message:
    answer = asyncio.run(
        server.answer(dns.message.make_query(name, type).to_wire(), ASKER, "UDP" if datagram else "TCP")
    )
    assert answer is not None
    return dns.message.from_wire(answer)


def values(message: dns.message.Message) -> list[str]:
    return [item.to_text() for group in message.answer for item in group]


def test_the_answers_of_a_zone() -> None:
    server = ZoneServer("127.0.0.1")
    server.load((CORP, zone("deep.corp.internal", ("x.deep.corp.internal", "A", ("10.0.0.6",)))))
    assert values(ask(server, "DB.corp.internal")) == ["10.0.0.9"]
    assert values(ask(server, "www.corp.internal")) == ["db.corp.internal.", "10.0.0.9"]
    assert values(ask(server, "any.thing.corp.internal")) == ["10.0.0.7"]
    empty = ask(server, "b.corp.internal")
    assert (empty.rcode(), empty.answer, len(empty.authority)) == (dns.rcode.NOERROR, [], 1), "it has names below"
    assert ask(server, "c.b.corp.internal").rcode() == dns.rcode.NXDOMAIN, "no wildcard of a name that is there"
    assert ask(server, "db.corp.internal", "AAAA").answer == []
    assert values(ask(server, "x.deep.corp.internal")) == ["10.0.0.6"]
    assert ask(server, "y.deep.corp.internal").rcode() == dns.rcode.NXDOMAIN, "the nearest zone answers"
    assert ask(server, "loop.corp.internal").rcode() == dns.rcode.SERVFAIL
    assert ask(server, "example.com").rcode() == dns.rcode.REFUSED
    assert ask(server, "corp.internal", "AXFR").rcode() == dns.rcode.REFUSED
    assert ask(server, "big.corp.internal", "TXT").flags & dns.flags.TC
    assert len(values(ask(server, "big.corp.internal", "TXT", datagram=False))) == 40
    for junk in (b"", b"\0" * 12, b"\xff" * 40):
        asyncio.run(server.answer(junk, ASKER, "UDP"))


def _vpc(host: Host, id: str, *zones: PrivateZone) -> Vpc:
    group = SecurityGroup(id="sg-z", ingress=documents.OPEN, egress=documents.ALL)
    port = documents.port("eni-z", "10.0.0.5", ("sg-z",))
    return documents.vpc(id, "10.0.0.0/16", (group,), (port,)).model_copy(update={"zones": zones})


@pytest.fixture
def two(host: Host) -> Iterator[Host]:
    """Two VPCs of the same range, one with a zone."""
    for document in (_vpc(host, OWN, CORP), _vpc(host, OTHER)):
        host.cloud.want(document)
        host.cloud.until_applied("vpc", document.id)
    yield host


@pytest.mark.machines
def test_a_zone_answers_in_its_vpc_alone(two: Host) -> None:
    def asked(vpc: str, name: str, type: str = "A") -> list[str]:
        def inside() -> list[str]:
            try:  # what is in no zone is asked upstream, where a machine without internet gets no answer
                seconds = 10 if vpc == OWN else 1
                return values(dns.query.udp_with_fallback(dns.message.make_query(name, type), "127.0.0.1", seconds)[0])
            except dns.exception.Timeout:
                return []

        async def within() -> list[str]:
            return await Namespace(two.names.namespace(vpc)).within(inside)

        return asyncio.run(within())

    assert asked(OWN, "www.corp.internal") == ["db.corp.internal.", "10.0.0.9"]
    assert len(asked(OWN, "big.corp.internal", "TXT")) == 40
    assert asked(OWN, "5.0.0.10.in-addr.arpa", "PTR") == ["ip-10-0-0-5.ec2.internal."], "reverse lookup"
    assert asked(OTHER, "www.corp.internal") == []
    moved = zone("corp.internal", ("db.corp.internal", "A", ("10.0.0.10",)))
    two.cloud.want(_vpc(two, OWN, moved))
    two.cloud.until_applied("vpc", OWN)
    eventually(lambda: asked(OWN, "db.corp.internal") == ["10.0.0.10"], 1, "a change is answered")
    assert asked(OTHER, "db.corp.internal") == []

"""DNS Firewall and the telling of questions: a real VPC with its dnsmasq, no machine."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rrset
import httpx
import pytest

from agents.contract.network import Firewall, FirewallRule, Inbound, QueryLog, SecurityGroup, Vpc
from agents.contract.queries import Queries, Query
from agents.network import dns_server, guard
from agents.network.namespace import Namespace
from agents.network.rules import Rules
from agents.runtime import questions
from tests.agents import documents
from tests.agents.lab import Host, eventually
from tests.agents.test_private_zones import values, zone

ID, RESOLVER = "vpc-0ccccccccccccccc3", "10.0.0.2"
CORP = zone(
    "corp.internal",
    ("db.corp.internal", "A", ("10.0.0.9",)),
    ("bad.corp.internal", "A", ("10.0.0.8",)),
    ("x.empty.corp.internal", "A", ("10.0.0.7",)),
    ("way.corp.internal", "CNAME", ("bad.corp.internal.",)),
    ("safe.corp.internal", "A", ("10.0.0.6",)),
)


def rule(action: str, *domains: str, **more: object) -> FirewallRule:
    return FirewallRule.model_validate({"action": action, "domain_list": " ".join(domains), **more})


def firewall(id: str, priority: int, group: str, rules: tuple[FirewallRule, ...]) -> Firewall:
    """One whose lists are called by what is in them."""
    lists = {rule.domain_list: tuple(rule.domain_list.split()) for rule in rules}
    return Firewall(id=id, priority=priority, group=group, rules=rules, lists=lists)


def decided(rules: Rules, name: str, type: str = "A", *, redirected: bool = False) -> str:
    found = rules.decide(dns.name.from_text(name), type, redirected=redirected)
    return found.rule.action if found else ""


def test_the_first_rule_that_fits_decides() -> None:
    late = firewall("a", 300, "g2", (rule("BLOCK", "*", response="NODATA"),))
    early = firewall(
        "b",
        200,
        "g1",
        (
            rule("ALLOW", "www.example", inspects=False),
            rule("ALERT", "*.example", type="TXT"),
            rule("BLOCK", "*.bad.example", "bad.example", response="NXDOMAIN"),
            rule("ALLOW", "*.example"),
        ),
    )
    rules = Rules((late, early))
    assert decided(rules, "WWW.example") == "ALLOW"
    assert decided(rules, "www.example", redirected=True) == "ALLOW", "of the last rule: the first does not look"
    assert (decided(rules, "x.example", "TXT"), decided(rules, "x.example")) == ("ALERT", "ALLOW")
    assert (decided(rules, "bad.example"), decided(rules, "a.b.bad.example")) == ("BLOCK", "BLOCK")
    assert (decided(rules, "example"), decided(rules, "other.test")) == ("BLOCK", "BLOCK"), "* is everything"
    assert decided(Rules(()), "x.example") == ""


async def test_few_look_ups_of_other_names_are_under_way_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    open_now, most, go_on = 0, 0, asyncio.Event()

    async def upstream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        query = dns.message.from_wire(await dns_server.read(reader))
        await go_on.wait()
        reply = dns.message.make_response(query)
        reply.answer.append(dns.rrset.from_text(query.question[0].name, 5, "IN", "A", "10.0.0.6"))
        open_now -= 1
        writer.write(dns_server.framed(reply.to_wire()))
        writer.close()

    class Here:
        async def within(self, action: Callable[[], object]) -> object:
            return action()

    server = await asyncio.start_server(upstream, "127.0.0.1", 0)
    monkeypatch.setattr(guard, "GUARDED_PORT", server.sockets[0].getsockname()[1])
    made = guard.Guard(lambda query: None)
    made.load(document(rule("BLOCK", "bad.example", response="OVERRIDE", override="safe.example", ttl=5)))
    await made.listen(Here(), [])  # type: ignore[arg-type]
    question = dns.message.make_query("bad.example", "A").to_wire()
    asking = [asyncio.ensure_future(made._answer(question, ("10.0.0.5", 5353), "UDP")) for _ in range(60)]
    async with asyncio.timeout(10):
        while open_now < guard._OVERRIDES:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    assert most == guard._OVERRIDES == 20
    go_on.set()
    for answer in await asyncio.gather(*asking):
        assert answer is not None and len(dns.message.from_wire(answer).answer) == 2, "all are answered in the end"
    assert most == guard._OVERRIDES
    made.close()
    server.close()


def test_a_reply_of_our_own_fits_what_the_asker_takes() -> None:
    small, large = dns.message.make_query("x.test", "A"), dns.message.make_query("x.test", "A", use_edns=0, payload=512)
    for query in (small, large):
        reply = dns.message.make_response(query)
        reply.answer.append(dns.rrset.from_text("x.test.", 1, "IN", "A", *(f"10.0.{n}.1" for n in range(250))))
        told = guard._wire(reply, query, "UDP")
        assert len(told) <= 512 and dns.message.from_wire(told).flags & dns.flags.TC
        assert len(guard._wire(reply, query, "TCP")) > 4000
        assert len(guard._told(reply)) == 100


def test_questions_are_told_in_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    class Client:
        """Takes nothing above a size, and nothing that names `bad`."""

        def __init__(self) -> None:
            self.told: list[str] = []

        async def queries(self, told: Queries) -> None:
            assert len(told.model_dump_json()) <= 128 * 1024
            if any(query.name == "bad" for query in told.queries):
                request = httpx.Request("POST", "http://x.test")
                raise httpx.HTTPStatusError("no", request=request, response=httpx.Response(422))
            self.told += [query.name for query in told.queries]

    def query(vpc: str, name: str) -> Query:
        return Query(vpc=vpc, at=0, name=name, type="A", rcode="NOERROR", address="10.0.0.5", port=1, transport="UDP")

    monkeypatch.setattr(questions, "_PERIOD", 0)
    monkeypatch.setattr(questions, "time", SimpleNamespace(monotonic=lambda: 7.0))
    client = Client()
    made = questions.Questions(client)  # type: ignore[arg-type]
    made.add(query("v", "bad"))
    for number in range(3000):
        made.add(query("v", f"{number}." + "x" * 200))
        made.add(query(f"v{number}", "other"))

    async def run() -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(made.run(), 1)

    asyncio.run(run())
    assert 600 < sum("x" in name for name in client.told) < 1000, "of one VPC only so many, without the refused batch"
    assert client.told.count("other") > 2600
    monkeypatch.setattr(questions, "_MOST_BYTES", 1000)
    for number in range(50):
        made.add(query(f"w{number}", "x"))
    assert 0 < len(made._kept) < 10


def document(*rules: FirewallRule, log: bool = False) -> Vpc:
    group = SecurityGroup(id="sg-z", ingress=documents.OPEN, egress=documents.ALL)
    port = documents.port("eni-z", "10.0.0.5", ("sg-z",))
    firewalls = (firewall("a", 200, "g", rules),) if rules else ()
    logs = (QueryLog(id="l"),) if log else ()
    more = {"zones": (CORP,), "firewalls": firewalls, "query_logs": logs}
    return documents.vpc(ID, "10.0.0.0/16", (group,), (port,)).model_copy(update=more)


@pytest.fixture
def want(host: Host) -> Iterator[Callable[[Vpc], None]]:
    def wanted(of: Vpc) -> None:
        host.cloud.want(of)
        host.cloud.until_applied("vpc", ID)

    yield wanted


@pytest.mark.machines
def test_questions_are_blocked_answered_and_told(host: Host, want: Callable[[Vpc], None]) -> None:
    def asked(
        name: str, type: str = "A", *, tcp: bool = False, at: str = RESOLVER, seconds: float = 10
    ) -> dns.message.Message:
        def inside() -> dns.message.Message:
            ask = dns.query.tcp if tcp else dns.query.udp
            return ask(dns.message.make_query(name, type), at, seconds)

        async def within() -> dns.message.Message:
            return await Namespace(host.names.namespace(ID)).within(inside)

        return asyncio.run(within())

    want(document())
    assert values(asked("bad.corp.internal")) == ["10.0.0.8"]
    blocks = (
        rule("BLOCK", "bad.corp.internal", response="NXDOMAIN"),
        rule("BLOCK", "*.empty.corp.internal", response="NODATA"),
        rule("BLOCK", "db.corp.internal", response="OVERRIDE", override="safe.corp.internal", ttl=7),
    )
    want(document(*blocks, log=True))
    for tcp in (False, True):
        assert asked("BAD.corp.internal", tcp=tcp).rcode() == dns.rcode.NXDOMAIN
    empty = asked("x.empty.corp.internal")
    assert (empty.rcode(), empty.answer) == (dns.rcode.NOERROR, [])
    other = asked("db.corp.internal")
    assert values(other) == ["safe.corp.internal.", "10.0.0.6"] and other.answer[0].ttl == 7
    assert asked("way.corp.internal").rcode() == dns.rcode.NXDOMAIN, "where a CNAME leads is looked at"
    assert values(asked("safe.corp.internal", tcp=True)) == ["10.0.0.6"]
    assert values(asked("5.0.0.10.in-addr.arpa", "PTR")) == ["ip-10-0-0-5.ec2.internal."]
    eventually(lambda: len(host.cloud.queries) >= 7, 10, "questions are told")
    told = {query.name: query for query in host.cloud.queries}
    db = told["db.corp.internal."]
    assert (db.vpc, db.type, db.rcode, db.action, db.group) == (ID, "A", "NOERROR", "BLOCK", "g")
    assert db.domain_list == "db.corp.internal"
    assert db.answers == (("safe.corp.internal.", "CNAME"), ("10.0.0.6", "A"))
    assert (told["safe.corp.internal."].transport, told["safe.corp.internal."].action) == ("TCP", "")
    inbound = (Inbound(id="in", addresses=("10.0.0.77",)),)
    want(document(*blocks).model_copy(update={"inbounds": inbound}))
    assert asked("bad.corp.internal", at="10.0.0.77").rcode() == dns.rcode.NXDOMAIN, "an endpoint is guarded too"
    want(document().model_copy(update={"inbounds": inbound}))
    assert values(asked("bad.corp.internal")) == ["10.0.0.8"], "dnsmasq has its place back"
    assert values(asked("bad.corp.internal", at="10.0.0.77")) == ["10.0.0.8"]
    want(document())
    with pytest.raises((dns.exception.Timeout, OSError)):
        asked("bad.corp.internal", at="10.0.0.77", seconds=1)

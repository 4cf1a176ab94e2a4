"""Networks as one host must have them: VPCs with their subnets, ports and security groups."""

from __future__ import annotations

from typing import Literal

from agents.contract.base import Document

METADATA = "169.254.169.254"
"""Where guests find the metadata service, and under the endpoint's port the cloud's own API."""
API_NAME = "celaje.internal"
"""By this name, and any below it, guests find the cloud's own API."""


class Subnet(Document):
    """One subnet: a bridge on every host that has a port in it. `vni` joins the bridges of several hosts."""

    id: str
    cidr: str
    gateway: str
    vni: int
    mac: str
    """The gateway's MAC address, the same on every host."""


class Rule(Document):
    """One allow rule. Exactly one of `cidr` and `group` is set: a group means the addresses of its members."""

    protocol: str
    """tcp, udp, icmp, icmpv6, a protocol number, or -1 for all."""
    from_port: int | None = None
    to_port: int | None = None
    cidr: str | None = None
    group: str | None = None


class SecurityGroup(Document):
    """A security group with the private addresses of all its members in the VPC, on whatever host they are."""

    id: str
    name: str = ""
    """Told to the machines by the metadata service."""
    ingress: tuple[Rule, ...] = ()
    egress: tuple[Rule, ...] = ()
    members: tuple[str, ...] = ()


class Port(Document):
    """An elastic network interface that has its end on this host."""

    id: str
    subnet: str
    mac: str
    address: str
    public_address: str | None = None
    groups: tuple[str, ...] = ()
    hostname: str
    instance: str | None = None
    source_dest_check: bool = True


class Route(Document):
    """One route of a subnet's table: `target` is local, internet, none (blackhole) or a port's id."""

    cidr: str
    target: str


class RouteTable(Document):
    """The routes that hold for the named subnets."""

    id: str
    subnets: tuple[str, ...]
    routes: tuple[Route, ...]


class RemotePort(Document):
    """A port of the same VPC on another host: where its frames must be sent."""

    subnet: str
    mac: str
    address: str
    host_address: str


class NameSet(Document):
    """What a name answers for a type: one of the `choices` (weight, values), drawn anew for each question. Names are
    absolute, in small letters and without the last dot; values are in the form of zone files."""

    name: str
    type: str
    ttl: int
    choices: tuple[tuple[int, tuple[str, ...]], ...]


class PrivateZone(Document):
    """A zone that answers in this VPC alone."""

    id: str
    name: str
    sets: tuple[NameSet, ...] = ()


class Forward(Document):
    """Who answers for a name and all below it: `address#port`. Without targets the resolver asks as usual."""

    id: str
    name: str
    targets: tuple[str, ...] = ()


class Inbound(Document):
    """Further addresses in this VPC at which its resolver answers."""

    id: str
    addresses: tuple[str, ...]


class FirewallRule(Document):
    """A rule of DNS Firewall. The first whose list of domains and `type` (empty: any) fit a question decides. `action`
    is ALLOW, ALERT or BLOCK; `response` to what is blocked is NODATA, NXDOMAIN or OVERRIDE (a CNAME). With `inspects`,
    names that CNAMEs lead to are looked at too.
    """

    action: str
    domain_list: str
    type: str = ""
    response: str = ""
    override: str = ""
    ttl: int = 0
    inspects: bool = True


class Firewall(Document):
    """Rules in their order. Of several firewalls the one with the lowest priority comes first. `lists` holds the
    domains that rules name by id, each list once: `name`, `*.name` for all below it, `*`."""

    id: str
    priority: int
    group: str
    rules: tuple[FirewallRule, ...] = ()
    lists: dict[str, tuple[str, ...]] = {}


class QueryLog(Document):
    """That the questions of a VPC are told to the control plane."""

    id: str


class Vpc(Document):
    """Everything that a host must know of one VPC. The host's desired state holds one a VPC that has a port on it."""

    kind: Literal["vpc"] = "vpc"
    id: str
    cidrs: tuple[str, ...]
    dns_domain: str
    subnets: tuple[Subnet, ...] = ()
    route_tables: tuple[RouteTable, ...] = ()
    groups: tuple[SecurityGroup, ...] = ()
    ports: tuple[Port, ...] = ()
    remote_ports: tuple[RemotePort, ...] = ()
    zones: tuple[PrivateZone, ...] = ()
    forwards: tuple[Forward, ...] = ()
    firewalls: tuple[Firewall, ...] = ()
    query_logs: tuple[QueryLog, ...] = ()
    inbounds: tuple[Inbound, ...] = ()

    @property
    def guarded(self) -> bool:
        """Whether every question must be looked at."""
        return bool(self.firewalls or self.query_logs)

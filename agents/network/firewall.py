"""The nftables rules of one VPC on one host, computed whole and put in place in one transaction.

Table `bridge celaje` lets a port send only from its own addresses. Table `inet celaje` holds the security groups as
two chains on the forward hook, egress of the sender before ingress of the receiver: what one accepts goes on to the
other, and both drop by default. A sender is known by its MAC address, which the bridge has checked, a receiver by the
next hop, because a port that forwards for others (without source/destination check) sends and gets foreign addresses.
Both chains keep state by connection tracking, which works here because ports are isolated on their bridge and therefore
every packet between two of them is routed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, ip_network

from agents.contract.network import Port, Rule, SecurityGroup, Vpc
from agents.names import Names, bridge, group_set

UPLINK = "uplink"
_TRACKED = ("ct state established,related accept", "ct state invalid drop")
_ANY = IPv4Network("0.0.0.0/0")


def ruleset(vpc: Vpc, names: Names, services: Iterable[int]) -> str:
    """The script that replaces both tables. `services` are the TCP ports that guests may reach on the router."""
    lines = []
    for family, body in (("bridge", _bridge(vpc, names)), ("inet", _inet(vpc, names, services))):
        lines += [f"table {family} celaje", f"delete table {family} celaje", f"table {family} celaje {{", *body, "}"]
    return "\n".join(lines) + "\n"


def _bridge(vpc: Vpc, names: Names) -> list[str]:
    bound = [(names.tap(port.id), port.mac, port.address) for port in vpc.ports]
    routers = [names.tap(port.id) for port in vpc.ports if not port.source_dest_check]
    return [
        _set("senders", "ifname . ether_addr . ipv4_addr", [f'"{tap}" . {mac} . {ip}' for tap, mac, ip in bound]),
        _set("cards", "ifname . ether_addr", [f'"{tap}" . {mac}' for tap, mac, _ in bound]),
        _set("routers", "ifname", [f'"{tap}"' for tap in routers]),
        "chain prerouting {",
        "type filter hook prerouting priority filter; policy accept;",
        f'iifname "{names.tap_prefix}*" jump sent',
        "}",
        "chain sent {",
        "iifname . ether saddr != @cards drop",
        "ether type arp iifname . arp saddr ether . arp saddr ip @senders accept",
        "ether type arp iifname . arp saddr ether @cards arp saddr ip 0.0.0.0 accept",
        "ether type ip iifname . ether saddr . ip saddr @senders accept",
        "ether type ip ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 accept",
        "ether type ip iifname @routers accept",
        "drop",
        "}",
    ]


def _inet(vpc: Vpc, names: Names, services: Iterable[int]) -> list[str]:
    public = [(port.public_address, port.address) for port in vpc.ports if port.public_address]
    bridges = ", ".join(f'"{bridge(subnet.id)}"' for subnet in vpc.subnets)
    tcp = ", ".join(str(port) for port in sorted({53, 80, *services}))
    return [
        _set("bridges", "ifname", [bridges] if bridges else []),
        _map("public", "ipv4_addr : ipv4_addr", [f"{outer} : {inner}" for outer, inner in public]),
        _map("private", "ipv4_addr : ipv4_addr", [f"{inner} : {outer}" for outer, inner in public]),
        *(_set(group_set(group.id), "ipv4_addr", group.members) for group in vpc.groups),
        *_security_groups(vpc),
        "chain translate_in {",
        "type nat hook prerouting priority dstnat; policy accept;",
        f'iifname "{UPLINK}" dnat ip to ip daddr map @public',
        "}",
        "chain translate_out {",
        "type nat hook postrouting priority srcnat; policy accept;",
        f'oifname "{UPLINK}" snat ip to ip saddr map @private',
        "}",
        "chain egress {",
        "type filter hook forward priority filter; policy drop;",
        *_TRACKED,
        "iifname != @bridges accept",
        "ether saddr vmap @senders",
        "}",
        "chain ingress {",
        "type filter hook forward priority filter + 10; policy drop;",
        *_TRACKED,
        f'oifname "{UPLINK}" ip saddr @translated accept',
        f'oifname "{names.overlay_prefix}*" accept',
        "oifname @bridges rt ip nexthop vmap @receivers",
        "}",
        "chain input {",
        "type filter hook input priority filter; policy drop;",
        *_TRACKED,
        'iifname "lo" accept',
        "iifname != @bridges drop",
        "udp dport { 53, 67 } accept",
        f"tcp dport {{ {tcp} }} accept",
        "icmp type echo-request accept",
        "}",
        _set("translated", "ipv4_addr", [inner for _, inner in public]),
    ]


def _security_groups(vpc: Vpc) -> list[str]:
    """Chains a group and a combination of groups, and the maps from a port to its combination."""
    known = {group.id: group for group in vpc.groups}
    lines = [line for group in vpc.groups for line in _group_chains(group, known)]
    senders, receivers = [], []
    combinations: dict[str, tuple[str, ...]] = {}
    for port in vpc.ports:
        groups = tuple(sorted(id for id in port.groups if id in known))
        name = hashlib.sha256(" ".join(groups).encode()).hexdigest()[:12]
        combinations[name] = groups
        senders.append(f"{port.mac} : jump from_{name}")
        receivers.append(f"{_address(port)} : jump to_{name}")
    for name, groups in sorted(combinations.items()):
        for direction in ("from", "to"):
            jumps = [f"jump {direction}_{group_set(id)}" for id in groups]
            lines += [f"chain {direction}_{name} {{", *jumps, "}"]
    return [
        *lines,
        _map("senders", "ether_addr : verdict", senders),
        _map("receivers", "ipv4_addr : verdict", receivers),
    ]


def _group_chains(group: SecurityGroup, known: dict[str, SecurityGroup]) -> list[str]:
    lines = []
    for direction, side, rules in (("from", "daddr", group.egress), ("to", "saddr", group.ingress)):
        lines.append(f"chain {direction}_{group_set(group.id)} {{")
        lines += [text for rule in rules if (text := _rule(rule, side, known)) is not None]
        lines.append("}")
    return lines


def _rule(rule: Rule, side: str, known: dict[str, SecurityGroup]) -> str | None:
    """One allow rule, or None when it can match nothing here (IPv6, a group without a member in this VPC)."""
    parts = []
    if rule.group is not None:
        if rule.group not in known:
            return None
        parts.append(f"ip {side} @{group_set(rule.group)}")
    elif rule.cidr is not None:
        network = ip_network(rule.cidr, strict=False)
        if not isinstance(network, IPv4Network):
            return None
        if network != _ANY:
            parts.append(f"ip {side} {network}")
    parts += _protocol(rule)
    return " ".join([*parts, "accept"])


def _protocol(rule: Rule) -> list[str]:
    low, high = rule.from_port, rule.to_port
    if rule.protocol == "-1":
        return []
    if rule.protocol in ("tcp", "udp"):
        if low is None or low == -1:
            return [f"meta l4proto {rule.protocol}"]
        return [f"{rule.protocol} dport {int(low)}-{int(high if high is not None else low)}"]
    if rule.protocol == "icmp":
        if low is None or low == -1:
            return ["meta l4proto icmp"]
        code = [] if high is None or high == -1 else [f"icmp code {int(high)}"]
        return [f"icmp type {int(low)}", *code]
    number = 58 if rule.protocol == "icmpv6" else int(rule.protocol)
    return [f"meta l4proto {number}"]


def _address(port: Port) -> IPv4Address:
    return IPv4Address(port.address)


def _set(name: str, kind: str, elements: Iterable[str]) -> str:
    return _named("set", name, kind, elements)


def _map(name: str, kind: str, elements: Iterable[str]) -> str:
    return _named("map", name, kind, elements)


def _named(what: str, name: str, kind: str, elements: Iterable[str]) -> str:
    listed = ", ".join(elements)
    return f"{what} {name} {{ type {kind}; " + (f"elements = {{ {listed} }}; " if listed else "") + "}"

"""The rules of a VPC: what text they become, and that the kernel takes it."""

from __future__ import annotations

import os
import secrets
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.contract.network import Rule, SecurityGroup, Vpc
from agents.names import Names, group_set
from agents.network.firewall import ruleset
from tests.agents import documents

NAMES = Names("test")


def _vpc(*rules: Rule, members: int = 1) -> Vpc:
    group = SecurityGroup(id="sg-1", ingress=rules, egress=documents.ALL)
    ports = tuple(
        documents.port(f"eni-{n}", f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", ("sg-1",)) for n in range(5, 5 + members)
    )
    return documents.vpc("vpc-1", "10.0.0.0/8", (group,), ports)


def _allowed(rule: Rule) -> list[str]:
    """The ingress rules that one rule becomes."""
    script = ruleset(_vpc(rule), NAMES, [])
    body = script.split(f"chain to_{group_set('sg-1')} {{\n")[1].split("}")[0]
    return [line for line in body.splitlines() if line]


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (Rule(protocol="-1", cidr="0.0.0.0/0"), "accept"),
        (
            Rule(protocol="tcp", from_port=22, to_port=22, cidr="192.0.2.0/24"),
            "ip saddr 192.0.2.0/24 tcp dport 22-22 accept",
        ),
        (Rule(protocol="tcp", cidr="0.0.0.0/0"), "meta l4proto tcp accept"),
        (Rule(protocol="udp", from_port=0, to_port=65535, cidr="0.0.0.0/0"), "udp dport 0-65535 accept"),
        (Rule(protocol="icmp", from_port=8, to_port=0, cidr="0.0.0.0/0"), "icmp type 8 icmp code 0 accept"),
        (Rule(protocol="icmp", from_port=-1, to_port=-1, cidr="0.0.0.0/0"), "meta l4proto icmp accept"),
        (Rule(protocol="50", cidr="10.0.0.5/32"), "ip saddr 10.0.0.5/32 meta l4proto 50 accept"),
        (
            Rule(protocol="tcp", from_port=1, to_port=2, group="sg-1"),
            f"ip saddr @{group_set('sg-1')} tcp dport 1-2 accept",
        ),
    ],
)
def test_a_rule_becomes_one_line(rule: Rule, text: str) -> None:
    assert _allowed(rule) == [text]


def test_rules_that_can_match_nothing_are_left_out() -> None:
    assert _allowed(Rule(protocol="-1", cidr="::/0")) == []
    assert _allowed(Rule(protocol="-1", group="sg-unknown")) == []


def test_text_from_outside_cannot_become_rules() -> None:
    for rule in (
        Rule(protocol="tcp; accept", cidr="0.0.0.0/0"),
        Rule(protocol="-1", cidr="0.0.0.0/0 accept"),
    ):
        with pytest.raises(ValueError):
            ruleset(_vpc(rule), NAMES, [])


@pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")
def test_the_kernel_takes_what_is_made() -> None:
    rules = (
        *(Rule(protocol="tcp", from_port=port, to_port=port + 1, cidr=f"192.0.{port}.0/24") for port in range(60)),
        Rule(protocol="icmp", from_port=8, to_port=-1, cidr="0.0.0.0/0"),
        Rule(protocol="-1", group="sg-1"),
    )
    name = f"test-{secrets.token_hex(4)}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        for members in (0, 1, 300, 2):
            script = ruleset(_vpc(*rules, members=members), NAMES, [4566])
            done = subprocess.run(
                ["ip", "netns", "exec", name, "nft", "-f", "-"], input=script, text=True, capture_output=True
            )
            assert done.returncode == 0, done.stderr
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


_PORTS = st.none() | st.integers()
_CIDRS = st.text(max_size=20) | st.just("10.0.0.0/8")


@given(st.builds(Rule, protocol=st.text(max_size=8), from_port=_PORTS, to_port=_PORTS, cidr=_CIDRS))
def test_whatever_a_rule_says_it_is_one_line_or_refused(rule: Rule) -> None:
    try:
        lines = _allowed(rule)
    except ValueError:
        return
    assert len(lines) <= 1 and all(line.endswith("accept") and ";" not in line and "{" not in line for line in lines)

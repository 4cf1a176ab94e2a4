"""DNS Firewall: which rule decides about a question."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import dns.name
import dns.rdatatype
import dns.rrset

from agents.contract.network import Firewall, FirewallRule

BLOCK, ALLOW = "BLOCK", "ALLOW"


@dataclass(frozen=True, slots=True)
class Decision:
    """A rule, and the group that it is of."""

    group: str
    rule: FirewallRule


class Rules:
    """The rules of all firewalls of a VPC in their order, for looking names up."""

    def __init__(self, firewalls: Iterable[Firewall]) -> None:
        ordered = sorted(firewalls, key=lambda each: each.priority)
        self._decisions = [Decision(each.group, rule) for each in ordered for rule in each.rules]
        self._places: dict[str, list[int]] = {}
        """By list."""
        for place, decision in enumerate(self._decisions):
            self._places.setdefault(decision.rule.domain_list, []).append(place)
        self._exact: dict[str, list[str]] = {}
        """Lists by domain."""
        self._below: dict[str, list[str]] = {}
        for id, domains in {id: domains for each in ordered for id, domains in each.lists.items()}.items():
            for domain in domains:
                table = self._below if domain.startswith("*") else self._exact
                table.setdefault(domain.removeprefix("*").strip("."), []).append(id)

    def decide(self, name: dns.name.Name, type: str, *, redirected: bool = False) -> Decision | None:
        """The first rule that fits; for a name that a CNAME leads to only of those that look at such."""
        labels = name.to_text(omit_final_dot=True).lower().split(".")
        lists = set(self._exact.get(".".join(labels), ()))
        for start in range(1, len(labels) + 1):
            lists.update(self._below.get(".".join(labels[start:]), ()))
        places = [place for id in lists for place in self._places.get(id, ())]
        fitting = (
            decision
            for decision in map(self._decisions.__getitem__, sorted(places))
            if decision.rule.type in ("", type) and (decision.rule.inspects or not redirected)
        )
        return next(fitting, None)

    def redirected(self, first: Decision | None, answer: Iterable[dns.rrset.RRset], type: str) -> Decision | None:
        """What is decided in the end, with the names that CNAMEs lead to: `first` is about the one that was asked."""
        if first is not None and not first.rule.inspects:
            return first
        for group in answer:
            if group.rdtype != dns.rdatatype.CNAME:
                continue
            found = self.decide(group[0].target, type, redirected=True)
            if found is not None and found.rule.action == BLOCK:
                return found
            first = first or found
        return first

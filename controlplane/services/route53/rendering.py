"""What a zone answers now: its records, with the healthy ones chosen and aliases followed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from controlplane.engines.dns.contract import Answer
from controlplane.services.route53 import names, records

_ALIAS_TTL = 60
_MOST_MULTIVALUES = 8
_DEEPEST = 8
_ELSEWHERE = "*"


class Renderer:
    """One zone. `sick` are the ids of health checks that fail, `region` the cloud's own."""

    def __init__(self, rows: Iterable[Any], sick: set[str], region: str) -> None:
        self._sets: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
        for row in rows:
            self._sets[row["name"], row["type"]].append(row["content"])
        self._sick = sick
        self._region = region

    def zone(self) -> dict[tuple[str, str], Answer]:
        """All answers, for the engine."""
        found = {}
        for name, type in self._sets:
            answer = self._answer(name, type, 0)
            if answer is not None:
                found[names.served(name), type] = answer
        return found

    def _answer(self, name: str, type: str, depth: int) -> Answer | None:
        members = self._sets.get((name, type), [])
        healthy = [content for content in members if self._healthy(content, depth)]
        # Where all are sick, AWS takes all of them for healthy.
        chosen = self._chosen(healthy or members)
        answers = [(weight, self._of_one(content, type, depth)) for weight, content in chosen]
        there = [(weight, answer) for weight, answer in answers if answer is not None and answer.choices]
        if not there:
            return None
        if all("MultiValueAnswer" in content for _, content in chosen):
            values = [value for _, answer in there for value in answer.choices[0][1]]
            return Answer(there[0][1].ttl, ((1, tuple(dict.fromkeys(values))[:_MOST_MULTIVALUES]),))
        if len(there) == 1:
            return there[0][1]
        ttl = min(answer.ttl for _, answer in there)
        return Answer(ttl, tuple((weight, _merged(answer)) for weight, answer in there))

    def _of_one(self, content: Mapping[str, Any], type: str, depth: int) -> Answer | None:
        target = content.get("AliasTarget")
        if target is None:
            values = tuple(records.served(type, item["Value"]) for item in content["ResourceRecords"])
            return Answer(int(content["TTL"]), ((1, values),))
        if depth >= _DEEPEST:
            return None
        answer = self._answer(target["DNSName"], type, depth + 1)
        return Answer(_ALIAS_TTL, answer.choices) if answer is not None else None

    def _healthy(self, content: Mapping[str, Any], depth: int) -> bool:
        if content.get("HealthCheckId") in self._sick:
            return False
        target = content.get("AliasTarget")
        if target is None or not target["EvaluateTargetHealth"] or depth >= _DEEPEST:
            return True
        key = next((key for key in self._sets if key[0] == target["DNSName"]), None)
        return key is None or any(self._healthy(item, depth + 1) for item in self._sets[key])

    def _chosen(self, members: list[Mapping[str, Any]]) -> list[tuple[int, Mapping[str, Any]]]:
        """The members that may answer, with their weights."""
        if not members:
            return []
        first = members[0]
        if "Failover" in first:
            primary = [content for content in members if content["Failover"] == "PRIMARY"]
            return [(1, (primary or members)[0])]
        if "Region" in first:
            return [(1, min(members, key=lambda content: _distance(content["Region"], self._region)))]
        if "GeoLocation" in first:
            # Where a question comes from is not known here, so that the record for everywhere else answers.
            everywhere = [content for content in members if content["GeoLocation"].get("CountryCode") == _ELSEWHERE]
            return [(1, content) for content in everywhere[:1]]
        if "Weight" in first:
            weighted = [(int(content["Weight"]), content) for content in members]
            positive = [(weight, content) for weight, content in weighted if weight]
            return positive or [(1, content) for _, content in weighted]
        return [(1, content) for content in members]


def _merged(answer: Answer) -> tuple[str, ...]:
    """Of an alias to a weighted set within a weighted set, the heaviest answers."""
    return max(answer.choices, key=lambda choice: choice[0])[1]


def _distance(region: str, own: str) -> tuple[int, str]:
    """How far away a region is: the own one first, then those of the same continent."""
    continent = own.partition("-")[0]
    return (0 if region == own else 1 if region.startswith(f"{continent}-") else 2), region

"""What a zone answers now: its records, with the healthy ones chosen and aliases followed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from controlplane.core.public_names import AliasTarget
from controlplane.engines.dns.contract import Answer
from controlplane.services.route53 import aliases, geography, names, reach, records
from controlplane.services.route53.places import Place

_ALIAS_TTL = 60
_MOST_MULTIVALUES = 8


class Renderer:
    """One zone. `sick` are the ids of health checks that fail, `targets` are what aliases to other services lead to.
    Whoever asks is taken to be at `own`, or, from a network in `near`, at that place."""

    def __init__(
        self,
        rows: Iterable[Any],
        sick: set[str],
        targets: aliases.Targets,
        own: Place,
        near: Mapping[str, Place] | None = None,
    ) -> None:
        self._targets = targets
        self._sets: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
        for row in rows:
            self._sets[row["name"], row["type"]].append(row["content"])
        self._first = {name: (name, type) for name, type in reversed(self._sets)}
        # An alias may be met on many ways, each of which doubles with each step: it is looked at once a depth, and once
        # a place where its answer goes by the place.
        self._answers: dict[tuple[str, str, int], Answer | None] = {}
        self._same: dict[tuple[str, str, int], Answer | None] = {}
        self._values: dict[int, Answer] = {}
        self._well: dict[tuple[str, int], bool] = {}
        self._sick = sick
        self._own = own
        self._located = reach.located(self._sets) if near else set()
        self._near = dict(near or {}) if self._located else {}

    def zone(self) -> dict[tuple[str, str], Answer]:
        """All answers, for the engine. For each place only what depends on it is worked out anew."""
        here = self._at(self._own, self._sets)
        there = {place: self._at(place, self._located) for place in set(self._near.values())}
        found = {}
        for key in self._sets:
            answer = self._everywhere(here[key], {place: each[key] for place, each in there.items() if key in each})
            if answer is not None:
                found[names.served(key[0]), key[1]] = answer
        return found

    def _at(self, place: Place, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Answer | None]:
        self._place = place
        self._answers.clear()
        return {key: self._answer(*key, 0) for key in keys}

    def _everywhere(self, answer: Answer | None, near: Mapping[Place, Answer | None]) -> Answer | None:
        """What a name answers, with what it answers near by."""
        none = Answer(_ALIAS_TTL, ())
        here = answer or none
        other = {place: each or none for place, each in near.items()}
        if all(each.choices == here.choices for each in other.values()):
            return answer
        ttl = min(each.ttl for each in (here, *other.values()))
        return Answer(ttl, here.choices, tuple((net, other[place].choices) for net, place in self._near.items()))

    def _answer(self, name: str, type: str, depth: int) -> Answer | None:
        key, known = (name, type, depth), self._answers if (name, type) in self._located else self._same
        if key not in known:
            known[key] = self._work_out(name, type, depth)
        return known[key]

    def _work_out(self, name: str, type: str, depth: int) -> Answer | None:
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
            return self._plain(content, type)
        if (found := self._of_service(target)) is not None:
            return Answer(_ALIAS_TTL, ((1, values),)) if (values := aliases.values(type, found)) else None
        if depth >= reach.DEEPEST:
            return None
        answer = self._answer(target["DNSName"], type, depth + 1)
        return Answer(_ALIAS_TTL, answer.choices) if answer is not None else None

    def _plain(self, content: Mapping[str, Any], type: str) -> Answer:
        if id(content) not in self._values:
            values = tuple(records.served(type, item["Value"]) for item in content["ResourceRecords"])
            self._values[id(content)] = Answer(int(content["TTL"]), ((1, values),))
        return self._values[id(content)]

    def _of_service(self, target: Mapping[str, Any]) -> AliasTarget | None:
        found = self._targets.get(target["DNSName"])
        return found if found is not None and found.zone_id == target["HostedZoneId"] else None

    def _healthy(self, content: Mapping[str, Any], depth: int) -> bool:
        if content.get("HealthCheckId") in self._sick:
            return False
        target = content.get("AliasTarget")
        if target is None or not target["EvaluateTargetHealth"] or depth >= reach.DEEPEST:
            return True
        if (found := self._of_service(target)) is not None:
            return found.healthy
        name = target["DNSName"]
        if (name, depth) not in self._well:
            key = self._first.get(name)
            self._well[name, depth] = key is None or any(self._healthy(item, depth + 1) for item in self._sets[key])
        return self._well[name, depth]

    def _chosen(self, members: list[Mapping[str, Any]]) -> list[tuple[int, Mapping[str, Any]]]:
        """The members that may answer, with their weights."""
        if not members:
            return []
        first = members[0]
        if "Failover" in first:
            primary = [content for content in members if content["Failover"] == "PRIMARY"]
            return [(1, (primary or members)[0])]
        if "Region" in first:
            return [(1, min(members, key=lambda content: self._place.distance(content["Region"])))]
        if "GeoLocation" in first:
            nearest = max(members, key=lambda content: self._place.fits(content["GeoLocation"]))
            return [(1, nearest)] if self._place.fits(nearest["GeoLocation"]) else []
        if "GeoProximityLocation" in first:
            here = self._place.point()
            return [(1, min(members, key=lambda content: geography.biased(here, content["GeoProximityLocation"])))]
        if "CidrRoutingConfig" in first:
            closest = max(members, key=lambda content: self._place.within(content["CidrRoutingConfig"]))
            return [(1, closest)] if self._place.within(closest["CidrRoutingConfig"]) else []
        if "Weight" in first:
            weighted = [(int(content["Weight"]), content) for content in members]
            positive = [(weight, content) for weight, content in weighted if weight]
            return positive or [(1, content) for _, content in weighted]
        return [(1, content) for content in members]


def _merged(answer: Answer) -> tuple[str, ...]:
    """Of an alias to a weighted set within a weighted set, the heaviest answers."""
    return max(answer.choices, key=lambda choice: choice[0])[1]

"""Traffic policies: documents of rules and endpoints, worked out into record sets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import orjson

from controlplane.services.route53.errors import InvalidTrafficPolicyDocument

_FORMATS = ("2015-10-01", "2023-05-09")
_TYPES = ("A", "AAAA", "CAA", "CNAME", "MX", "NAPTR", "PTR", "SPF", "SRV", "TXT")
_BRANCHES = {"weighted": "Items", "multivalue": "Items", "latency": "Regions", "geo": "Locations"}
_LARGEST, _MOST_RULES, _MOST_SETS = 102400, 50, 1000
_WEBSITE = "s3-website"
_WEBSITE_NAME = re.compile(r"s3-website[.-][a-z]{2}(-[a-z]+)+-[0-9](\.[a-z0-9-]{1,63}){1,9}")


class Policy:
    """A document that was checked. Raises InvalidTrafficPolicyDocument."""

    def __init__(self, text: str) -> None:
        if len(text) > _LARGEST:
            raise InvalidTrafficPolicyDocument("The document is too long.")
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise InvalidTrafficPolicyDocument("The document is not JSON.") from error
        if not isinstance(found, dict) or found.get("AWSPolicyFormatVersion") not in _FORMATS:
            raise InvalidTrafficPolicyDocument(f"AWSPolicyFormatVersion must be one of {', '.join(_FORMATS)}.")
        self.type = str(found.get("RecordType"))
        if self.type not in _TYPES:
            raise InvalidTrafficPolicyDocument("RecordType is not one that a policy can have.")
        self._rules, self._endpoints = _named(found, "Rules"), _named(found, "Endpoints")
        if len(self._rules) > _MOST_RULES:
            raise InvalidTrafficPolicyDocument(f"There are more than {_MOST_RULES} rules.")
        self._start = (found.get("StartRule"), found.get("StartEndpoint"))
        if sum(item is not None for item in self._start) != 1:
            raise InvalidTrafficPolicyDocument("Exactly one of StartRule and StartEndpoint is required.")
        self.sets("name.test.", {"id": "Z0", "name": "name.test."}, "0", 60)  # follows every reference

    def sets(self, name: str, zone: Mapping[str, Any], instance: str, ttl: int) -> list[dict[str, Any]]:
        """The record sets that answer for a name; those of inner rules have names of their own in the zone. Aliases to
        what a service has do not say their hosted zone."""
        rule, endpoint = self._start
        if endpoint is not None:
            return [{"Name": name, "Type": self.type, **self._value(str(endpoint), ttl)}]
        # A rule that several lead to is there for each of them: few rules can be very many sets.
        found = list(islice(self._of_rule(str(rule), name, _Names(zone, instance), ttl, ()), _MOST_SETS + 1))
        if len(found) > _MOST_SETS:
            raise InvalidTrafficPolicyDocument(f"The rules make more than {_MOST_SETS} record sets.")
        return found

    def _of_rule(self, id: str, name: str, names: _Names, ttl: int, above: tuple[str, ...]) -> Iterator[dict[str, Any]]:
        rule = self._rules.get(id)
        if rule is None or id in above:
            raise InvalidTrafficPolicyDocument(f"The rule {id[:100]} is not there, or leads to itself.")
        for number, (branch, routing) in enumerate(_branches(rule)):
            content = {"Name": name, "Type": self.type, "SetIdentifier": f"{names.instance}-{number}", **routing}
            if branch.get("HealthCheck"):
                content["HealthCheckId"] = str(branch["HealthCheck"])
            if branch.get("RuleReference") is not None:
                inner = names.next()
                yield from self._of_rule(str(branch["RuleReference"]), inner, names, ttl, (*above, id))
                evaluate = bool(branch.get("EvaluateTargetHealth", False))
                target = {"DNSName": inner, "EvaluateTargetHealth": evaluate, "HostedZoneId": names.zone_id}
                yield {**content, "AliasTarget": target}
            else:
                yield {**content, **self._value(str(branch.get("EndpointReference")), ttl)}

    def _value(self, id: str, ttl: int) -> dict[str, Any]:
        endpoint = self._endpoints.get(id)
        if endpoint is None or not isinstance(endpoint.get("Value"), str):
            raise InvalidTrafficPolicyDocument(f"The endpoint {id[:100]} is not there or has no value.")
        kind = endpoint.get("Type", "value")
        if kind == "value":
            return {"TTL": ttl, "ResourceRecords": [{"Value": endpoint["Value"]}]}
        if kind != _WEBSITE:
            raise InvalidTrafficPolicyDocument("Endpoints of this cloud are values and websites of S3.")
        return {"AliasTarget": {"DNSName": _website(endpoint), "EvaluateTargetHealth": False}}


class _Names:
    """Names for the record sets of inner rules."""

    def __init__(self, zone: Mapping[str, Any], instance: str) -> None:
        self.instance = instance[:8]
        self.zone_id = zone["id"]
        self._zone = zone["name"]
        self._count = 0

    def next(self) -> str:
        self._count += 1
        return f"_tp{self._count}-{self.instance}.{self._zone}"


def _named(found: Mapping[str, Any], member: str) -> dict[str, Mapping[str, Any]]:
    given = found.get(member) or {}
    if not isinstance(given, dict) or not all(isinstance(item, dict) for item in given.values()):
        raise InvalidTrafficPolicyDocument(f"{member} must be an object of objects.")
    return given


def _website(endpoint: Mapping[str, Any]) -> str:
    """The name that an alias has for a website. The value is that name, or the bucket's: then the region says it."""
    value = endpoint["Value"].lower()
    name = value if value.startswith(_WEBSITE) else f"{_WEBSITE}-{endpoint.get('Region')}.amazonaws.com"
    if not _WEBSITE_NAME.fullmatch(name):
        raise InvalidTrafficPolicyDocument("A website's endpoint has a region.")
    return str(name)


def _branches(rule: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], dict[str, Any]]]:
    """What a rule chooses from, each with the member of a record set that says when."""
    kind = rule.get("RuleType")
    if kind == "failover":
        for member in ("Primary", "Secondary"):
            if isinstance(rule.get(member), dict):
                yield rule[member], {"Failover": member.upper()}
        return
    branches = rule.get(_BRANCHES.get(str(kind), ""))
    if not isinstance(branches, list) or not branches or not all(isinstance(item, dict) for item in branches):
        raise InvalidTrafficPolicyDocument(f"A rule of type {str(kind)[:30]} cannot be worked out.")
    for branch in branches:
        yield branch, _routing(str(kind), branch)


def _routing(kind: str, branch: Mapping[str, Any]) -> dict[str, Any]:
    if kind == "multivalue":
        return {"MultiValueAnswer": True}
    if kind == "latency":
        return {"Region": str(branch.get("Region"))}
    if kind == "weighted":
        weight = str(branch.get("Weight"))
        if not weight.isascii() or not weight.isdigit() or int(weight[:4]) > 255:
            raise InvalidTrafficPolicyDocument("A weight is a number from 0 to 255.")
        return {"Weight": int(weight)}
    if branch.get("IsDefault"):
        return {"GeoLocation": {"CountryCode": "*"}}
    members = {"ContinentCode": "Continent", "CountryCode": "Country", "SubdivisionCode": "Subdivision"}
    location = {code: str(branch[name]) for code, name in members.items() if branch.get(name)}
    if not location:
        raise InvalidTrafficPolicyDocument("A location says where it is.")
    return {"GeoLocation": location}

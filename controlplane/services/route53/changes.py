"""A batch of changes: checked as a whole, then done as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controlplane.core.context import Context
from controlplane.services.route53 import aliases, cidr, geography, names, queries, reach, records, sizes
from controlplane.services.route53.errors import InvalidChangeBatch, InvalidDomainName, InvalidInput, NoSuchHealthCheck

MOST_RECORDS = 10_000
_MOST_VALUES = 400
ROUTING = (
    "Weight", "Region", "Failover", "GeoLocation", "MultiValueAnswer", "CidrRoutingConfig", "GeoProximityLocation",
)  # fmt: skip
_ONCE = ("Failover", "Region", "GeoLocation", "CidrRoutingConfig", "GeoProximityLocation")
_NOT_BUILT = ("TrafficPolicyInstanceId",)
_KEPT = ("Name", "Type", "SetIdentifier", *ROUTING, "TTL", "ResourceRecords", "AliasTarget", "HealthCheckId")
_NO_POLICY = {"SOA", "NS"}

Key = tuple[str, str, str]


class Batch:
    """The records of a locked zone, and what a request makes of them."""

    def __init__(self, zone: Any, rows: list[Any]) -> None:
        self._zone = zone
        self._targets: aliases.Targets = {}
        self._service_zones: frozenset[str] = frozenset()
        self._name = zone["name"]
        self.before: dict[Key, Mapping[str, Any]] = {
            (row["name"], row["type"], row["identifier"]): row["content"] for row in rows
        }
        self.after = dict(self.before)
        self.messages: list[str] = []
        self._instance: str | None = None

    def apply(self, given: list[Mapping[str, Any]]) -> None:
        """Raises InvalidInput for what is no change at all, InvalidChangeBatch for what cannot be done."""
        if excess := sizes.excess(given):
            raise InvalidChangeBatch(excess)
        touched: set[tuple[Key, str]] = set()
        for item in given:
            _check_shape(item)
            self._apply_one(item["Action"], item["ResourceRecordSet"], touched)
        if not self.messages:
            self._check_whole()
        if self.messages:
            raise InvalidChangeBatch(self.messages)

    async def look_up(self, ctx: Context, given: list[Mapping[str, Any]]) -> None:
        """Find out what services have of all that changes lead to, before they are applied."""
        engine = ctx.engine("public_names")
        contents = [_content("", item["ResourceRecordSet"]) for item in given if item["Action"] != "DELETE"]
        self._service_zones = engine.zones
        self._targets = await aliases.Aliases(engine, ctx.db, ctx.cloud).targets(contents, self._zone)

    def replace(self, instance: str, given: list[Mapping[str, Any]]) -> None:
        """Do changes in place of the record sets of a traffic policy instance. Raises as `apply` does."""
        self._instance = instance
        own = [key for key, content in self.after.items() if content.get("TrafficPolicyInstanceId") == instance]
        for key in own:
            del self.after[key]
        self.apply(given)

    def _apply_one(self, action: str, given: Mapping[str, Any], touched: set[tuple[Key, str]]) -> None:
        try:
            name = names.normal(given["Name"])
        except InvalidDomainName as error:
            self.messages.append(f"FATAL problem: {error.message} encountered with '{given['Name'][:100]}'")
            return
        content = _content(name, given)
        if self._instance is not None:
            content["TrafficPolicyInstanceId"] = self._instance
        key = (name, given["Type"], given.get("SetIdentifier") or "")
        kind = "DELETE" if action == "DELETE" else "PUT"
        if (key, kind) in touched or ((key, "PUT") in touched and kind == "DELETE"):
            self.messages.append(
                f"The request contains an invalid set of changes for a resource record set '{key[1]} {name}'"
            )
            return
        touched.add((key, kind))
        if not names.within(name, self._name):
            self.messages.append(f"RRSet with DNS name {name} is not permitted in zone {self._name}")
            return
        values = _values(content)
        problems = [problem for item in values if (problem := records.problem(key[1], item))]
        problems += [f"Duplicate Resource Record: '{item}'" for item in {i for i in values if values.count(i) > 1}]
        if len(values) > _MOST_VALUES:
            problems.append(f"Cannot have more than {_MOST_VALUES} records in a RRSet.")
        if key[1] in ("CNAME", "SOA") and len(values) > 1:
            problems.append(f"Too many values for a resource record set of type {key[1]}: {len(values)}")
        if problems and action != "DELETE":
            self.messages += problems
            return
        self._change(action, key, content)

    def _change(self, action: str, key: Key, content: Mapping[str, Any]) -> None:
        there = self.after.get(key)
        if there is not None and there.get("TrafficPolicyInstanceId") and self._instance is None:
            self.messages.append(f"The resource record set {_told(key)} is of a traffic policy instance")
            return
        if action == "CREATE" and there is not None:
            self.messages.append(f"Tried to create resource record set {_told(key)} but it already exists")
        elif action == "DELETE" and there is None:
            self.messages.append(f"Tried to delete resource record set {_told(key)} but it was not found")
        elif action == "DELETE" and _comparable(there) != _comparable(content):
            self.messages.append(
                f"Tried to delete resource record set {_told(key)} but the values provided do not match the current "
                "values"
            )
        elif action == "DELETE":
            del self.after[key]
        else:
            self.after[key] = content

    def _check_whole(self) -> None:
        """What must hold between the records of a zone."""
        types: dict[str, set[str]] = {}
        sets: dict[tuple[str, str], list[tuple[str, Mapping[str, Any]]]] = {}
        for (name, type, identifier), content in self.after.items():
            types.setdefault(name, set()).add(type)
            sets.setdefault((name, type), []).append((identifier, content))
        apex = types.get(self._name, set())
        if "SOA" not in apex:
            self.messages.append("A HostedZone must contain exactly one SOA record.")
        if "NS" not in apex:
            self.messages.append("A HostedZone must contain at least one NS record for the zone itself.")
        changed = {key for key in self.after if self.after[key] is not self.before.get(key)}
        for name, type, _ in sorted(changed):
            self._check_name(name, type, types[name])
        for name, type in sorted({key[:2] for key in changed}):
            self._check_set(name, type, sets[name, type])
        for key in sorted(changed):
            self._check_alias(key, self.after[key])
        self._check_loop({key[:2] for key in changed if "AliasTarget" in self.after[key]})
        if len(self.after) > MOST_RECORDS:
            self.messages.append(f"Exceeded limit MAX_RRSETS_BY_ZONE for zone: {self._zone['id']}")

    def _check_name(self, name: str, type: str, types: set[str]) -> None:
        if type == "CNAME" and name == self._name:
            self.messages.append(f"RRSet of type CNAME with DNS name {name} is not permitted at apex in zone {name}")
        elif "CNAME" in types and len(types) > 1:
            other = "CNAME" if type != "CNAME" else min(types - {"CNAME"})
            self.messages.append(
                f"RRSet of type {type} with DNS name {name} is not permitted because a conflicting RRSet of type "
                f"{other} with the same DNS name already exists in zone {self._name}"
            )
        elif type == "SOA" and name != self._name:
            self.messages.append(f"RRSet of type SOA with DNS name {name} is not permitted in zone {self._name}")

    def _check_set(self, name: str, type: str, members: list[tuple[str, Mapping[str, Any]]]) -> None:
        kinds = {next((kind for kind in ROUTING if kind in content), "simple") for _, content in members}
        if len(kinds) > 1:
            self.messages.append(
                f"RRSet with DNS name {name}, type {type} cannot be created because a set with another routing policy "
                "exists with the same name and type."
            )
            return
        (kind,) = kinds
        if kind in _ONCE:
            values = [str(content[kind]) for _, content in members]
            if len(set(values)) < len(values):
                self.messages.append(
                    f"RRSet with DNS name {name}, type {type} cannot be created as another one with the same {kind} "
                    "exists."
                )
        if kind == "CidrRoutingConfig":
            if self._zone["private"]:
                self.messages.append(f"RRSet with DNS name {name}: IP-based routing is for public hosted zones only.")
            if len({content[kind]["CollectionId"] for _, content in members}) > 1:
                self.messages.append(f"RRSet with DNS name {name}, type {type} must name one CIDR collection.")
        if type in _NO_POLICY and kind != "simple" and name == self._name:
            self.messages.append(f"RRSet of type {type} with DNS name {name} cannot have a routing policy.")

    def _check_alias(self, key: Key, content: Mapping[str, Any]) -> None:
        target = content.get("AliasTarget")
        if target is None:
            return
        name, zone = target["DNSName"], target["HostedZoneId"]
        told = f"Tried to create an alias that targets {name}, type {key[1]} in zone {zone}, but"
        if zone != self._zone["id"]:
            found = self._targets.get(name)
            unknown = zone in self._service_zones or not aliases.may_be_of_aws(name)
            if found.zone_id != zone if found is not None else unknown:
                self.messages.append(f"{told} the alias target name does not lie within the target zone")
            elif found is not None and key[1] not in aliases.TYPES:
                self.messages.append(f"{told} that target was not found")
        elif not names.within(name, self._name):
            self.messages.append(f"{told} the alias target name does not lie within the target zone")
        elif not any(other[:2] == (name, key[1]) and other != key for other in self.after):
            self.messages.append(f"{told} that target was not found")

    def _check_loop(self, aliased: set[tuple[str, str]]) -> None:
        found = reach.loop(reach.grouped(self.after.values())) if aliased else ()
        for name, type in sorted(aliased & set(found)):
            self.messages.append(
                f"RRSet of type {type} with DNS name {name} is not permitted as it creates a CNAME or alias loop in "
                "the zone."
            )

    async def write(self, ctx: Context) -> None:
        """Raises NoSuchHealthCheck, InvalidChangeBatch."""
        changed = {key: content for key, content in self.after.items() if content is not self.before.get(key)}
        checks = {content["HealthCheckId"] for content in changed.values() if content.get("HealthCheckId")}
        if checks:
            await _check_health_checks(ctx, checks)
        wanted = {_location(content) for content in changed.values() if "CidrRoutingConfig" in content}
        if missing := await cidr.missing(ctx, wanted):
            raise InvalidChangeBatch(missing)
        if excess := await cidr.excess(ctx, self.after.values()):
            raise InvalidChangeBatch([excess])
        for key in self.before.keys() - self.after.keys():
            await queries.drop_record(ctx.db, self._zone["id"], *key)
        for (name, type, identifier), content in changed.items():
            place, check = names.sort_key(name), content.get("HealthCheckId")
            await queries.put_record(ctx.db, self._zone["id"], name, type, identifier, place, check, content)


async def _check_health_checks(ctx: Context, ids: set[str]) -> None:
    sql = "SELECT id FROM route53_health_checks WHERE account_id = $1 AND id = ANY($2)"
    found = {row["id"] for row in await ctx.db.fetch(sql, ctx.account_id, sorted(ids))}
    for id in sorted(ids - found):
        raise NoSuchHealthCheck(f"A health check with id {id} does not exist.")


def _location(content: Mapping[str, Any]) -> tuple[str, str]:
    config = content["CidrRoutingConfig"]
    return config["CollectionId"], config["LocationName"]


def _told(key: Key) -> str:
    identifier = f", set-identifier='{key[2]}'" if key[2] else ""
    return f"[name='{key[0]}', type='{key[1]}'{identifier}]"


def _check_shape(change: Mapping[str, Any]) -> None:
    """Raises InvalidInput."""
    given = change["ResourceRecordSet"]
    where = (
        f"in Change with [Action={change['Action']}, Name={given['Name']}, Type={given['Type']}, "
        f"SetIdentifier={given.get('SetIdentifier') or 'null'}]"
    )
    for name in _NOT_BUILT:
        if given.get(name):
            raise InvalidInput(f"Invalid request: {name} is not built by this cloud, {where}")
    plain = given.get("TTL") is not None and bool(given.get("ResourceRecords"))
    some = given.get("TTL") is not None or bool(given.get("ResourceRecords"))
    alias = bool(given.get("AliasTarget"))
    forms = "[AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId]"
    if alias and some:
        raise InvalidInput(f"Invalid request: Expected exactly one of {forms}, but found more than one {where}")
    if not alias and not plain:
        raise InvalidInput(f"Invalid request: Expected exactly one of {forms}, but found none {where}")
    routes = [name for name in ROUTING if given.get(name) is not None]
    identifier = given.get("SetIdentifier")
    expected = "[Weight, Region, Failover, GeoLocation, MultiValueAnswer, CidrRoutingConfig, or GeoProximityLocation]"
    if len(routes) > 1:
        raise InvalidInput(f"Invalid request: Expected exactly one of {expected}, but found more than one {where}")
    if routes and not identifier:
        raise InvalidInput(f"Invalid request: Missing field 'SetIdentifier' {where}")
    if identifier and not routes:
        raise InvalidInput(f"Invalid request: Expected exactly one of {expected}, but found none {where}")
    if routes == ["GeoProximityLocation"]:
        _check_proximity(given["GeoProximityLocation"], where)
    if routes == ["MultiValueAnswer"] and (alias or not given["MultiValueAnswer"]):
        raise InvalidInput(f"Invalid request: MultiValueAnswer is true, and never of an alias, {where}")


def _check_proximity(location: Mapping[str, Any], where: str) -> None:
    """Raises InvalidInput."""
    kinds = [kind for kind in ("AWSRegion", "LocalZoneGroup", "Coordinates") if location.get(kind)]
    if len(kinds) != 1:
        raise InvalidInput(
            f"Invalid request: Expected exactly one of [AWSRegion, LocalZoneGroup, or Coordinates] {where}"
        )
    if kinds == ["LocalZoneGroup"] or (kinds == ["AWSRegion"] and location["AWSRegion"] not in geography.REGIONS):
        raise InvalidInput(f"Invalid request: {location[kinds[0]]} is not known, {where}")
    if kinds == ["Coordinates"]:
        latitude, longitude = geography.point(location)
        if abs(latitude) > 90 or abs(longitude) > 180:
            raise InvalidInput(f"Invalid request: the coordinates are not on earth, {where}")


def _content(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    content = {member: given[member] for member in _KEPT if given.get(member) is not None}
    content["Name"] = name
    if "AliasTarget" in content:
        target = content["AliasTarget"]
        zone = str(target["HostedZoneId"]).rpartition("/")[2]
        try:
            content["AliasTarget"] = {**target, "HostedZoneId": zone, "DNSName": names.normal(target["DNSName"])}
        except InvalidDomainName as error:
            raise InvalidInput(f"Invalid request: {error.message}") from error
    return content


def _values(content: Mapping[str, Any]) -> list[str]:
    return [item["Value"] for item in content.get("ResourceRecords") or ()]


def _comparable(content: Mapping[str, Any] | None) -> dict[str, Any]:
    """Without the order of values."""
    assert content is not None
    return {**content, "ResourceRecords": sorted(_values(content))}

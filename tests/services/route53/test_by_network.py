"""Answers that go by the network of whoever asks: CIDR collections, and geoproximity."""

from __future__ import annotations

import uuid
from typing import Any

import dns.edns
import dns.message
import dns.query
import pytest
from botocore.exceptions import ClientError

from controlplane.engines.dns import powerdns
from controlplane.engines.dns.contract import Answer
from controlplane.services.route53 import geography, places, reach
from controlplane.services.route53.rendering import Renderer
from tests.cloud import PLACES, Account, Cloud
from tests.services.organizations.test_organizations import code
from tests.services.route53.conftest import Zone

SCOPED = "1::%',os.execute('id'),'/48"
"""Python takes it for a network."""


class Collection:
    """A CIDR collection."""

    def __init__(self, account: Account) -> None:
        self.client = account.client("route53")
        made = self.client.create_cidr_collection(Name="places", CallerReference=uuid.uuid4().hex)["Collection"]
        self.id, self.arn = made["Id"], made["Arn"]

    def change(self, location: str, *blocks: str, action: str = "PUT", **more: Any) -> str:
        changes = [{"LocationName": location, "Action": action, "CidrList": list(blocks)}]
        return str(self.client.change_cidr_collection(Id=self.id, Changes=changes, **more)["Id"])

    def record(self, zone: Zone, location: str, value: str) -> dict[str, Any]:
        config = {"CollectionId": self.id, "LocationName": location}
        return zone.set("here", "A", value, SetIdentifier=f"in {location}", CidrRoutingConfig=config)


def asked_from(cloud: Cloud, zone: Zone, network: str, name: str = "here") -> list[str]:
    option = dns.edns.ECSOption.from_text(network)
    question = dns.message.make_query(f"{name}.{zone.name}", "A", use_edns=0, options=[option])
    answer = cloud.ask_dns(question).answer
    return sorted(item.to_text() for group in answer for item in group)


def test_the_narrowest_block_of_a_collection_counts(zone: Zone, account: Account, cloud: Cloud) -> None:
    made = Collection(account)
    made.change("office", "198.51.0.0/16", "2001:db8::/32")
    made.change("lab", "198.51.7.0/24")
    zone.put(
        made.record(zone, "office", "192.0.2.1"),
        made.record(zone, "lab", "192.0.2.2"),
        made.record(zone, "*", "192.0.2.3"),
    )
    told = {
        net: asked_from(cloud, zone, net) for net in ("198.51.9.0/24", "198.51.7.9/32", "2001:db8::/48", "9.9.9.0/24")
    }
    assert list(told.values()) == [["192.0.2.1"], ["192.0.2.2"], ["192.0.2.1"], ["192.0.2.3"]]
    zone.sync(made.change("lab", "9.9.9.0/24"))
    assert asked_from(cloud, zone, "9.9.9.0/24") == ["192.0.2.2"], "a change of the collection is answered"
    many = [f"10.{high}.{low}.0/24" for high in range(3) for low in range(256)]
    zone.sync(made.change("lab", *many))
    assert (asked_from(cloud, zone, "10.2.255.0/24"), asked_from(cloud, zone, "9.8.0.0/16")) == (
        ["192.0.2.2"],
        ["192.0.2.3"],
    )
    test = zone.client.test_dns_answer(
        HostedZoneId=zone.id, RecordName=f"here.{zone.name}", RecordType="A", EDNS0ClientSubnetIP="198.51.9.0"
    )
    assert test["RecordData"] == ["192.0.2.1"]


def test_no_scope_of_an_address_comes_to_the_engine(zone: Zone) -> None:
    one, other = ((1, ("192.0.2.1",)),), ((1, ("it's \"\\",)),)
    ((_, _, content, _, _),) = powerdns.rows("x.test", {("x.test", "A"): Answer(1, one, ((SCOPED, other),))})
    assert content == "A \";if netmask({'1::/48'}) then return {'it\\039s \\034\\092'} end return {'192.0.2.1'}\""
    name = f"x.{zone.name}"
    assert code(lambda: zone.change(zone.set("x", "AAAA", "::1%\nx"))) == "InvalidChangeBatch"
    asked = {"HostedZoneId": zone.id, "RecordName": name, "RecordType": "A", "EDNS0ClientSubnetIP": "fe80::1%x"}
    assert code(lambda: zone.client.test_dns_answer(**asked)) == "InvalidInput"


def test_collections_are_versioned_and_kept_while_used(zone: Zone, account: Account, cloud: Cloud) -> None:
    made, client = Collection(account), account.client("route53")
    lost = made.record(zone, "office", "192.0.2.1")
    assert code(lambda: zone.change(lost)) == "InvalidChangeBatch", "no such location"
    for block in ("10.0.0.0/25", "10.0.0.1/24", "2001:db8::/64", "0.0.0.0/0", "nonsense", SCOPED):
        assert code(lambda block=block: made.change("office", block)) == "InvalidInput", block
    made.change("office", "198.51.100.0/24", CollectionVersion=1)
    stale = lambda: made.change("office", "203.0.113.0/24", CollectionVersion=1)  # noqa: E731
    assert code(stale) == "CidrCollectionVersionMismatchException"
    zone.change(lost)
    last = lambda: made.change("office", "198.51.100.0/24", action="DELETE_IF_EXISTS")  # noqa: E731
    assert code(last) == "CidrBlockInUseException"
    assert code(lambda: client.delete_cidr_collection(Id=made.id)) == "CidrCollectionInUseException"
    again = lambda: client.create_cidr_collection(Name="places", CallerReference="other")  # noqa: E731
    assert code(again) == "CidrCollectionAlreadyExistsException"
    assert client.list_cidr_locations(CollectionId=made.id)["CidrLocations"] == [{"LocationName": "office"}]
    blocks = [{"CidrBlock": "198.51.100.0/24", "LocationName": "office"}]
    assert client.list_cidr_blocks(CollectionId=made.id)["CidrBlocks"] == blocks
    nowhere = lambda: client.list_cidr_blocks(CollectionId=made.id, LocationName="x")  # noqa: E731
    assert code(nowhere) == "NoSuchCidrLocationException"
    other = Zone(cloud, cloud.new_account())
    foreign = {"CollectionId": made.id, "LocationName": "*"}
    stolen = other.set("x", "A", "192.0.2.1", SetIdentifier="x", CidrRoutingConfig=foreign)
    assert code(lambda: other.change(stolen)) == "InvalidChangeBatch", "another account's"
    zone.put(lost, action="DELETE")
    change = last()
    assert client.get_change(Id=change)["ChangeInfo"]["Status"] == "INSYNC"
    client.delete_cidr_collection(Id=made.id)
    assert client.list_cidr_collections()["CidrCollections"] == []


def test_the_nearest_place_answers_and_a_bias_moves_it(zone: Zone, cloud: Cloud) -> None:
    def near(name: str, identifier: str, value: str, **location: Any) -> dict[str, Any]:
        return zone.set(name, "A", value, SetIdentifier=identifier, GeoProximityLocation=location)

    paris = {"Coordinates": {"Latitude": "48.86", "Longitude": "2.35"}}
    zone.put(
        near("p", "a", "192.0.2.1", AWSRegion="us-east-1"),
        near("p", "b", "192.0.2.2", **paris),
        near("p", "c", "192.0.2.3", AWSRegion="ap-south-1"),
        near("b", "a", "192.0.2.1", AWSRegion="us-east-1", Bias=99),
        near("b", "b", "192.0.2.2", **paris, Bias=-90),
    )
    told = {net: asked_from(cloud, zone, net, "p") for net in ("10.81.0.0/24", "10.83.0.0/24", "10.84.0.0/24")}
    assert list(told.values()) == [["192.0.2.2"], ["192.0.2.1"], ["192.0.2.3"]], "Germany, California, Mumbai"
    assert asked_from(cloud, zone, "10.81.0.0/24", "b") == ["192.0.2.1"]
    for bad in ({}, {"AWSRegion": "us-moon-1"}, {"LocalZoneGroup": "x"}, {"AWSRegion": "us-east-1", **paris}):
        assert code(lambda bad=bad: zone.change(near("x", "x", "192.0.2.9", **bad))) == "InvalidInput", bad
    far = {"Coordinates": {"Latitude": "99", "Longitude": "0"}}
    assert code(lambda: zone.change(near("x", "x", "192.0.2.9", **far))) == "InvalidInput"


def row(name: str, *values: str, to: str = "", **content: Any) -> dict[str, Any]:
    """A record set as the database has it: values, or an alias."""
    plain = {"TTL": 60, "ResourceRecords": [{"Value": value} for value in values]}
    alias = {"AliasTarget": {"DNSName": to, "HostedZoneId": "Z", "EvaluateTargetHealth": False}}
    return {"name": name, "type": "A", "content": {"Name": name, "Type": "A", **(alias if to else plain), **content}}


def excess(rows: list[dict[str, Any]], networks: int) -> str | None:
    return reach.excess(reach.grouped(item["content"] for item in rows), networks)


CONFIG = {"CollectionId": "c", "LocationName": "7"}


def test_only_names_that_go_by_places_are_worked_out_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = [row(f"n{number}.t.", "192.0.2.9", Weight=1) for number in range(100)]
    ring = [row("ring.t.", to=f"n{number}.t.", Weight=1) for number in range(100)]
    ways = [row("way.t.", to="here.t.", Weight=1), row("way.t.", to="ring.t.", Weight=1)]
    rows = [*plain, *ring, *ways, row("here.t.", "192.0.2.1", CidrRoutingConfig=CONFIG)]
    near = {f"10.0.{number}.0/24": places.Place(locations=(("c", str(number)),)) for number in range(200)}
    worked, rest = Renderer._work_out, iter(range(3 * 100 + 2 + 3 * 201))

    def counted(self: Renderer, name: str, type: str, depth: int) -> Answer | None:
        next(rest)
        return worked(self, name, type, depth)

    monkeypatch.setattr(Renderer, "_work_out", counted)
    found = Renderer(rows, set(), {}, places.Place(), near).zone()
    assert [net for net, choices in found["here.t", "A"].near if choices] == ["10.0.7.0/24"]
    assert [net for net, choices in found["way.t", "A"].near if len(choices) == 2] == ["10.0.7.0/24"]
    assert found["n5.t", "A"] == Answer(60, ((1, ("192.0.2.9",)),))


def test_no_zone_is_taken_that_takes_long_to_be_worked_out() -> None:
    circle = [row(f"n{n}.t.", to=f"n{other}.t.", Weight=1) for n in range(95) for other in range(95) if n != other]
    placed = [row("x.t.", "192.0.2.1", CidrRoutingConfig=CONFIG), row("n0.t.", to="x.t.", Weight=1)]
    assert "records that go by places" in str(excess([*circle, *placed], 400))
    assert excess([*circle, *placed], 2) is None
    values = [f"10.0.{number // 256}.{number % 256}" for number in range(1000)]
    fans = [row(f"n{n}.t.", to="many.t.", Weight=1) for n in range(20) for _ in range(90)]
    assert "characters" in str(excess([*fans, row("many.t.", *values)], 0))
    assert excess([*fans, row("many.t.", *values[:500])], 0) is None
    near = [row("x.t.", "192.0.2.1", CidrRoutingConfig=CONFIG, Weight=1), row("x.t.", to="many.t.", Weight=1)]
    assert "characters" in str(excess([*near, row("many.t.", *values)], 2000))
    chain = [row(f"n{n}.t.", to=f"n{n + 1}.t.") for n in range(5000)]
    assert excess(chain, 1000) is None and reach.loop(reach.grouped(item["content"] for item in chain)) == []


def test_names_that_go_by_a_collection_times_its_blocks_are_bounded(zone: Zone, account: Account) -> None:
    made = Collection(account)
    made.change("here", *(f"10.{number // 250}.{number % 250}.0/24" for number in range(900 - len(PLACES))))
    config = {"CollectionId": made.id, "LocationName": "*"}
    target = {"HostedZoneId": zone.id.rpartition("/")[2], "DNSName": f"n0.{zone.name}", "EvaluateTargetHealth": False}

    def batch(*sets: dict[str, Any]) -> str:
        return code(lambda: zone.change(*sets))

    near = [zone.set(f"n{n}", "A", "192.0.2.1", SetIdentifier="a", CidrRoutingConfig=config) for n in range(112)]
    assert batch(*near) == "InvalidChangeBatch"
    zone.change(*near[:50], *(zone.set(f"a{n}", "A", AliasTarget=target) for n in range(61)))
    assert batch(near[50]) == batch(zone.set("a61", "A", AliasTarget=target)) == "InvalidChangeBatch"
    placed = zone.set("a61", "A", "192.0.2.1", SetIdentifier="a", GeoLocation={"CountryCode": "*"})
    assert batch(placed) == "InvalidChangeBatch"
    assert code(lambda: made.change("here", "10.200.0.0/24", "10.201.0.0/24")) == "LimitsExceeded"
    made.change("here", "10.0.0.0/24", action="DELETE_IF_EXISTS")
    made.change("here", "10.200.0.0/24")


def test_aliases_in_a_circle_are_refused(zone: Zone) -> None:
    def alias(name: str, to: str) -> dict[str, Any]:
        where = {"HostedZoneId": zone.id.rpartition("/")[2], "DNSName": f"{to}.{zone.name}"}
        target = {**where, "EvaluateTargetHealth": False}
        return zone.set(name, "A", AliasTarget=target, SetIdentifier=to, Weight=1)

    end = zone.set("c", "A", "192.0.2.1", SetIdentifier="end", Weight=1)
    zone.change(alias("a", "b"), alias("b", "c"), end)
    for sets in ([alias("c", "a")], [alias("c", "c")], [alias("x", "y"), alias("y", "x")]):
        with pytest.raises(ClientError, match="creates a CNAME or alias loop in the zone"):
            zone.change(*sets)


def test_what_is_known_of_a_network_holds_within_it() -> None:
    found = places.of_networks({"10.0.0.0/8": "EU-DE"}, [("c", "wide", "10.0.0.0/9"), ("c", "tight", "10.1.0.0/16")])
    assert {network: (place.country, place.locations) for network, place in found.items()} == {
        "10.0.0.0/8": ("DE", ()),
        "10.0.0.0/9": ("DE", (("c", "wide"),)),
        "10.1.0.0/16": ("DE", (("c", "tight"),)),
    }
    assert places.place("EU-DE").point() == geography.REGIONS["eu-central-1"]
    london, paris = geography.REGIONS["eu-west-2"], geography.REGIONS["eu-west-3"]
    apart = geography.biased(london, {"AWSRegion": "eu-west-3"})
    assert 330 < apart < 350 and geography.biased(paris, {"AWSRegion": "eu-west-3"}) == 0
    assert geography.biased(london, {"AWSRegion": "eu-west-3", "Bias": 50}) == apart / 2
    assert geography.biased(london, {"AWSRegion": "eu-west-3", "Bias": -50}) == apart * 2

"""Hosted zones and their records through boto3, and what is answered on the served port."""

from __future__ import annotations

import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cloud import Account, Cloud
from tests.services.organizations.test_organizations import code
from tests.services.route53.conftest import Zone

VALUES = {
    "A": ["192.0.2.1", "192.0.2.2"],
    "AAAA": ["2001:db8::1"],
    "CAA": ['0 issue "ca.example.net"'],
    "CNAME": ["www.example.net."],
    "DS": ["12345 8 2 " + "AB" * 32],
    "HTTPS": ['1 . alpn="h2"'],
    "MX": ["10 mail.example.net.", "20 mail2.example.net."],
    "NAPTR": ['100 10 "u" "sip+E2U" "!^.*$!sip:a@example.net!" .'],
    "NS": ["ns1.example.net.", "ns2.example.net."],
    "PTR": ["host.example.net."],
    "SPF": ['"v=spf1 -all"'],
    "SRV": ["1 2 443 srv.example.net."],
    "SSHFP": ["1 1 " + "ab" * 20],
    "SVCB": ["1 svc.example.net. port=53"],
    "TLSA": ["3 1 1 " + "ab" * 32],
    "TXT": ['"one; two" "three"', r'"a \"quoted\" word and \303\244"'],
}


def refusal(call: Any) -> str:
    with pytest.raises(ClientError) as refused:
        call()
    return str(refused.value.response["Error"]["Message"])


def test_a_zone_answers_with_what_it_began_with(zone: Zone) -> None:
    servers = zone.made["DelegationSet"]["NameServers"]
    assert len(servers) == 4 and zone.made["HostedZone"]["ResourceRecordSetCount"] == 2
    assert zone.ask("@", "NS") == sorted(f"{server}." for server in servers)
    (authority,) = zone.ask("@", "SOA")
    assert authority == f"{servers[0]}. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400"
    assert zone.code("nothing") == "NXDOMAIN"
    assert [
        item["Type"] for item in zone.client.list_resource_record_sets(HostedZoneId=zone.id)["ResourceRecordSets"]
    ] == [
        "NS",
        "SOA",
    ]
    zone.client.delete_hosted_zone(Id=zone.id)
    assert code(lambda: zone.client.get_hosted_zone(Id=zone.id)) == "NoSuchHostedZone"


def test_every_type_is_kept_and_answered(zone: Zone) -> None:
    sets = [zone.set(f"t-{type.lower()}", type, *values) for type, values in VALUES.items()]
    zone.put(*sets)
    listed = zone.client.list_resource_record_sets(HostedZoneId=zone.id)["ResourceRecordSets"]
    kept = {
        item["Type"]: [value["Value"] for value in item["ResourceRecords"]] for item in listed if "t-" in item["Name"]
    }
    assert kept == VALUES
    for type, values in VALUES.items():
        if type not in ("NS", "TXT", "DS", "SSHFP", "SVCB", "TLSA"):
            assert zone.ask(f"t-{type.lower()}", type) == sorted(values), type
    assert zone.ask("t-svcb", "SVCB") == ['1 svc.example.net. port="53"']
    assert {group.rdtype.name for group in zone.answer("t-ns", "A").authority} == {"NS"}  # a delegation
    assert zone.ask("t-txt", "TXT") == sorted(['"one; two" "three"', r'"a \"quoted\" word and \195\164"'])
    assert [value.upper() for value in zone.ask("t-tlsa", "TLSA")] == [VALUES["TLSA"][0].upper()]
    for item in sets:
        zone.change(item, action="DELETE")
    zone.client.delete_hosted_zone(Id=zone.id)


def test_changes_are_answered_as_soon_as_they_are_in_sync(zone: Zone) -> None:
    for number in range(5):
        assert zone.ask("www") == ([f"192.0.2.{number}"] if number else [])
        zone.put(zone.set("www", "A", f"192.0.2.{number + 1}"), action="UPSERT")
    zone.put(zone.set("*", "A", "192.0.2.9"), zone.set("deep.er", "A", "192.0.2.8"))
    assert (zone.ask("any.thing"), zone.ask("deep.er")) == (["192.0.2.9"], ["192.0.2.8"])
    assert (zone.code("er"), zone.ask("er")) == ("NOERROR", [])  # it exists, because something is below it
    (wild,) = [item["Name"] for item in zone.listed() if item["ResourceRecords"][0]["Value"] == "192.0.2.9"]
    assert wild == f"\\052.{zone.name}."
    tested = zone.client.test_dns_answer(HostedZoneId=zone.id, RecordName=f"deep.er.{zone.name}", RecordType="A")
    assert (tested["ResponseCode"], tested["RecordData"]) == ("NOERROR", ["192.0.2.8"])


def test_a_batch_is_done_as_a_whole_or_not_at_all(zone: Zone) -> None:
    www = zone.set("www", "A", "192.0.2.1")
    zone.put(www)
    name = f"www.{zone.name}."
    told = {
        f"[Tried to create resource record set [name='{name}', type='A'] but it already exists]": [www],
        "[Invalid Resource Record: 'FATAL problem: ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address) "
        "encountered with '1.2.3'']": [zone.set("bad", "A", "1.2.3")],
        "[Invalid Resource Record: 'FATAL problem: InvalidCharacterString (Value should be enclosed in quotation "
        "marks) encountered with 'bare'']": [zone.set("bad", "TXT", "bare")],
        f"[RRSet with DNS name example.org. is not permitted in zone {zone.name}.]": [
            {**zone.set("x", "A", "192.0.2.1"), "Name": "example.org"}
        ],
        f"[RRSet of type CNAME with DNS name {zone.name}. is not permitted at apex in zone {zone.name}.]": [
            zone.set("@", "CNAME", "www.example.net")
        ],
    }
    for message, sets in told.items():
        assert refusal(lambda sets=sets: zone.change(zone.set("fine", "A", "192.0.2.5"), *sets)) == message
    conflicting = lambda: zone.change(zone.set("www", "CNAME", "www.example.net"))  # noqa: E731
    assert "conflicting RRSet of type A" in refusal(conflicting)
    gone = zone.set("gone", "A", "192.0.2.1")
    assert "but it was not found" in refusal(lambda: zone.change(gone, action="DELETE"))
    other = zone.set("www", "A", "192.0.2.7")
    assert "do not match the current values" in refusal(lambda: zone.change(other, action="DELETE"))
    authority = zone.listed()[1]
    assert "exactly one SOA record" in refusal(lambda: zone.change(authority, action="DELETE"))
    assert "Duplicate Resource Record" in refusal(lambda: zone.change(zone.set("two", "A", *["192.0.2.1"] * 2)))
    assert {item["Name"] for item in zone.listed()} == {f"{zone.name}.", name}
    assert code(lambda: zone.client.delete_hosted_zone(Id=zone.id)) == "HostedZoneNotEmpty"
    for wrong in ({"Name": name, "Type": "A"}, zone.set("w", "A", "192.0.2.1", Weight=1)):
        assert code(lambda wrong=wrong: zone.change(wrong)) == "InvalidInput"


def test_a_batch_has_bounds(zone: Zone) -> None:
    """Of records (an alias is one) and of characters; what is put counts twice."""

    def many(count: int, values: int = 1, *, long: bool = False) -> list[dict[str, Any]]:
        if long:
            return [zone.set(f"l{n}", "TXT", '"' + "x" * 254 + '"' + " " * 144, ttl=60) for n in range(count)]
        addresses = [f"192.0.2.{number + 1}" for number in range(values)]
        return [zone.set(f"n{n}", "A", *addresses) for n in range(count)]

    records = "[Number of records limit of 1000 exceeded.]"
    assert refusal(lambda: zone.change(*many(5, 201))) == records
    assert refusal(lambda: zone.change(*many(501), action="UPSERT")) == records
    zone.change(*many(5, 100), action="UPSERT")
    zone.change(*many(5, 100), action="DELETE")
    target = {"DNSName": f"n.{zone.name}", "HostedZoneId": zone.id[-21:], "EvaluateTargetHealth": False}
    aliases = [zone.set(f"a{n}", "A", AliasTarget=target) for n in range(1001)]
    assert refusal(lambda: zone.change(*aliases)) == records
    characters = "[RDATA character limit of 32000 exceeded.]"
    assert refusal(lambda: zone.change(*many(81, long=True))) == characters
    assert refusal(lambda: zone.change(*many(41, long=True), action="UPSERT")) == characters
    zone.change(*many(80, long=True))
    assert "[Cannot have more than 400 records in a RRSet.]" in refusal(
        lambda: zone.change(zone.set("m", "A", *[f"192.0.{n // 250}.{n % 250}" for n in range(401)]))
    )
    assert len(zone.listed()) == 82


def test_of_many_who_create_one_record_one_does(zone: Zone) -> None:
    def attempt(number: int) -> str:
        try:
            zone.change(zone.set("one", "A", f"192.0.2.{number}"))
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "made"

    with ThreadPoolExecutor(6) as threads:
        assert Counter(threads.map(attempt, range(1, 9))) == {"made": 1, "InvalidChangeBatch": 7}


def test_zones_are_listed_in_pages(cloud: Cloud, account: Account) -> None:
    client = account.client("route53")
    names = [f"{name}-{account.id}.test." for name in "cab"]
    for name in names:
        client.create_hosted_zone(Name=name, CallerReference=uuid.uuid4().hex)
    pages = list(client.get_paginator("list_hosted_zones").paginate(PaginationConfig={"PageSize": 2}))
    assert [len(page["HostedZones"]) for page in pages] == [2, 1]
    listed = client.list_hosted_zones_by_name(MaxItems="2")
    assert [zone["Name"] for zone in listed["HostedZones"]] == sorted(names)[:2]
    rest = client.list_hosted_zones_by_name(DNSName=listed["NextDNSName"], HostedZoneId=listed["NextHostedZoneId"])
    assert [zone["Name"] for zone in rest["HostedZones"]] == sorted(names)[2:]
    assert client.get_hosted_zone_count()["HostedZoneCount"] == 3
    again = {"Name": "x.test", "CallerReference": "again"}
    client.create_hosted_zone(**again)
    assert code(lambda: client.create_hosted_zone(**again)) == "HostedZoneAlreadyExists"
    longest = f"{'.'.join(['a' * 63] * 3)}.{'b' * 60}"  # 252 characters: with the last dot, one more is still a name
    client.create_hosted_zone(Name=f"{longest}b", CallerReference="longest")
    for name in ("a..test", "a" * 64 + ".test", "ü.test", ".", f"{longest}bb"):
        assert (
            code(lambda name=name: client.create_hosted_zone(Name=name, CallerReference="bad")) == "InvalidDomainName"
        )


def test_nobody_answers_for_a_part_of_anothers_zone(cloud: Cloud, zone: Zone) -> None:
    attacker = cloud.new_account()
    below = Zone(cloud, attacker, f"bank.{zone.name}")
    below.sync(below.made["ChangeInfo"]["Id"])
    below.put(below.set("www", "A", "192.0.2.66"))
    same = Zone(cloud, attacker, zone.name)
    same.put(same.set("www", "A", "192.0.2.66"))
    assert (zone.code("www.bank"), zone.code("www")) == ("NXDOMAIN", "NXDOMAIN")
    zone.put(zone.set("bank", "NS", *below.made["DelegationSet"]["NameServers"]))
    cloud.wait_until(lambda: zone.ask("www.bank") == ["192.0.2.66"], 60)
    denied = lambda: zone.client.get_hosted_zone(Id=below.id)  # noqa: E731
    assert code(denied) == "AccessDenied"


def test_delegation_sets_are_shared(account: Account) -> None:
    client = account.client("route53")
    made = client.create_reusable_delegation_set(CallerReference="one")["DelegationSet"]
    zone = client.create_hosted_zone(Name="a.test", CallerReference="a", DelegationSetId=made["Id"])
    assert zone["DelegationSet"]["NameServers"] == made["NameServers"]
    assert code(lambda: client.delete_reusable_delegation_set(Id=made["Id"])) == "DelegationSetInUse"
    found = client.list_hosted_zones(DelegationSetId=made["Id"])["HostedZones"]
    assert [item["Id"] for item in found] == [zone["HostedZone"]["Id"]]
    client.delete_hosted_zone(Id=zone["HostedZone"]["Id"])
    client.delete_reusable_delegation_set(Id=made["Id"])
    assert code(lambda: client.get_reusable_delegation_set(Id=made["Id"])) == "NoSuchDelegationSet"

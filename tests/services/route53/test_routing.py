"""Which of several records answers, and health checks that decide it."""

from __future__ import annotations

import http.server
import json
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from controlplane.services.route53 import places, rendering
from tests.cloud import Account, Cloud
from tests.services.organizations.test_organizations import code
from tests.services.route53.conftest import Zone


class Endpoint:
    """A web server that the cloud may call; it can be made ill."""

    def __init__(self) -> None:
        endpoint = self
        self.status = 200

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(endpoint.status)
                self.end_headers()
                self.wfile.write(b"all is well")

            def log_message(self, *_: Any) -> None:
                pass

        self.address = "127.0.0.1"
        self._server = http.server.ThreadingHTTPServer((self.address, 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()
    yield made
    made.close()


def check(account: Account, **config: Any) -> str:
    """The id of a new health check."""
    client = account.client("route53")
    made = client.create_health_check(CallerReference=uuid.uuid4().hex, HealthCheckConfig=config)
    return str(made["HealthCheck"]["Id"])


def http_check(account: Account, endpoint: Endpoint, **more: Any) -> str:
    config = {"Type": "HTTP", "IPAddress": endpoint.address, "Port": endpoint.port, "RequestInterval": 10}
    return check(account, **{**config, "FailureThreshold": 1, **more})


def test_weights_are_kept_and_values_stay_together(zone: Zone) -> None:
    zone.put(
        zone.set("w", "A", "192.0.2.1", "192.0.2.2", SetIdentifier="a", Weight=10),
        zone.set("w", "A", "192.0.2.3", SetIdentifier="b", Weight=30),
        zone.set("w", "A", "192.0.2.4", SetIdentifier="none", Weight=0),
        zone.set("t", "TXT", r'"a \"b\" $(c) ${d}; \134"', '"two" "parts"', SetIdentifier="a", Weight=1),
        zone.set("t", "TXT", "\"]]' .. os.exit() .. '\"", SetIdentifier="b", Weight=1),
    )
    drawn = Counter(tuple(zone.ask("w")) for _ in range(400))
    assert set(drawn) == {("192.0.2.1", "192.0.2.2"), ("192.0.2.3",)}
    assert 40 < drawn["192.0.2.1", "192.0.2.2"] < 170
    texts = {tuple(zone.ask("t", "TXT")) for _ in range(40)}
    assert texts == {
        tuple(sorted([r'"a \"b\" $(c) ${d}; \\"', '"two" "parts"'])),
        ("\"]]' .. os.exit() .. '\"",),
    }


def test_routing_policies_and_aliases(zone: Zone) -> None:
    zone.put(
        zone.set("many", "A", "192.0.2.1", SetIdentifier="a", MultiValueAnswer=True),
        zone.set("many", "A", "192.0.2.2", SetIdentifier="b", MultiValueAnswer=True),
        zone.set("near", "A", "192.0.2.3", SetIdentifier="a", Region="us-east-1"),
        zone.set("near", "A", "192.0.2.4", SetIdentifier="b", Region="eu-west-1"),
        zone.set("geo", "A", "192.0.2.5", SetIdentifier="a", GeoLocation={"CountryCode": "MX"}),
        zone.set("geo", "A", "192.0.2.6", SetIdentifier="b", GeoLocation={"CountryCode": "*"}),
    )
    target = {"HostedZoneId": zone.id.rpartition("/")[2], "EvaluateTargetHealth": False}
    zone.put(
        zone.set("@", "A", AliasTarget={**target, "DNSName": f"many.{zone.name}"}),
        zone.set("again", "A", AliasTarget={**target, "DNSName": f"{zone.name}."}),
    )
    assert zone.ask("many") == zone.ask("@") == zone.ask("again") == ["192.0.2.1", "192.0.2.2"]
    assert (zone.ask("near"), zone.ask("geo")) == (["192.0.2.3"], ["192.0.2.6"])
    missing = zone.set("x", "A", AliasTarget={**target, "DNSName": f"nowhere.{zone.name}"})
    assert code(lambda: zone.change(missing)) == "InvalidChangeBatch"
    twice = zone.set("near", "A", "192.0.2.9", SetIdentifier="c", Region="us-east-1")
    assert code(lambda: zone.change(twice)) == "InvalidChangeBatch"


def test_test_dns_answer_tells_what_each_kind_of_routing_answers(zone: Zone) -> None:
    target = {"HostedZoneId": zone.id.rpartition("/")[2], "EvaluateTargetHealth": False}
    zone.put(
        zone.set("w", "A", "192.0.2.1", SetIdentifier="a", Weight=1),
        zone.set("w", "A", "192.0.2.2", SetIdentifier="b", Weight=0),
        zone.set("f", "A", "192.0.2.3", SetIdentifier="a", Failover="PRIMARY"),
        zone.set("f", "A", "192.0.2.4", SetIdentifier="b", Failover="SECONDARY"),
        zone.set("m", "A", "192.0.2.5", SetIdentifier="a", MultiValueAnswer=True),
        zone.set("m", "A", "192.0.2.6", SetIdentifier="b", MultiValueAnswer=True),
        zone.set("*.any", "TXT", '"of all"'),
        zone.set("@", "A", AliasTarget={**target, "DNSName": f"f.{zone.name}"}),
    )

    def told(name: str, type: str = "A") -> tuple[str, list[str]]:
        full = f"{name}.{zone.name}" if name else zone.name
        answer = zone.client.test_dns_answer(HostedZoneId=zone.id, RecordName=full, RecordType=type)
        assert answer["Nameserver"] in zone.made["DelegationSet"]["NameServers"]
        return answer["ResponseCode"], sorted(answer["RecordData"])

    assert (told("w"), told("f"), told("")) == (
        ("NOERROR", ["192.0.2.1"]),
        ("NOERROR", ["192.0.2.3"]),
        ("NOERROR", ["192.0.2.3"]),
    )
    assert told("m") == ("NOERROR", ["192.0.2.5", "192.0.2.6"])
    assert told("x.any", "TXT") == ("NOERROR", ['"of all"'])
    assert (told("nowhere"), told("w", "AAAA")) == (("NXDOMAIN", []), ("NOERROR", []))


def test_failover_follows_the_health_of_an_endpoint(
    zone: Zone, account: Account, cloud: Cloud, endpoint: Endpoint
) -> None:
    own = http_check(account, endpoint, Type="HTTP_STR_MATCH", SearchString="all is well", ResourcePath="/health")
    whole = check(account, Type="CALCULATED", HealthThreshold=1, ChildHealthChecks=[own])
    zone.put(
        zone.set("f", "A", "192.0.2.1", SetIdentifier="a", Failover="PRIMARY", HealthCheckId=own),
        zone.set("f", "A", "192.0.2.2", SetIdentifier="b", Failover="SECONDARY"),
        zone.set("c", "A", "192.0.2.3", SetIdentifier="a", Weight=1, HealthCheckId=whole),
        zone.set("c", "A", "192.0.2.4", SetIdentifier="b", Weight=0),
    )

    def seen() -> str:
        found = zone.client.get_health_check_status(HealthCheckId=own)["HealthCheckObservations"]
        return str(found[0]["StatusReport"]["Status"]) if found else ""

    cloud.wait_until(lambda: seen() == "Success: HTTP Status Code 200", 60)
    assert (zone.ask("f"), zone.ask("c")) == (["192.0.2.1"], ["192.0.2.3"])
    endpoint.status = 500
    cloud.wait_until(lambda: (zone.ask("f"), zone.ask("c")) == (["192.0.2.2"], ["192.0.2.4"]), 60)
    assert seen() == "Failure: HTTP Status Code 500"
    endpoint.status = 200
    cloud.wait_until(lambda: (zone.ask("f"), zone.ask("c")) == (["192.0.2.1"], ["192.0.2.3"]), 60)
    assert code(lambda: zone.client.delete_health_check(HealthCheckId=own)) == "HealthCheckInUse"
    reason = zone.client.get_health_check_last_failure_reason(HealthCheckId=own)["HealthCheckObservations"]
    assert reason[0]["StatusReport"]["Status"] == "Failure: HTTP Status Code 500"


def test_checks_are_versioned_and_go_nowhere_forbidden(account: Account) -> None:
    client = account.client("route53")
    for address in ("127.0.0.2", "169.254.169.254", "0.0.0.0", "::1", "::ffff:127.0.0.2", "224.0.0.1"):
        refused = code(lambda address=address: check(account, Type="TCP", IPAddress=address, Port=80))
        assert refused == "InvalidInput", address
    assert code(lambda: check(account, Type="TCP", IPAddress="192.0.2.1")) == "InvalidInput"
    assert code(lambda: check(account, Type="HTTP")) == "InvalidInput"
    split = {"FullyQualifiedDomainName": "a.test\r\nX-Mine: 1", "IPAddress": "192.0.2.1"}
    assert code(lambda: check(account, Type="HTTP", **split)) == "InvalidInput"
    assert code(lambda: check(account, Type="HTTP_STR_MATCH", IPAddress="192.0.2.1")) == "InvalidInput"
    assert code(lambda: check(account, Type="CALCULATED", HealthThreshold=1, ChildHealthChecks=["x"])) == "InvalidInput"
    local = check(account, Type="TCP", FullyQualifiedDomainName="127.0.0.2", Port=1, FailureThreshold=1)
    deadline = time.monotonic() + 60
    while not (found := client.get_health_check_status(HealthCheckId=local)["HealthCheckObservations"]):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert found[0]["StatusReport"]["Status"] == "Failure: The endpoint's address is not allowed."
    changed = client.update_health_check(HealthCheckId=local, HealthCheckVersion=1, Port=2)["HealthCheck"]
    assert (changed["HealthCheckVersion"], changed["HealthCheckConfig"]["Port"]) == (2, 2)
    stale = lambda: client.update_health_check(HealthCheckId=local, HealthCheckVersion=1, Port=3)  # noqa: E731
    assert code(stale) == "HealthCheckVersionMismatch"
    client.change_tags_for_resource(ResourceType="healthcheck", ResourceId=local, AddTags=[{"Key": "a", "Value": "b"}])
    tags = client.list_tags_for_resource(ResourceType="healthcheck", ResourceId=local)["ResourceTagSet"]["Tags"]
    assert tags == [{"Key": "a", "Value": "b"}]
    client.delete_health_check(HealthCheckId=local)
    assert code(lambda: client.get_health_check(HealthCheckId=local)) == "NoSuchHealthCheck"


def row(name: str, identifier: str = "", **content: Any) -> dict[str, Any]:
    values = [{"Value": value} for value in content.pop("values", ["192.0.2.1"])]
    plain = {"TTL": 60, "ResourceRecords": values} if "AliasTarget" not in content else {}
    return {
        "name": name,
        "type": "A",
        "content": {"Name": name, "Type": "A", "SetIdentifier": identifier, **plain, **content},
    }


def test_when_all_are_ill_all_answer_and_aliases_in_a_circle_end() -> None:
    alias = {"HostedZoneId": "Z", "EvaluateTargetHealth": True}
    rows = [
        row("w.a.test.", "1", Weight=1, HealthCheckId="ill", values=["192.0.2.1"]),
        row("w.a.test.", "2", Weight=3, HealthCheckId="ill", values=["192.0.2.2"]),
        row("x.a.test.", AliasTarget={**alias, "DNSName": "y.a.test."}),
        row("y.a.test.", AliasTarget={**alias, "DNSName": "x.a.test."}),
    ]
    zone = rendering.Renderer(rows, {"ill"}, {}, places.somewhere("us-east-1")).zone()
    assert zone["w.a.test", "A"].choices == ((1, ("192.0.2.1",)), (3, ("192.0.2.2",)))
    assert set(zone) == {("w.a.test", "A")}


def test_nested_weighted_aliases_are_worked_out_once_a_depth(monkeypatch: pytest.MonkeyPatch) -> None:
    alias = {"HostedZoneId": "Z", "EvaluateTargetHealth": True}
    rows = [
        row(f"n{level}.a.test.", str(weight), Weight=weight, AliasTarget={**alias, "DNSName": f"n{level + 1}.a.test."})
        for level in range(7)
        for weight in range(1, 31)
    ]
    rows.append(row("n7.a.test.", values=["192.0.2.1"]))
    worked, rest = rendering.Renderer._work_out, iter(range(200))

    def counted(self: rendering.Renderer, name: str, type: str, depth: int) -> Any:
        next(rest)
        return worked(self, name, type, depth)

    monkeypatch.setattr(rendering.Renderer, "_work_out", counted)
    zone = rendering.Renderer(rows, set(), {}, places.somewhere("us-east-1")).zone()
    assert zone["n0.a.test", "A"].choices == tuple((weight, ("192.0.2.1",)) for weight in range(1, 31))


def test_geography_decides_by_where_the_question_comes_from(zone: Zone) -> None:
    def near(identifier: str, value: str, **location: str) -> dict[str, Any]:
        return zone.set("geo", "A", value, SetIdentifier=identifier, GeoLocation=location)

    zone.put(
        near("all", "192.0.2.1", CountryCode="*"),
        near("europe", "192.0.2.2", ContinentCode="EU"),
        near("germany", "192.0.2.3", CountryCode="DE"),
        near("california", "192.0.2.4", CountryCode="US", SubdivisionCode="CA"),
        zone.set("lat", "A", "192.0.2.5", SetIdentifier="a", Region="us-east-1"),
        zone.set("lat", "A", "192.0.2.6", SetIdentifier="b", Region="eu-central-1"),
        zone.set("lat", "A", "192.0.2.7", SetIdentifier="c", Region="ap-south-1"),
        zone.set("none", "A", "192.0.2.8", SetIdentifier="a", GeoLocation={"CountryCode": "FR"}),
    )

    def answered(name: str, network: str) -> list[str]:
        given = {"EDNS0ClientSubnetIP": network, "EDNS0ClientSubnetMask": "24"} if network else {}
        full = f"{name}.{zone.name}"
        return list(
            zone.client.test_dns_answer(HostedZoneId=zone.id, RecordName=full, RecordType="A", **given)["RecordData"]
        )

    places = {"": "1", "203.0.113.0": "1", "10.81.0.0": "3", "10.82.0.0": "2", "10.83.0.0": "4", "10.84.0.0": "1"}
    assert {network: answered("geo", network) for network in places} == {
        network: [f"192.0.2.{value}"] for network, value in places.items()
    }
    nearest = {"": "5", "10.81.0.0": "6", "10.82.0.0": "6", "10.83.0.0": "5", "10.84.0.0": "7"}
    assert {network: answered("lat", network) for network in nearest} == {
        network: [f"192.0.2.{value}"] for network, value in nearest.items()
    }
    assert (answered("none", "10.82.0.0"), answered("none", "10.81.0.0")) == (["192.0.2.8"], [])
    odd = lambda: answered("geo", "nowhere")  # noqa: E731
    assert code(odd) == "InvalidInput"


def test_traffic_policies_answer_as_their_rules_say(zone: Zone, cloud: Cloud) -> None:
    client = zone.client
    endpoints = {name: {"Type": "value", "Value": f"192.0.2.{name}"} for name in ("1", "2", "3")}
    rules: dict[str, Any] = {
        "geo": {
            "RuleType": "geo",
            "Locations": [
                {"IsDefault": True, "EndpointReference": "1"},
                {"Continent": "EU", "RuleReference": "split", "EvaluateTargetHealth": True},
            ],
        },
        "split": {
            "RuleType": "weighted",
            "Items": [{"Weight": "0", "EndpointReference": "2"}, {"Weight": "5", "EndpointReference": "3"}],
        },
    }
    document = {"AWSPolicyFormatVersion": "2015-10-01", "RecordType": "A", "Endpoints": endpoints, "StartRule": "geo"}

    def policy(**more: Any) -> dict[str, Any]:
        text = json.dumps({**document, "Rules": rules, **more})
        made: dict[str, Any] = client.create_traffic_policy(Name=uuid.uuid4().hex, Document=text)["TrafficPolicy"]
        return made

    made = policy()
    chosen = {"TrafficPolicyId": made["Id"], "TrafficPolicyVersion": 1, "TTL": 60}
    instance = client.create_traffic_policy_instance(HostedZoneId=zone.id, Name=f"t.{zone.name}", **chosen)
    id = instance["TrafficPolicyInstance"]["Id"]

    def applied() -> bool:
        return bool(client.get_traffic_policy_instance(Id=id)["TrafficPolicyInstance"]["State"] == "Applied")

    def answered(network: str) -> list[str]:
        given = {"EDNS0ClientSubnetIP": network, "EDNS0ClientSubnetMask": "24"}
        asked = {"HostedZoneId": zone.id, "RecordName": f"t.{zone.name}", "RecordType": "A"}
        return list(client.test_dns_answer(**asked, **given)["RecordData"])

    cloud.wait_until(applied, 30)
    assert (answered("203.0.113.0"), answered("10.81.0.0")) == (["192.0.2.1"], ["192.0.2.3"])
    mine = zone.set("t", "A", "192.0.2.9", SetIdentifier=f"{id[:8]}-0", GeoLocation={"CountryCode": "*"})
    assert code(lambda: zone.change(mine, action="UPSERT")) == "InvalidChangeBatch"
    in_use = lambda: client.delete_traffic_policy(Id=made["Id"], Version=1)  # noqa: E731
    assert code(in_use) == "TrafficPolicyInUse"
    text = json.dumps({**document, "StartRule": None, "StartEndpoint": "2"})
    assert client.create_traffic_policy_version(Id=made["Id"], Document=text)["TrafficPolicy"]["Version"] == 2
    client.update_traffic_policy_instance(Id=id, **{**chosen, "TrafficPolicyVersion": 2})
    cloud.wait_until(lambda: applied() and answered("10.81.0.0") == ["192.0.2.2"], 30)
    client.delete_traffic_policy(Id=made["Id"], Version=1)
    assert client.get_traffic_policy_instance_count()["TrafficPolicyInstanceCount"] == 1
    client.delete_traffic_policy_instance(Id=id)
    assert {item["Type"] for item in zone.listed()} == {"NS", "SOA"}
    loop = {"geo": {"RuleType": "multivalue", "Items": [{"RuleReference": "geo"}]}}
    items = [[{"RuleReference": f"r{n + 1}"}] * 2 for n in range(49)] + [[{"EndpointReference": "1"}]]
    doubled = {f"r{n}": {"RuleType": "multivalue", "Items": each} for n, each in enumerate(items)}
    assert code(lambda: policy(Rules=doubled, StartRule="r0")) == "InvalidTrafficPolicyDocument", "2^49 record sets"
    for bad in ({"Rules": loop}, {"StartRule": "none"}, {"RecordType": "SOA"}, {"StartEndpoint": "1"}, {"Rules": []}):
        assert code(lambda bad=bad: policy(**bad)) == "InvalidTrafficPolicyDocument", bad

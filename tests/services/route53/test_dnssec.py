"""DNSSEC: zones signed with a key in KMS. Unbound, which knows nothing of us, says whether answers are true."""

from __future__ import annotations

import json
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import Any

import dns.dnssec
import dns.message
import dns.name
import dns.query
import dns.rdatatype
import pytest

from tests.cloud import Account, Cloud
from tests.services.organizations.test_organizations import code
from tests.services.route53.conftest import Zone

SERVICE = "dnssec-route53.amazonaws.com"
ACTIONS = ["kms:DescribeKey", "kms:GetPublicKey", "kms:Sign"]


def policy(account: Account, actions: list[str]) -> str:
    """A key policy as AWS's guide has it."""
    own = {"AWS": f"arn:aws:iam::{account.id}:root"}
    statements = [{"Effect": "Allow", "Principal": own, "Action": "kms:*", "Resource": "*"}]
    only = {"StringEquals": {"aws:SourceAccount": account.id}}
    allow: dict[str, Any] = {"Effect": "Allow", "Principal": {"Service": SERVICE}, "Action": actions, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [*statements, {**allow, "Condition": only}]})


def new_key(account: Account, actions: list[str] = ACTIONS, **more: Any) -> str:
    """The ARN of a key that Route 53 may use."""
    given = {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY", "Policy": policy(account, actions), **more}
    return str(account.client("kms").create_key(**given)["KeyMetadata"]["Arn"])


def create(zone: Zone, key: str, name: str = "first", status: str = "ACTIVE") -> dict[str, Any]:
    made = zone.client.create_key_signing_key(
        CallerReference=uuid.uuid4().hex, HostedZoneId=zone.id, KeyManagementServiceArn=key, Name=name, Status=status
    )
    zone.sync(made["ChangeInfo"]["Id"])
    return dict(made["KeySigningKey"])


def enable(zone: Zone) -> None:
    zone.sync(zone.client.enable_hosted_zone_dnssec(HostedZoneId=zone.id)["ChangeInfo"]["Id"])


class Validator:
    """unbound-host, which trusts a zone's DS record and asks this cloud."""

    def __init__(self, folder: Path, cloud: Cloud, zone: Zone, ds: str) -> None:
        if shutil.which("unbound-host") is None:
            pytest.skip("unbound-host is not installed")
        self._zone, self._conf = zone, folder / f"{uuid.uuid4().hex}.conf"
        self._conf.write_text(
            'server:\n  do-not-query-localhost: no\n  local-zone: "test." nodefault\n'
            f'  trust-anchor: "{zone.name}. IN DS {ds}"\n'
            f'stub-zone:\n  name: "{zone.name}."\n  stub-addr: 127.0.0.1@{cloud.dns_port()}\n'
        )

    def __call__(self, name: str, type: str = "A") -> str:
        """What it prints: values, and `(secure)`, `(insecure)` or why it is bogus."""
        full = self._zone.name if name == "@" else f"{name}.{self._zone.name}"
        command = ["unbound-host", "-C", str(self._conf), "-v", "-t", type, full]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout


def test_all_kinds_of_answers_validate(zone: Zone, account: Account, cloud: Cloud, tmp_path: Path) -> None:
    target = {"HostedZoneId": zone.id.rpartition("/")[2], "EvaluateTargetHealth": False}
    zone.put(
        zone.set("www", "A", "192.0.2.1"),
        zone.set("text", "TXT", '"a \\"b\\"; c"'),
        zone.set("*.wild", "A", "192.0.2.2"),
        zone.set("alias", "A", AliasTarget={**target, "DNSName": f"www.{zone.name}."}),
        zone.set("cname", "CNAME", f"www.{zone.name}"),
        zone.set("w", "A", "192.0.2.3", SetIdentifier="a", Weight=1),
        zone.set("w", "A", "192.0.2.4", SetIdentifier="b", Weight=1),
        zone.set("f", "A", "192.0.2.5", SetIdentifier="a", Failover="PRIMARY"),
        zone.set("f", "A", "192.0.2.6", SetIdentifier="b", Failover="SECONDARY"),
        zone.set("many", "A", "192.0.2.7", SetIdentifier="a", MultiValueAnswer=True),
        zone.set("many", "A", "192.0.2.8", SetIdentifier="b", MultiValueAnswer=True),
        zone.set("geo", "A", "192.0.2.9", SetIdentifier="a", GeoLocation={"ContinentCode": "EU"}),
        zone.set("geo", "A", "192.0.2.10", SetIdentifier="b", GeoLocation={"CountryCode": "*"}),
        zone.set("lat", "A", "192.0.2.11", SetIdentifier="a", Region="us-east-1"),
        zone.set("lat", "A", "192.0.2.12", SetIdentifier="b", Region="eu-west-1"),
        zone.set("below", "NS", "ns.elsewhere.example."),
    )
    made = create(zone, new_key(account))
    assert zone.client.get_dnssec(HostedZoneId=zone.id)["Status"] == {"ServeSignature": "NOT_SIGNING"}
    enable(zone)
    told = zone.client.get_dnssec(HostedZoneId=zone.id)
    assert (told["Status"], told["KeySigningKeys"]) == ({"ServeSignature": "SIGNING"}, [made])
    asked = Validator(tmp_path, cloud, zone, made["DSRecord"])
    for name in ("www", "x.wild", "alias", "cname", "f", "many", "geo", "lat"):
        assert "(secure)" in asked(name), (name, asked(name))
    drawn = "".join(asked("w") for _ in range(12))
    assert drawn.count("(secure)") >= 12
    assert "192.0.2.3" in drawn and "192.0.2.4" in drawn, "drawn anew, and each signed"
    for name, type in (("@", "SOA"), ("@", "NS"), ("@", "DNSKEY"), ("text", "TXT")):
        assert "(secure)" in asked(name, type), (name, type, asked(name, type))
    for name, type in (
        ("nowhere", "A"),
        ("deep.nowhere", "A"),
        ("www", "AAAA"),
        ("w", "TXT"),
        ("wild", "A"),
        ("below", "DS"),
    ):
        assert "(secure)" in asked(name, type), (name, type, asked(name, type))
    wrong = made["DSRecord"][:-4] + ("0000" if made["DSRecord"][-4:] != "0000" else "1111")
    assert "BOGUS" in Validator(tmp_path, cloud, zone, wrong)("www"), "the validator can say no"
    zone.put(zone.set("www", "A", "192.0.2.20"), action="UPSERT")
    assert "192.0.2.20 (secure)" in asked("www")
    zone.sync(zone.client.disable_hosted_zone_dnssec(HostedZoneId=zone.id)["ChangeInfo"]["Id"])
    assert zone.ask("@", "DNSKEY") == []
    assert "(secure)" not in Validator(tmp_path, cloud, zone, made["DSRecord"])("www")


def test_dnspython_verifies_the_keys_from_the_ds_record(zone: Zone, account: Account, cloud: Cloud) -> None:
    made = create(zone, new_key(account))
    enable(zone)
    apex = dns.name.from_text(zone.name)
    question = dns.message.make_query(apex, "DNSKEY", want_dnssec=True)
    answer = cloud.ask_dns(question)
    keys = answer.get_rrset(answer.answer, apex, "IN", "DNSKEY")
    signatures = answer.get_rrset(answer.answer, apex, "IN", "RRSIG", "DNSKEY")
    assert keys is not None and signatures is not None
    (trusted,) = [key for key in keys if key.flags == 257]
    assert dns.dnssec.make_ds(apex, trusted, "SHA256").to_text().upper() == made["DSRecord"]
    assert (trusted.to_text().replace(" ", ""), dns.dnssec.key_id(trusted)) == (
        made["DNSKEYRecord"].replace(" ", ""),
        made["KeyTag"],
    )
    dns.dnssec.validate(keys, signatures, {apex: dns.rrset.from_rdata(apex, 3600, trusted)})
    plain = cloud.ask_dns(dns.message.make_query(apex, "DNSKEY"))
    assert {group.rdtype for group in plain.answer} == {dns.rdatatype.DNSKEY}, "nobody asked for signatures"


def test_a_key_must_let_route_53_sign(zone: Zone, account: Account, cloud: Cloud) -> None:
    kms = account.client("kms")
    for key in (
        new_key(account, ["kms:DescribeKey", "kms:GetPublicKey"]),
        new_key(account, KeySpec="ECC_NIST_P384"),
        str(kms.create_key()["KeyMetadata"]["Arn"]),
        f"arn:aws:kms:us-east-1:{account.id}:key/{uuid.uuid4()}",
        f"arn:aws:kms:us-east-1:{account.id}:alias/some",
        "no-arn",
    ):
        assert code(lambda key=key: create(zone, key)) == "InvalidKMSArn", key
    stranger = cloud.new_account()
    assert code(lambda: create(zone, new_key(stranger))) == "InvalidKMSArn"
    good = new_key(account)
    for name in ("a-b-c", "a b c", "ä_ä"):
        assert code(lambda name=name: create(zone, good, name)) == "InvalidKeySigningKeyName", name
    assert code(lambda: create(zone, good, status="WAITING")) == "InvalidInput"
    create(zone, good)
    assert code(lambda: create(zone, new_key(account))) == "KeySigningKeyAlreadyExists"
    assert code(lambda: create(zone, good, "second")) == "KeySigningKeyAlreadyExists"
    create(zone, new_key(account), "second", "INACTIVE")
    assert code(lambda: create(zone, new_key(account), "third")) == "TooManyKeySigningKeys"
    assert code(lambda: zone.client.delete_hosted_zone(Id=zone.id)) == "HostedZoneNotEmpty"
    foreign = stranger.client("route53")
    assert code(lambda: foreign.get_dnssec(HostedZoneId=zone.id)) in ("AccessDenied", "NoSuchHostedZone")


def test_keys_are_activated_deactivated_and_deleted(zone: Zone, account: Account) -> None:
    client, named = zone.client, {"HostedZoneId": zone.id, "Name": "first"}
    assert code(lambda: client.activate_key_signing_key(**named)) == "NoSuchKeySigningKey"
    create(zone, new_key(account), status="INACTIVE")
    assert (
        code(lambda: client.enable_hosted_zone_dnssec(HostedZoneId=zone.id)) == "KeySigningKeyWithActiveStatusNotFound"
    )
    assert code(lambda: client.disable_hosted_zone_dnssec(HostedZoneId=zone.id)) == "DNSSECNotFound"
    client.activate_key_signing_key(**named)
    assert code(lambda: client.delete_key_signing_key(**named)) == "InvalidKeySigningKeyStatus"
    enable(zone)
    assert code(lambda: client.deactivate_key_signing_key(**named)) == "KeySigningKeyInUse"
    second = create(zone, new_key(account), "second")
    assert len(zone.ask("@", "DNSKEY")) == 3, "the zone's own, and both"
    zone.sync(client.deactivate_key_signing_key(**named)["ChangeInfo"]["Id"])
    assert len(zone.ask("@", "DNSKEY")) == 2
    parent = client.create_hosted_zone(Name=zone.name.partition(".")[2], CallerReference=uuid.uuid4().hex)
    above = {"Name": zone.name, "Type": "DS", "TTL": 60, "ResourceRecords": [{"Value": second["DSRecord"]}]}
    servers = [{"Value": name} for name in zone.made["DelegationSet"]["NameServers"]]
    cut = {"Name": zone.name, "Type": "NS", "TTL": 60, "ResourceRecords": servers}
    changes = [{"Action": "CREATE", "ResourceRecordSet": each} for each in (cut, above)]
    where = parent["HostedZone"]["Id"]
    client.change_resource_record_sets(HostedZoneId=where, ChangeBatch={"Changes": changes})
    in_parent = lambda: client.disable_hosted_zone_dnssec(HostedZoneId=zone.id)  # noqa: E731
    assert code(in_parent) == "KeySigningKeyInParentDSRecord"
    gone = [{"Action": "DELETE", "ResourceRecordSet": each} for each in (cut, above)]
    client.change_resource_record_sets(HostedZoneId=where, ChangeBatch={"Changes": gone})
    client.delete_hosted_zone(Id=where)
    in_parent()
    client.deactivate_key_signing_key(HostedZoneId=zone.id, Name="second")
    for name in ("first", "second"):
        client.delete_key_signing_key(HostedZoneId=zone.id, Name=name)
    client.delete_hosted_zone(Id=zone.id)


def test_a_key_that_may_not_sign_any_longer_is_told(zone: Zone, account: Account, cloud: Cloud) -> None:
    key = new_key(account)
    create(zone, key)
    enable(zone)
    before = zone.ask("@", "DNSKEY")
    account.client("kms").disable_key(KeyId=key)
    assert code(lambda: create(zone, key, "second")) == "KeySigningKeyAlreadyExists"
    create(zone, new_key(account), "second")  # the keys are others now, and must be signed anew

    def told() -> tuple[str, str]:
        found = zone.client.get_dnssec(HostedZoneId=zone.id)
        return found["Status"]["ServeSignature"], found["KeySigningKeys"][0]["Status"]

    assert told() == ("ACTION_NEEDED", "ACTION_NEEDED")
    assert len(zone.ask("@", "DNSKEY")) == len(before) + 1
    account.client("kms").enable_key(KeyId=key)
    zone.put(zone.set("www", "A", "192.0.2.1"))
    assert told() == ("SIGNING", "ACTIVE")

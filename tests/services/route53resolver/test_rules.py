"""Resolver endpoints and rules through boto3."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.cloud import Account, Cloud
from tests.services.organizations.test_organizations import code


class Place:
    """A VPC with two subnets and an endpoint in them."""

    def __init__(self, account: Account, direction: str = "OUTBOUND") -> None:
        ec2, self.client = account.client("ec2"), account.client("route53resolver")
        self.vpc = ec2.create_vpc(CidrBlock="10.6.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=self.vpc, CidrBlock=f"10.6.{number}.0/24")["Subnet"]["SubnetId"]
            for number in range(2)
        ]
        group = ec2.create_security_group(GroupName="dns", Description="dns", VpcId=self.vpc)["GroupId"]
        self.endpoint = self.client.create_resolver_endpoint(
            CreatorRequestId=uuid.uuid4().hex,
            Direction=direction,
            SecurityGroupIds=[group],
            IpAddresses=[{"SubnetId": subnet} for subnet in subnets],
        )["ResolverEndpoint"]["Id"]

    def rule(self, domain: str = "corp.test", **more: Any) -> dict[str, Any]:
        given = {"RuleType": "FORWARD", "TargetIps": [{"Ip": "10.6.0.9"}], "ResolverEndpointId": self.endpoint}
        request = {"CreatorRequestId": uuid.uuid4().hex, "DomainName": domain, **given, **more}
        made: dict[str, Any] = self.client.create_resolver_rule(**request)["ResolverRule"]
        return made


@pytest.fixture
def place(account: Account) -> Place:
    return Place(account)


def test_rules_are_made_associated_and_taken_away(place: Place) -> None:
    client, rule = place.client, place.rule("Corp.test.")
    assert (rule["DomainName"], rule["TargetIps"]) == ("corp.test.", [{"Ip": "10.6.0.9", "Port": 53}])
    made = client.associate_resolver_rule(ResolverRuleId=rule["Id"], VPCId=place.vpc)["ResolverRuleAssociation"]
    assert (
        client.get_resolver_rule_association(ResolverRuleAssociationId=made["Id"])["ResolverRuleAssociation"]["Status"]
        == "COMPLETE"
    )
    again = place.rule("corp.test", RuleType="FORWARD")
    same = lambda: client.associate_resolver_rule(ResolverRuleId=again["Id"], VPCId=place.vpc)  # noqa: E731
    assert code(same) == "ResourceExistsException"
    assert code(lambda: client.delete_resolver_rule(ResolverRuleId=rule["Id"])) == "ResourceInUseException"
    assert code(lambda: client.delete_resolver_endpoint(ResolverEndpointId=place.endpoint)) == "ResourceInUseException"
    found = client.list_resolver_rules(Filters=[{"Name": "DomainName", "Values": ["corp.test."]}])["ResolverRules"]
    assert {item["Id"] for item in found} == {rule["Id"], again["Id"]}
    client.disassociate_resolver_rule(ResolverRuleId=rule["Id"], VPCId=place.vpc)
    for id in (rule["Id"], again["Id"]):
        client.delete_resolver_rule(ResolverRuleId=id)
    client.delete_resolver_endpoint(ResolverEndpointId=place.endpoint)
    assert client.list_resolver_endpoints()["ResolverEndpoints"] == []


def test_what_cannot_be_forwarded(place: Place, account: Account, cloud: Cloud) -> None:
    for domain in (".", "a b.test", "x.test/#", "x\n.test", "-x.test", "x" * 64):
        assert code(lambda domain=domain: place.rule(domain)) in ("InvalidParameterException", "ValidationException")
    for ip in ("127.0.0.1", "169.254.169.253", "0.0.0.0", "224.0.0.1", "255.255.255.255", "fe80::12", "some.host"):
        refused = code(lambda ip=ip: place.rule(TargetIps=[{"Ip": ip}]))
        assert refused in ("InvalidParameterException", "ValidationException"), ip
    inbound = Place(account, "INBOUND")
    assert code(inbound.rule) == "InvalidRequestException"
    other = Place(cloud.new_account())
    rule = place.rule()
    foreign = lambda: place.client.associate_resolver_rule(ResolverRuleId=rule["Id"], VPCId=other.vpc)  # noqa: E731
    assert code(foreign) == "InvalidParameterException"
    theirs = lambda: other.client.associate_resolver_rule(ResolverRuleId=rule["Id"], VPCId=other.vpc)  # noqa: E731
    assert code(theirs) == "ResourceNotFoundException"
    stolen = lambda: other.rule(ResolverEndpointId=place.endpoint)  # noqa: E731
    assert code(stolen) == "ResourceNotFoundException"


def test_addresses_of_endpoints_are_kept_from_others(account: Account) -> None:
    place, ec2 = Place(account, "INBOUND"), account.client("ec2")
    addresses = place.client.list_resolver_endpoint_ip_addresses(ResolverEndpointId=place.endpoint)["IpAddresses"]
    taken = {"SubnetId": addresses[0]["SubnetId"], "PrivateIpAddress": addresses[0]["Ip"]}
    assert code(lambda: ec2.create_network_interface(**taken)) == "InvalidIPAddress.InUse"
    group = place.client.get_resolver_endpoint(ResolverEndpointId=place.endpoint)["ResolverEndpoint"][
        "SecurityGroupIds"
    ]

    def second(ip: str) -> None:
        subnet = addresses[0]["SubnetId"]
        given = {"CreatorRequestId": uuid.uuid4().hex, "Direction": "INBOUND", "SecurityGroupIds": group}
        place.client.create_resolver_endpoint(
            **given, IpAddresses=[{"SubnetId": subnet, "Ip": ip}, {"SubnetId": subnet}]
        )

    for ip in (addresses[0]["Ip"], "10.99.0.1", "nowhere"):
        assert code(lambda ip=ip: second(ip)) in ("InvalidParameterException", "ValidationException"), ip
    assert len(ec2.describe_network_interfaces()["NetworkInterfaces"]) == 2, "nothing is left of what was refused"
    place.client.delete_resolver_endpoint(ResolverEndpointId=place.endpoint)
    ec2.create_network_interface(**taken)

"""Private zones through boto3: which VPCs have them, and what is published to their hosts."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.cloud import Account, Cloud
from tests.services.organizations.test_organizations import code
from tests.services.route53.conftest import Zone

REGION = "us-east-1"


def vpc(account: Account, region: str = REGION) -> dict[str, str]:
    """A fresh VPC."""
    made = account.client("ec2", region).create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]
    return {"VPCRegion": region, "VPCId": made["VpcId"]}


def private(account: Account, where: dict[str, str], name: str = "corp.internal") -> str:
    made = account.client("route53").create_hosted_zone(Name=name, CallerReference=uuid.uuid4().hex, VPC=where)
    assert made["HostedZone"]["Config"]["PrivateZone"] and made["VPC"] == where and "DelegationSet" not in made
    return str(made["HostedZone"]["Id"].rpartition("/")[2])


def test_a_private_zone_has_vpcs_and_nobody_else_hears_of_it(cloud: Cloud, account: Account) -> None:
    client, one, two = account.client("route53"), vpc(account), vpc(account, "eu-west-1")
    name = f"p-{uuid.uuid4().hex[:8]}.test"
    id = private(account, one, name)
    change = client.associate_vpc_with_hosted_zone(HostedZoneId=id, VPC=two)["ChangeInfo"]["Id"]
    cloud.wait_until(lambda: client.get_change(Id=change)["ChangeInfo"]["Status"] == "INSYNC", 30)
    assert client.get_hosted_zone(Id=id)["VPCs"] == [one, two]
    found = client.list_hosted_zones_by_vpc(VPCId=one["VPCId"], VPCRegion=REGION)["HostedZoneSummaries"]
    assert found == [{"HostedZoneId": id, "Name": f"{name}.", "Owner": {"OwningAccount": account.id}}]
    other = Zone(cloud, account)  # the public server runs
    other.sync(other.made["ChangeInfo"]["Id"])
    assert Zone.code(_Named(other, name), "@") == "REFUSED"
    assert code(lambda: private(account, one, name)) == "ConflictingDomainExists"
    assert code(lambda: client.associate_vpc_with_hosted_zone(HostedZoneId=other.id, VPC=one)) == (
        "PublicZoneVPCAssociation"
    )
    client.disassociate_vpc_from_hosted_zone(HostedZoneId=id, VPC=two)
    again = lambda where: client.disassociate_vpc_from_hosted_zone(HostedZoneId=id, VPC=where)  # noqa: E731
    assert (code(lambda: again(two)), code(lambda: again(one))) == ("VPCAssociationNotFound", "LastVPCAssociation")
    answer = lambda: client.test_dns_answer(HostedZoneId=id, RecordName=name, RecordType="A")  # noqa: E731
    assert code(answer) == "InvalidInput"
    client.delete_hosted_zone(Id=id)
    assert client.list_hosted_zones_by_vpc(VPCId=one["VPCId"], VPCRegion=REGION)["HostedZoneSummaries"] == []


class _Named(Zone):
    """Questions about another name on the same port."""

    def __init__(self, zone: Zone, name: str) -> None:
        self.name = name
        self._cloud = zone._cloud


def test_another_accounts_vpc_needs_both_owners(cloud: Cloud, account: Account) -> None:
    other = cloud.new_account()
    client, theirs, where = account.client("route53"), other.client("route53"), vpc(other)
    id = private(account, vpc(account))
    associate: Any = lambda who: who.associate_vpc_with_hosted_zone(HostedZoneId=id, VPC=where)  # noqa: E731
    assert code(lambda: associate(theirs)) == code(lambda: associate(client)) == "NotAuthorizedException"
    client.create_vpc_association_authorization(HostedZoneId=id, VPC=where)
    assert client.list_vpc_association_authorizations(HostedZoneId=id)["VPCs"] == [where]
    assert code(lambda: associate(client)) == "NotAuthorizedException"
    associate(theirs)
    client.delete_vpc_association_authorization(HostedZoneId=id, VPC=where)
    gone = lambda: client.delete_vpc_association_authorization(HostedZoneId=id, VPC=where)  # noqa: E731
    assert code(gone) == "VPCAssociationAuthorizationNotFound"
    owner = theirs.list_hosted_zones_by_vpc(VPCId=where["VPCId"], VPCRegion=REGION)["HostedZoneSummaries"][0]["Owner"]
    assert owner == {"OwningAccount": account.id}
    with pytest.raises(Exception, match=r"AccessDenied|NoSuchHostedZone"):
        theirs.list_resource_record_sets(HostedZoneId=id)
    own = vpc(other)
    assert code(lambda: private(account, own)) == "InvalidVPCId", "a VPC of somebody else"
    theirs.disassociate_vpc_from_hosted_zone(HostedZoneId=id, VPC=where)

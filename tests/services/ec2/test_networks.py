"""VPCs and what belongs to them, through boto3."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cloud import Account, Cloud
from tests.services.ec2.calls import refused


@pytest.fixture
def ec2(account: Account) -> Any:
    return account.client("ec2")


def test_default_vpc_has_a_subnet_in_every_zone_and_a_way_out(ec2: Any) -> None:
    (vpc,) = ec2.describe_vpcs()["Vpcs"]
    assert vpc["IsDefault"] and vpc["CidrBlock"] == "172.31.0.0/16"
    subnets = ec2.describe_subnets()["Subnets"]
    zones = [zone["ZoneName"] for zone in ec2.describe_availability_zones()["AvailabilityZones"]]
    assert sorted(subnet["AvailabilityZone"] for subnet in subnets) == zones
    assert all(subnet["MapPublicIpOnLaunch"] and subnet["AvailableIpAddressCount"] == 4091 for subnet in subnets)
    (table,) = ec2.describe_route_tables()["RouteTables"]
    (gateway,) = ec2.describe_internet_gateways()["InternetGateways"]
    assert [(route["DestinationCidrBlock"], route["GatewayId"]) for route in table["Routes"]] == [
        ("172.31.0.0/16", "local"),
        ("0.0.0.0/0", gateway["InternetGatewayId"]),
    ]
    (group,) = ec2.describe_security_groups()["SecurityGroups"]
    assert group["GroupName"] == "default"
    assert group["IpPermissions"][0]["UserIdGroupPairs"][0]["GroupId"] == group["GroupId"]
    (acl,) = ec2.describe_network_acls(Filters=[{"Name": "default", "Values": ["true"]}])["NetworkAcls"]
    assert len(acl["Associations"]) == 3


def test_default_vpc_is_made_once_per_region(account: Account) -> None:
    first, second = account.client("ec2"), account.client("ec2", region="eu-west-1")
    ids = {client.describe_vpcs()["Vpcs"][0]["VpcId"] for client in (first, first, second, second)}
    assert len(ids) == 2


def test_deleted_default_vpc_stays_away_until_it_is_asked_for(ec2: Any) -> None:
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    for subnet in ec2.describe_subnets()["Subnets"]:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    gateway = ec2.describe_internet_gateways()["InternetGateways"][0]["InternetGatewayId"]
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=gateway)
    ec2.delete_vpc(VpcId=vpc)
    assert ec2.describe_vpcs()["Vpcs"] == []
    assert refused(ec2.create_security_group, GroupName="g", Description="d") == "VPCIdNotSpecified"
    ec2.create_default_vpc()
    assert len(ec2.describe_subnets()["Subnets"]) == 3
    assert refused(ec2.create_default_vpc) == "DefaultVpcAlreadyExists"


def test_vpc_and_subnet_ranges_are_checked(ec2: Any) -> None:
    assert refused(ec2.create_vpc, CidrBlock="10.0.0.0/8") == "InvalidVpc.Range"
    assert refused(ec2.create_vpc, CidrBlock="nonsense") == "InvalidParameterValue"
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    assert refused(ec2.create_subnet, VpcId=vpc, CidrBlock="10.1.0.0/24") == "InvalidSubnet.Range"
    ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")
    assert refused(ec2.create_subnet, VpcId=vpc, CidrBlock="10.0.0.128/25") == "InvalidSubnet.Conflict"
    assert refused(ec2.delete_vpc, VpcId=vpc) == "DependencyViolation"
    assert refused(ec2.describe_vpcs, VpcIds=["vpc-00000000000000000"]) == "InvalidVpcID.NotFound"
    assert refused(ec2.describe_vpcs, VpcIds=["nonsense"]) == "InvalidVpcID.Malformed"


def test_security_group_rules_come_and_go(ec2: Any) -> None:
    group = ec2.create_security_group(GroupName="web", Description="d")["GroupId"]
    https = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    made = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[https])
    assert made["SecurityGroupRules"][0]["CidrIpv4"] == "0.0.0.0/0"
    assert refused(ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=[https]) == (
        "InvalidPermission.Duplicate"
    )
    shown = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
    assert [(rule["IpProtocol"], rule["FromPort"]) for rule in shown["IpPermissions"]] == [("tcp", 443)]
    assert shown["IpPermissionsEgress"][0]["IpProtocol"] == "-1"
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[https])
    assert refused(ec2.revoke_security_group_ingress, GroupId=group, IpPermissions=[https]) == (
        "InvalidPermission.NotFound"
    )
    scoped = {"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "fe80::%x/64"}]}
    error = refused(ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=[scoped])
    assert error == "InvalidParameterValue"
    bad = {"IpProtocol": "tcp", "FromPort": 99999, "ToPort": 1, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    assert refused(ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=[bad]) == "InvalidParameterValue"
    ec2.delete_security_group(GroupId=group)
    assert refused(ec2.delete_security_group, GroupId=group) == "InvalidGroup.NotFound"


def test_group_that_another_names_cannot_be_deleted(ec2: Any) -> None:
    first = ec2.create_security_group(GroupName="a", Description="d")["GroupId"]
    second = ec2.create_security_group(GroupName="b", Description="d")["GroupId"]
    rule = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": first}]}
    ec2.authorize_security_group_ingress(GroupId=second, IpPermissions=[rule])
    assert refused(ec2.delete_security_group, GroupId=first) == "DependencyViolation"


def test_route_tables(ec2: Any) -> None:
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    way_out = {"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": gateway}
    assert refused(ec2.create_route, **way_out) == "InvalidParameterValue"
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.create_route(**way_out)
    assert refused(ec2.create_route, **way_out) == "RouteAlreadyExists"
    association = ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)["AssociationId"]
    assert refused(ec2.delete_route_table, RouteTableId=table) == "DependencyViolation"
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    shown = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]
    assert shown["Routes"][1]["State"] == "blackhole"
    interface = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="172.16.0.0/12", NetworkInterfaceId=interface)
    ec2.delete_network_interface(NetworkInterfaceId=interface)
    shown = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]
    states = {route.get("NetworkInterfaceId"): route["State"] for route in shown["Routes"]}
    assert states[interface] == "blackhole", "its target is gone"
    ec2.disassociate_route_table(AssociationId=association)
    ec2.delete_route_table(RouteTableId=table)


def test_tags_and_filters(ec2: Any) -> None:
    ids = []
    for number in range(3):
        tags = [{"Key": "Name", "Value": f"vpc-{number}"}, {"Key": "kind", "Value": "test"}]
        specification = [{"ResourceType": "vpc", "Tags": tags}]
        ids.append(ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=specification)["Vpc"]["VpcId"])

    def found(*filters: tuple[str, list[str]]) -> list[str]:
        given = [{"Name": name, "Values": values} for name, values in filters]
        return [vpc["VpcId"] for vpc in ec2.describe_vpcs(Filters=given)["Vpcs"]]

    assert found(("tag:Name", ["vpc-1"])) == [ids[1]]
    assert found(("tag:Name", ["vpc-?"]), ("is-default", ["false"])) == ids
    assert found(("tag:Name", ["*-0", "*-2"])) == [ids[0], ids[2]]
    assert found(("tag-key", ["kind"])) == ids
    assert refused(ec2.describe_vpcs, Filters=[{"Name": "nonsense", "Values": ["x"]}]) == "InvalidParameterValue"
    ec2.delete_tags(Resources=ids, Tags=[{"Key": "kind"}])
    assert found(("tag-key", ["kind"])) == []
    assert refused(ec2.create_tags, Resources=[ids[0]], Tags=[{"Key": "aws:x", "Value": "y"}]) == (
        "InvalidParameterValue"
    )


def test_pages_hold_everything_once(cloud: Cloud, account: Account) -> None:
    cloud.grant(account, "vpc/L-F678F1CE", 12)
    ec2 = account.client("ec2")
    ids = [ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"] for _ in range(11)]
    pages = list(ec2.get_paginator("describe_vpcs").paginate(PaginationConfig={"PageSize": 5}))
    assert [len(page["Vpcs"]) for page in pages] == [5, 5, 2]
    assert {vpc["VpcId"] for page in pages for vpc in page["Vpcs"]} >= set(ids)
    assert refused(ec2.describe_vpcs, NextToken="nonsense") == "InvalidPaginationToken"


def test_accounts_do_not_see_each_other(cloud: Cloud, account: Account) -> None:
    mine, theirs = account.client("ec2"), cloud.new_account().client("ec2")
    vpc = mine.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    assert refused(theirs.describe_vpcs, VpcIds=[vpc]) == "InvalidVpcID.NotFound"
    assert refused(theirs.create_subnet, VpcId=vpc, CidrBlock="10.0.0.0/24") == "InvalidVpcID.NotFound"
    assert refused(theirs.delete_vpc, VpcId=vpc) == "InvalidVpcID.NotFound"
    assert refused(theirs.create_tags, Resources=[vpc], Tags=[{"Key": "a", "Value": "b"}]) == "InvalidVpcID.NotFound"


def test_elastic_ips(ec2: Any) -> None:
    made = ec2.allocate_address(Domain="vpc")
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    interface = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    association = ec2.associate_address(AllocationId=made["AllocationId"], NetworkInterfaceId=interface)
    shown = ec2.describe_addresses()["Addresses"][0]
    assert shown["NetworkInterfaceId"] == interface and shown["PublicIp"] == made["PublicIp"]
    assert refused(ec2.release_address, AllocationId=made["AllocationId"]) == "InvalidIPAddress.InUse"
    ec2.disassociate_address(AssociationId=association["AssociationId"])
    ec2.release_address(AllocationId=made["AllocationId"])
    assert ec2.describe_addresses()["Addresses"] == []
    ec2.delete_network_interface(NetworkInterfaceId=interface)


def test_rules_are_tagged_changed_and_described(ec2: Any) -> None:
    group = ec2.create_security_group(GroupName="web", Description="d")["GroupId"]
    (rule,) = ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}],
        TagSpecifications=[{"ResourceType": "security-group-rule", "Tags": [{"Key": "k", "Value": "v"}]}],
    )["SecurityGroupRules"]
    id = rule["SecurityGroupRuleId"]
    wanted = {"IpProtocol": "tcp", "FromPort": 81, "ToPort": 82, "CidrIpv4": "10.1.0.0/16", "Description": "new"}
    ec2.modify_security_group_rules(
        GroupId=group, SecurityGroupRules=[{"SecurityGroupRuleId": id, "SecurityGroupRule": wanted}]
    )
    ec2.update_security_group_rule_descriptions_ingress(
        GroupId=group, SecurityGroupRuleDescriptions=[{"SecurityGroupRuleId": id, "Description": "newer"}]
    )
    (shown,) = ec2.describe_security_group_rules(SecurityGroupRuleIds=[id])["SecurityGroupRules"]
    assert (shown["FromPort"], shown["ToPort"], shown["CidrIpv4"]) == (81, 82, "10.1.0.0/16")
    assert shown["Description"] == "newer" and shown["Tags"] == [{"Key": "k", "Value": "v"}]
    everything = {"IpProtocol": "-1", "CidrIpv4": "10.1.0.0/16"}
    other = ec2.authorize_security_group_ingress(
        GroupId=group, IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.1.0.0/16"}]}]
    )["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    change = [{"SecurityGroupRuleId": id, "SecurityGroupRule": everything}]
    assert refused(ec2.modify_security_group_rules, GroupId=group, SecurityGroupRules=change) == (
        "InvalidPermission.Duplicate"
    )
    ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=[id, other])
    assert ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"] == []
    assert ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [id]}])["Tags"] == []


def test_dry_run_says_so(ec2: Any) -> None:
    assert refused(ec2.create_vpc, CidrBlock="10.0.0.0/16", DryRun=True) == "DryRunOperation"
    assert len(ec2.describe_vpcs()["Vpcs"]) == 1

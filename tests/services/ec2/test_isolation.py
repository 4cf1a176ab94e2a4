"""What one account has, no other sees, names or touches: every id in every parameter."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cloud import Account, Cloud
from tests.services.ec2.calls import refused


@pytest.fixture
def theirs(cloud: Cloud) -> dict[str, str]:
    """Ids of another account's things."""
    ec2 = cloud.new_account().client("ec2")
    return things_of(ec2)


def things_of(ec2: Any) -> dict[str, str]:
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(VpcId=vpc, GroupName="g", Description="d")["GroupId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    interface = ec2.create_network_interface(SubnetId=subnet, Groups=[group])["NetworkInterface"]["NetworkInterfaceId"]
    address = ec2.allocate_address()
    tie = ec2.associate_address(AllocationId=address["AllocationId"], NetworkInterfaceId=interface)
    rule = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"][0]
    return {
        "vpc": vpc,
        "subnet": subnet,
        "group": group,
        "gateway": gateway,
        "table": table,
        "association": ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)["AssociationId"],
        "interface": interface,
        "allocation": address["AllocationId"],
        "public": address["PublicIp"],
        "tie": tie["AssociationId"],
        "rule": rule["SecurityGroupRuleId"],
        "key": ec2.create_key_pair(KeyName="k", KeyType="ed25519")["KeyPairId"],
    }


TARGETS: list[tuple[str, dict[str, Any]]] = [
    ("delete_vpc", {"VpcId": "vpc"}),
    ("modify_vpc_attribute", {"VpcId": "vpc", "EnableDnsSupport": {"Value": False}}),
    ("describe_vpc_attribute", {"VpcId": "vpc", "Attribute": "enableDnsSupport"}),
    ("create_subnet", {"VpcId": "vpc", "CidrBlock": "10.9.1.0/24"}),
    ("create_security_group", {"VpcId": "vpc", "GroupName": "x", "Description": "d"}),
    ("create_route_table", {"VpcId": "vpc"}),
    ("delete_subnet", {"SubnetId": "subnet"}),
    ("modify_subnet_attribute", {"SubnetId": "subnet", "MapPublicIpOnLaunch": {"Value": True}}),
    ("create_network_interface", {"SubnetId": "subnet"}),
    ("create_network_interface", {"SubnetId": "own subnet", "Groups": ["group"]}),
    ("delete_security_group", {"GroupId": "group"}),
    ("authorize_security_group_ingress", {"GroupId": "group", "IpPermissions": [{"IpProtocol": "-1"}]}),
    (
        "authorize_security_group_ingress",
        {
            "GroupId": "own group",
            "IpPermissions": [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "group"}]}],
        },
    ),
    (
        "modify_security_group_rules",
        {
            "GroupId": "own group",
            "SecurityGroupRules": [{"SecurityGroupRuleId": "rule", "SecurityGroupRule": {"IpProtocol": "-1"}}],
        },
    ),
    ("revoke_security_group_egress", {"GroupId": "own group", "SecurityGroupRuleIds": ["rule"]}),
    ("attach_internet_gateway", {"InternetGatewayId": "gateway", "VpcId": "own vpc"}),
    ("attach_internet_gateway", {"InternetGatewayId": "own gateway", "VpcId": "vpc"}),
    ("detach_internet_gateway", {"InternetGatewayId": "gateway", "VpcId": "vpc"}),
    ("delete_internet_gateway", {"InternetGatewayId": "gateway"}),
    ("delete_route_table", {"RouteTableId": "table"}),
    ("create_route", {"RouteTableId": "table", "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "gateway"}),
    ("create_route", {"RouteTableId": "own table", "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "gateway"}),
    (
        "create_route",
        {"RouteTableId": "own table", "DestinationCidrBlock": "0.0.0.0/0", "NetworkInterfaceId": "interface"},
    ),
    ("associate_route_table", {"RouteTableId": "table", "SubnetId": "own subnet"}),
    ("associate_route_table", {"RouteTableId": "own table", "SubnetId": "subnet"}),
    ("disassociate_route_table", {"AssociationId": "association"}),
    ("replace_route_table_association", {"AssociationId": "association", "RouteTableId": "own table"}),
    ("delete_network_interface", {"NetworkInterfaceId": "interface"}),
    ("modify_network_interface_attribute", {"NetworkInterfaceId": "interface", "Description": {"Value": "x"}}),
    ("associate_address", {"AllocationId": "allocation", "NetworkInterfaceId": "own interface"}),
    ("associate_address", {"AllocationId": "own allocation", "NetworkInterfaceId": "interface"}),
    ("associate_address", {"PublicIp": "public", "NetworkInterfaceId": "own interface"}),
    ("disassociate_address", {"AssociationId": "tie"}),
    ("release_address", {"AllocationId": "allocation"}),
    *(
        ("create_tags", {"Resources": [name], "Tags": [{"Key": "k", "Value": "v"}]})
        for name in ("vpc", "subnet", "group", "gateway", "table", "interface", "allocation", "key", "rule")
    ),
    ("delete_tags", {"Resources": ["vpc"]}),
    ("describe_vpcs", {"VpcIds": ["vpc"]}),
    ("describe_subnets", {"SubnetIds": ["subnet"]}),
    ("describe_security_groups", {"GroupIds": ["group"]}),
    ("describe_security_group_rules", {"SecurityGroupRuleIds": ["rule"]}),
    ("describe_internet_gateways", {"InternetGatewayIds": ["gateway"]}),
    ("describe_route_tables", {"RouteTableIds": ["table"]}),
    ("describe_network_interfaces", {"NetworkInterfaceIds": ["interface"]}),
    ("describe_addresses", {"AllocationIds": ["allocation"]}),
    ("describe_addresses", {"PublicIps": ["public"]}),
    ("describe_key_pairs", {"KeyPairIds": ["key"]}),
]


def _filled(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, names) for item in value]
    return names.get(value, value) if isinstance(value, str) else value


def test_no_operation_takes_ids_of_another_account(account: Account, theirs: dict[str, str]) -> None:
    ec2 = account.client("ec2")
    names = theirs | {f"own {name}": id for name, id in things_of(ec2).items()}
    taken = []
    for operation, parameters in TARGETS:
        code = refused(getattr(ec2, operation), **_filled(parameters, names))
        if not code.endswith(".NotFound"):
            taken.append((operation, parameters, code))
    assert not taken


def test_no_operation_takes_ids_of_another_region(account: Account) -> None:
    elsewhere = things_of(account.client("ec2", region="eu-west-1"))
    ec2 = account.client("ec2")
    names = elsewhere | {f"own {name}": id for name, id in things_of(ec2).items()}
    for operation, parameters in TARGETS:
        code = refused(getattr(ec2, operation), **_filled(parameters, names))
        assert code.endswith(".NotFound"), (operation, parameters, code)


def test_deleting_another_accounts_key_by_id_leaves_it_there(account: Account, cloud: Cloud) -> None:
    owner = cloud.new_account().client("ec2")
    id = owner.create_key_pair(KeyName="mine", KeyType="ed25519")["KeyPairId"]
    account.client("ec2").delete_key_pair(KeyPairId=id)
    assert owner.describe_key_pairs()["KeyPairs"][0]["KeyPairId"] == id


def test_things_of_two_networks_are_not_tied_together(account: Account) -> None:
    ec2 = account.client("ec2")
    one, two = things_of(ec2), things_of_second(ec2)
    main = ec2.describe_route_tables(
        Filters=[{"Name": "vpc-id", "Values": [one["vpc"]]}, {"Name": "association.main", "Values": ["true"]}]
    )["RouteTables"][0]["Associations"][0]["RouteTableAssociationId"]
    for association in (main, one["association"]):
        code = refused(ec2.replace_route_table_association, AssociationId=association, RouteTableId=two["table"])
        assert code == "InvalidParameterValue"
    assert (
        refused(
            ec2.create_route,
            RouteTableId=one["table"],
            DestinationCidrBlock="0.0.0.0/0",
            NetworkInterfaceId=two["interface"],
        )
        == "InvalidParameterValue"
    )


def things_of_second(ec2: Any) -> dict[str, str]:
    vpc = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.8.0.0/24")["Subnet"]["SubnetId"]
    return {
        "table": ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"],
        "interface": ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"],
    }

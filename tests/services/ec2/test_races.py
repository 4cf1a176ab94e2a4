"""Two callers at once: what may happen once happens once, and nobody sees a failure of ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import ClientError

from tests.cloud import Account


def at_once(calls: Sequence[Callable[[], Any]]) -> tuple[list[Any], list[str]]:
    """Answers and error codes of calls that are made at the same time."""

    def attempt(call: Callable[[], Any]) -> Any:
        try:
            return call()
        except ClientError as error:
            return str(error.response["Error"]["Code"])

    with ThreadPoolExecutor(len(calls)) as threads:
        outcomes = list(threads.map(attempt, calls))
    codes = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert "InternalFailure" not in codes and "ServiceUnavailable" not in codes, codes
    return [outcome for outcome in outcomes if not isinstance(outcome, str)], codes


def test_default_vpc_is_made_once_by_many_first_calls(account: Account) -> None:
    clients = [account.client("ec2", region="eu-central-1") for _ in range(8)]
    answers, _ = at_once([client.describe_vpcs for client in clients])
    assert len({vpc["VpcId"] for answer in answers for vpc in answer["Vpcs"]}) == 1


def test_create_default_vpc_is_done_once(account: Account) -> None:
    ec2 = account.client("ec2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    for subnet in ec2.describe_subnets()["Subnets"]:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    gateway = ec2.describe_internet_gateways()["InternetGateways"][0]["InternetGatewayId"]
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.delete_vpc(VpcId=vpc)
    answers, codes = at_once([account.client("ec2").create_default_vpc for _ in range(6)])
    assert len(answers) == 1 and set(codes) == {"DefaultVpcAlreadyExists"}


def test_an_interface_gets_one_of_many_addresses(account: Account) -> None:
    ec2 = account.client("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    interface = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    allocations = [ec2.allocate_address()["AllocationId"] for _ in range(5)]
    at_once(
        [
            lambda id=id: account.client("ec2").associate_address(AllocationId=id, NetworkInterfaceId=interface)
            for id in allocations
        ]
    )
    tied = [item for item in ec2.describe_addresses()["Addresses"] if item.get("NetworkInterfaceId")]
    assert len(tied) == 1


def test_released_address_was_not_associated_meanwhile(account: Account) -> None:
    ec2 = account.client("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    interface = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    for _ in range(5):
        id = ec2.allocate_address()["AllocationId"]
        one, two = account.client("ec2"), account.client("ec2")
        answers, _ = at_once(
            [
                lambda c=one, id=id: c.associate_address(AllocationId=id, NetworkInterfaceId=interface),
                lambda c=two, id=id: c.release_address(AllocationId=id),
            ]
        )
        assert len(answers) == 1


def test_a_gateway_is_attached_once(account: Account) -> None:
    ec2 = account.client("ec2")
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    vpcs = [ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"] for _ in range(4)]
    answers, codes = at_once(
        [
            lambda vpc=vpc: account.client("ec2").attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
            for vpc in vpcs
        ]
    )
    assert len(answers) == 1 and set(codes) == {"Resource.AlreadyAssociated"}


def test_groups_may_come_to_refer_to_each_other(account: Account) -> None:
    ec2 = account.client("ec2")
    groups = [ec2.create_security_group(GroupName=name, Description="d")["GroupId"] for name in ("one", "two")]
    calls = []
    for port in range(8):
        here, there = groups if port % 2 else groups[::-1]
        rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "UserIdGroupPairs": [{"GroupId": there}]}
        calls.append(
            lambda c=account.client("ec2"), here=here, rule=rule: c.authorize_security_group_ingress(
                GroupId=here, IpPermissions=[rule]
            )
        )
    answers, codes = at_once(calls)
    assert len(answers) == 8 and not codes


def test_network_is_torn_down_while_others_build(account: Account) -> None:
    ec2 = account.client("ec2")
    for _ in range(3):
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        group = ec2.create_security_group(VpcId=vpc, GroupName="g", Description="d")["GroupId"]
        clients = [account.client("ec2") for _ in range(8)]
        at_once(
            [
                lambda c=clients[0], s=subnet: c.delete_subnet(SubnetId=s),
                lambda c=clients[1], s=subnet, g=group: c.create_network_interface(SubnetId=s, Groups=[g]),
                lambda c=clients[2], t=table: c.delete_route_table(RouteTableId=t),
                lambda c=clients[3], t=table, s=subnet: c.associate_route_table(RouteTableId=t, SubnetId=s),
                lambda c=clients[4], g=group: c.delete_security_group(GroupId=g),
                lambda c=clients[5], v=vpc: c.create_security_group(VpcId=v, GroupName="h", Description="d"),
                lambda c=clients[6], v=vpc: c.delete_vpc(VpcId=v),
                lambda c=clients[7], v=vpc: c.create_route_table(VpcId=v),
            ]
        )


def test_one_token_launches_once(account: Account) -> None:
    parameters = {"MinCount": 1, "MaxCount": 1, "ImageId": "ami-00000000000000000", "ClientToken": "t"}
    _, codes = at_once([lambda c=account.client("ec2"): c.run_instances(**parameters) for _ in range(4)])
    assert set(codes) == {"InvalidAMIID.NotFound"}

"""Denials of particular things hold, however a request names them."""

from __future__ import annotations

import json
from typing import Any

from tests.cloud import Account
from tests.services.ec2.calls import refused
from tests.services.iam.conftest import user_with_key


def user_denied(account: Account, name: str, **denial: Any) -> Any:
    """The EC2 client of a new user who may do all but one thing."""
    user = user_with_key(account, name)
    statements = [{"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny", **denial}]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    account.client("iam").put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document)
    return user.client("ec2")


def arn(account: Account, resource: str) -> str:
    return f"arn:aws:ec2:us-east-1:{account.id}:{resource}"


def test_denied_thing_is_denied_by_all_its_names(account: Account) -> None:
    ec2 = account.client("ec2")
    group = ec2.create_security_group(GroupName="kept", Description="d")["GroupId"]
    key = ec2.create_key_pair(KeyName="kept", KeyType="ed25519")["KeyPairId"]
    address = ec2.allocate_address()
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    interface = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    tie = ec2.associate_address(AllocationId=address["AllocationId"], NetworkInterfaceId=interface)["AssociationId"]
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    association = ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)["AssociationId"]
    kept = (f"security-group/{group}", "key-pair/kept", f"elastic-ip/{address['AllocationId']}", f"route-table/{table}")
    user = user_denied(account, "someone", Action="ec2:*", Resource=[arn(account, name) for name in kept])
    for call, parameters in (
        (user.delete_security_group, {"GroupId": group}),
        (user.delete_security_group, {"GroupName": "kept"}),
        (user.revoke_security_group_egress, {"GroupId": group, "IpPermissions": [{"IpProtocol": "-1"}]}),
        (user.delete_key_pair, {"KeyName": "kept"}),
        (user.delete_key_pair, {"KeyPairId": key}),
        (user.create_tags, {"Resources": [key], "Tags": [{"Key": "k", "Value": "v"}]}),
        (user.disassociate_address, {"AssociationId": tie}),
        (user.disassociate_address, {"PublicIp": address["PublicIp"]}),
        (user.release_address, {"AllocationId": address["AllocationId"]}),
        (user.disassociate_route_table, {"AssociationId": association}),
        (user.delete_route_table, {"RouteTableId": table}),
    ):
        assert refused(call, **parameters) == "UnauthorizedOperation", parameters


def test_launch_asks_about_all_that_goes_into_it(account: Account) -> None:
    ec2 = account.client("ec2")
    subnet = sorted(ec2.describe_subnets()["Subnets"], key=lambda item: item["AvailabilityZone"])[0]["SubnetId"]
    group = ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
    interface = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    launch = {"ImageId": "ami-00000000000000000", "InstanceType": "t3.nano", "MinCount": 1, "MaxCount": 1}
    one_of_mine = {"NetworkInterfaces": [{"DeviceIndex": 0, "NetworkInterfaceId": interface}]}
    hops = {"MetadataOptions": {"HttpTokens": "required"}}
    no_tokens = {"StringNotEquals": {"ec2:MetadataHttpTokens": "required"}}
    big = {"NumericGreaterThan": {"ec2:VolumeSize": "20"}}
    disk = [{"DeviceName": "/dev/sdb", "Ebs": {"VolumeSize": 21}}]
    small = {"StringEquals": {"ec2:InstanceType": "t3.nano"}}
    cases: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any] | None]] = [
        ({"Resource": arn(account, f"subnet/{subnet}")}, {}, {"Placement": {"AvailabilityZone": "us-east-1b"}}),
        ({"Resource": arn(account, f"security-group/{group}")}, {"SecurityGroups": ["default"]}, None),
        ({"Resource": arn(account, f"network-interface/{interface}")}, one_of_mine, {}),
        ({"Resource": arn(account, "instance/*"), "Condition": no_tokens}, {}, hops),
        ({"Resource": arn(account, "volume/*"), "Condition": big}, {"BlockDeviceMappings": disk}, {}),
        ({"Resource": "*", "Condition": small}, {}, {"InstanceType": "t3.micro"}),
    ]
    for number, (denied, bad, good) in enumerate(cases):
        user = user_denied(account, f"user-{number}", Action="ec2:RunInstances", **denied)
        assert refused(user.run_instances, **{**launch, **bad}) == "UnauthorizedOperation", denied
        if good is not None:
            assert refused(user.run_instances, **{**launch, **good}) == "InvalidAMIID.NotFound", denied

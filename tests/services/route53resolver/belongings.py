"""What an account may have in Route 53 Resolver, for the test that others cannot reach it."""

from __future__ import annotations

import uuid

from tests.cloud import Account


def make(account: Account) -> None:
    """An outbound endpoint with a rule that holds in its VPC."""
    resolver, ec2, name = account.client("route53resolver"), account.client("ec2"), f"own-{uuid.uuid4().hex[:12]}"
    vpc = ec2.create_vpc(CidrBlock="10.66.0.0/16")["Vpc"]
    ranges = ("10.66.1.0/24", "10.66.2.0/24")
    subnets = [ec2.create_subnet(VpcId=vpc["VpcId"], CidrBlock=text)["Subnet"] for text in ranges]
    groups = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])["SecurityGroups"]
    endpoint = resolver.create_resolver_endpoint(
        CreatorRequestId=name,
        Name=name,
        Direction="OUTBOUND",
        SecurityGroupIds=[groups[0]["GroupId"]],
        IpAddresses=[{"SubnetId": subnet["SubnetId"]} for subnet in subnets],
    )["ResolverEndpoint"]
    rule = resolver.create_resolver_rule(
        CreatorRequestId=name,
        Name=name,
        RuleType="FORWARD",
        DomainName=f"{name}.test",
        TargetIps=[{"Ip": "10.1.2.3"}],
        ResolverEndpointId=endpoint["Id"],
    )["ResolverRule"]
    resolver.associate_resolver_rule(ResolverRuleId=rule["Id"], VPCId=vpc["VpcId"], Name=name)

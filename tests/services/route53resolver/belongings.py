"""What an account may have in Route 53 Resolver, for the test that others cannot reach it."""

from __future__ import annotations

import json
import uuid
from typing import Any

from tests.cloud import Account


def make(account: Account) -> None:
    """An outbound endpoint with a rule that holds in its VPC, a firewall there, and a log of its questions."""
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
    _firewall(resolver, name, vpc["VpcId"])
    _log(account, name, vpc["VpcId"])


def _firewall(resolver: Any, name: str, vpc: str) -> None:
    made = {"CreatorRequestId": name, "Name": name}
    domains = resolver.create_firewall_domain_list(**made)["FirewallDomainList"]["Id"]
    resolver.update_firewall_domains(FirewallDomainListId=domains, Operation="ADD", Domains=[f"{name}.test"])
    group = resolver.create_firewall_rule_group(**made)["FirewallRuleGroup"]["Id"]
    rule = {"FirewallRuleGroupId": group, "FirewallDomainListId": domains, "Priority": 1, "Action": "ALERT"}
    resolver.create_firewall_rule(**made, **rule)
    resolver.associate_firewall_rule_group(**made, FirewallRuleGroupId=group, VpcId=vpc, Priority=200)


def _log(account: Account, name: str, vpc: str) -> None:
    s3, resolver, bucket = account.client("s3"), account.client("route53resolver"), name
    s3.create_bucket(Bucket=bucket)
    allow = {"Effect": "Allow", "Principal": {"Service": "delivery.logs.amazonaws.com"}, "Action": "s3:GetBucketAcl"}
    statements = [{**allow, "Resource": f"arn:aws:s3:::{bucket}"}]
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))
    config = resolver.create_resolver_query_log_config(
        CreatorRequestId=name, Name=name, DestinationArn=f"arn:aws:s3:::{bucket}"
    )["ResolverQueryLogConfig"]
    resolver.associate_resolver_query_log_config(ResolverQueryLogConfigId=config["Id"], ResourceId=vpc)

"""DNS Firewall and query logs through boto3. That they work is proven with guests (tests/agents, tests/e2e)."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from tests.cloud import Account, Cloud
from tests.services.organizations.test_organizations import code


class Firewall:
    """A list of domains and a group of rules."""

    def __init__(self, account: Account) -> None:
        self.client = account.client("route53resolver")
        self.list = self.new_list()
        made = self.client.create_firewall_rule_group(CreatorRequestId=uuid.uuid4().hex, Name="group")
        self.group = made["FirewallRuleGroup"]["Id"]

    def new_list(self, *domains: str) -> str:
        made = self.client.create_firewall_domain_list(CreatorRequestId=uuid.uuid4().hex, Name="list")
        id = str(made["FirewallDomainList"]["Id"])
        if domains:
            self.client.update_firewall_domains(FirewallDomainListId=id, Operation="ADD", Domains=list(domains))
        return id

    def rule(self, priority: int = 1, action: str = "ALERT", **more: Any) -> dict[str, Any]:
        given = {"FirewallRuleGroupId": self.group, "FirewallDomainListId": self.list, "Name": "rule", **more}
        request = {"CreatorRequestId": uuid.uuid4().hex, "Priority": priority, "Action": action, **given}
        return dict(self.client.create_firewall_rule(**request)["FirewallRule"])


@pytest.fixture
def firewall(account: Account) -> Firewall:
    return Firewall(account)


def test_domains_are_added_removed_and_replaced(firewall: Firewall) -> None:
    client, id = firewall.client, firewall.list

    def update(operation: str, *domains: str) -> list[str]:
        client.update_firewall_domains(FirewallDomainListId=id, Operation=operation, Domains=list(domains))
        return list(client.list_firewall_domains(FirewallDomainListId=id)["Domains"])

    assert update("ADD", "Bad.example", "*.worse.example.", "*") == ["*.", "*.worse.example.", "bad.example."]
    assert update("REMOVE", "bad.example", "none.example") == ["*.", "*.worse.example."]
    assert update("REPLACE", "a.example", "b.example", "c.example") == ["a.example.", "b.example.", "c.example."]
    first = client.list_firewall_domains(FirewallDomainListId=id, MaxResults=2)
    rest = client.list_firewall_domains(FirewallDomainListId=id, MaxResults=2, NextToken=first["NextToken"])
    assert first["Domains"] + rest["Domains"] == ["a.example.", "b.example.", "c.example."]
    assert client.get_firewall_domain_list(FirewallDomainListId=id)["FirewallDomainList"]["DomainCount"] == 3
    for bad in ("a b.example", "x.*.example", "*x.example", "a..example", ".example", "x" * 64):
        assert code(lambda bad=bad: update("ADD", bad)) == "ValidationException", bad
    firewall.rule()
    assert code(lambda: client.delete_firewall_domain_list(FirewallDomainListId=id)) == "ConflictException"


def test_rules_are_checked_listed_and_changed(firewall: Firewall) -> None:
    client = firewall.client
    other = firewall.new_list("x.example")
    override = {"BlockOverrideDomain": "safe.example", "BlockOverrideDnsType": "CNAME", "BlockOverrideTtl": 60}
    for bad in (
        {"action": "BLOCK"},
        {"action": "BLOCK", "BlockResponse": "OVERRIDE"},
        {"action": "BLOCK", "BlockResponse": "OVERRIDE", **override, "BlockOverrideDomain": "not a domain"},
        {"action": "ALLOW", "BlockResponse": "NODATA"},
    ):
        assert code(lambda bad=bad: firewall.rule(**bad)) == "ValidationException", bad
    made = firewall.rule(1, "BLOCK", BlockResponse="OVERRIDE", **override)
    assert (made["BlockOverrideDomain"], made["FirewallDomainRedirectionAction"]) == (
        "safe.example",
        "INSPECT_REDIRECTION_DOMAIN",
    )
    assert code(lambda: firewall.rule(1, FirewallDomainListId=other)) == "ValidationException"
    assert code(lambda: firewall.rule(2)) == "ValidationException", "the list has a rule"
    firewall.rule(2, FirewallDomainListId=other, Qtype="TYPE28")
    assert code(lambda: firewall.rule(3, FirewallDomainListId=other, Qtype="aaaa")) == "ValidationException"
    assert code(lambda: firewall.rule(3, FirewallDomainListId=other, Qtype="NONSENSE")) == "ValidationException"
    listed = client.list_firewall_rules(FirewallRuleGroupId=firewall.group)["FirewallRules"]
    assert [(rule["Priority"], rule["Action"], rule.get("Qtype")) for rule in listed] == [
        (1, "BLOCK", None),
        (2, "ALERT", "AAAA"),
    ]
    key = {"FirewallRuleGroupId": firewall.group, "FirewallDomainListId": firewall.list}
    changed = client.update_firewall_rule(**key, Action="ALLOW", Priority=5)["FirewallRule"]
    assert changed["Priority"] == 5 and "BlockResponse" not in changed
    client.delete_firewall_rule(**key)
    assert code(lambda: client.delete_firewall_rule(**key)) == "ResourceNotFoundException"
    assert len(client.list_firewall_rules(FirewallRuleGroupId=firewall.group, Action="ALERT")["FirewallRules"]) == 1


def test_groups_hold_in_vpcs_by_priority(firewall: Firewall, account: Account, cloud: Cloud) -> None:
    client, vpc = firewall.client, account.client("ec2").create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]

    def associate(vpc: str = vpc, priority: int = 200, group: str = firewall.group, **more: Any) -> dict[str, Any]:
        given = {"CreatorRequestId": uuid.uuid4().hex, "FirewallRuleGroupId": group, "VpcId": vpc, **more}
        made = client.associate_firewall_rule_group(**given, Priority=priority, Name="here")
        return dict(made["FirewallRuleGroupAssociation"])

    for priority in (100, 9900):
        assert code(lambda priority=priority: associate(priority=priority)) == "ValidationException"
    foreign = cloud.new_account().client("ec2").create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    assert code(lambda: associate(foreign)) == "ResourceNotFoundException"
    made = associate(MutationProtection="ENABLED")
    assert code(associate) == "ConflictException"
    other = client.create_firewall_rule_group(CreatorRequestId=uuid.uuid4().hex, Name="x")["FirewallRuleGroup"]["Id"]
    assert code(lambda: associate(group=other)) == "ValidationException", "the priority is taken"
    named = {"FirewallRuleGroupAssociationId": made["Id"]}
    assert code(lambda: client.disassociate_firewall_rule_group(**named)) == "ConflictException"
    in_use = lambda: client.delete_firewall_rule_group(FirewallRuleGroupId=firewall.group)  # noqa: E731
    assert code(in_use) == "ConflictException"
    client.update_firewall_rule_group_association(**named, MutationProtection="DISABLED", Priority=300)
    (listed,) = client.list_firewall_rule_group_associations(VpcId=vpc, Priority=300)["FirewallRuleGroupAssociations"]
    assert (listed["Id"], listed["MutationProtection"]) == (made["Id"], "DISABLED")
    client.disassociate_firewall_rule_group(**named)
    in_use()


def test_query_logs_need_a_bucket_that_takes_them(account: Account) -> None:
    client, s3 = account.client("route53resolver"), account.client("s3")
    bucket = f"logs-{uuid.uuid4().hex}"

    def create(destination: str = f"arn:aws:s3:::{bucket}/names") -> dict[str, Any]:
        request = {"Name": "log", "DestinationArn": destination, "CreatorRequestId": uuid.uuid4().hex}
        return dict(client.create_resolver_query_log_config(**request)["ResolverQueryLogConfig"])

    assert code(create) == "InvalidRequestException", "no bucket"
    s3.create_bucket(Bucket=bucket)
    assert code(create) == "InvalidRequestException", "no policy"
    allow = {"Effect": "Allow", "Principal": {"Service": "delivery.logs.amazonaws.com"}}
    allow |= {
        "Action": ["s3:GetBucketAcl", "s3:PutObject"],
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [allow]}))
    logs = f"arn:aws:logs:us-east-1:{account.id}:log-group:x"
    assert code(lambda: create(logs)) == "InvalidRequestException", "no group"
    assert code(lambda: create("arn:aws:sqs:us-east-1:1:x")) == "InvalidParameterException"
    made = create()
    vpc = account.client("ec2").create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    pair = {"ResolverQueryLogConfigId": made["Id"], "ResourceId": vpc}
    one = client.associate_resolver_query_log_config(**pair)["ResolverQueryLogConfigAssociation"]
    again = lambda: client.associate_resolver_query_log_config(**pair)  # noqa: E731
    assert code(again) == "ResourceExistsException"
    found = client.get_resolver_query_log_config_association(ResolverQueryLogConfigAssociationId=one["Id"])
    assert found["ResolverQueryLogConfigAssociation"]["Status"] == "ACTIVE"
    (listed,) = client.list_resolver_query_log_configs()["ResolverQueryLogConfigs"]
    assert (listed["Status"], listed["AssociationCount"]) == ("CREATED", 1)
    delete = lambda: client.delete_resolver_query_log_config(ResolverQueryLogConfigId=made["Id"])  # noqa: E731
    assert code(delete) == "InvalidRequestException"
    client.disassociate_resolver_query_log_config(**pair)
    delete()
    assert code(delete) == "ResourceNotFoundException"


def test_tags_go_by_the_one_arn_of_a_thing(firewall: Firewall) -> None:
    client = firewall.client
    arn = client.get_firewall_domain_list(FirewallDomainListId=firewall.list)["FirewallDomainList"]["Arn"]
    client.tag_resource(ResourceArn=arn, Tags=[{"Key": "k", "Value": "v"}])
    assert client.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "k", "Value": "v"}]
    for other in (arn.replace("arn:aws:", "arn:aws-cn:"), arn.replace("us-east-1", "us-west-9")):
        elsewhere = lambda other=other: client.list_tags_for_resource(ResourceArn=other)  # noqa: E731
        assert code(elsewhere) == "ResourceNotFoundException", "a Deny on its ARN would not be about this one"

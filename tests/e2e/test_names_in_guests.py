"""What a running machine is answered by the resolver of its VPC: private zones, reverse names, forwarding rules with a
server behind them, DNS Firewall; and the log of its questions in a bucket."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cloud import Account, Cloud
from tests.machines import Lab

pytestmark = pytest.mark.machines


@pytest.fixture
def office() -> Iterator[str]:
    """A name server in a namespace of its own, which knows `office.test`; its address. It answers on port 5300."""
    name, net = f"office-{os.getpid()}", f"198.18.{os.getpid() % 250}"
    address = f"{net}.2"
    commands = (
        f"netns add {name}",
        f"link add of{os.getpid()} type veth peer name eth0 netns {name}",
        f"address add {net}.1/30 dev of{os.getpid()}",
        f"link set of{os.getpid()} up",
        f"-n {name} address add {address}/30 dev eth0",
        f"-n {name} link set eth0 up",
        f"-n {name} route add default via {net}.1",
    )
    options = "--no-daemon --no-resolv --no-hosts --conf-file=/dev/null --port=5300 --address=/office.test/10.1.1.1"
    try:
        for command in commands:
            subprocess.run(["ip", *command.split()], check=True)
        server = subprocess.Popen(["ip", "netns", "exec", name, "dnsmasq", *options.split()])
        yield address
        server.terminate()
        server.wait()
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=False)


class Place:
    """The VPC of a lab's machines, and what its resolver is told."""

    def __init__(self, account: Account, cloud: Cloud, vpc: str) -> None:
        self.vpc, self.cloud, self.account = vpc, cloud, account
        self.ec2, self.resolver = account.client("ec2"), account.client("route53resolver")
        self.route53, self.s3 = account.client("route53"), account.client("s3")

    def zone(self, name: str, vpc: str, **records: str) -> None:
        where = {"VPCRegion": "us-east-1", "VPCId": vpc}
        made = self.route53.create_hosted_zone(Name=name, CallerReference=uuid.uuid4().hex, VPC=where)["HostedZone"]
        changes = [
            {
                "Action": "CREATE",
                "ResourceRecordSet": {
                    "Name": f"{label}.{name}", "Type": "A", "TTL": 5, "ResourceRecords": [{"Value": value}]
                },
            }
            for label, value in records.items()
        ]  # fmt: skip
        change = self.route53.change_resource_record_sets(HostedZoneId=made["Id"], ChangeBatch={"Changes": changes})
        self.cloud.wait_until(
            lambda: self.route53.get_change(Id=change["ChangeInfo"]["Id"])["ChangeInfo"]["Status"] == "INSYNC", 60
        )

    def forward(self, domain: str, address: str) -> None:
        own = [{"Name": "vpc-id", "Values": [self.vpc]}]
        subnet = self.ec2.describe_subnets(Filters=own)["Subnets"][0]["SubnetId"]
        group = self.ec2.describe_security_groups(Filters=own)["SecurityGroups"][0]["GroupId"]
        endpoint = self.resolver.create_resolver_endpoint(
            CreatorRequestId=uuid.uuid4().hex,
            Direction="OUTBOUND",
            SecurityGroupIds=[group],
            IpAddresses=[{"SubnetId": subnet}, {"SubnetId": subnet}],
        )["ResolverEndpoint"]["Id"]
        rule = self.resolver.create_resolver_rule(
            CreatorRequestId=uuid.uuid4().hex,
            RuleType="FORWARD",
            DomainName=domain,
            TargetIps=[{"Ip": address, "Port": 5300}],
            ResolverEndpointId=endpoint,
        )["ResolverRule"]["Id"]
        self.resolver.associate_resolver_rule(ResolverRuleId=rule, VPCId=self.vpc)

    def block(self, domain: str) -> str:
        """The id of the group that says that there is no such name."""
        made = {"CreatorRequestId": uuid.uuid4().hex, "Name": "block"}
        domains = self.resolver.create_firewall_domain_list(**made)["FirewallDomainList"]["Id"]
        self.resolver.update_firewall_domains(FirewallDomainListId=domains, Operation="ADD", Domains=[domain])
        group = str(self.resolver.create_firewall_rule_group(**made)["FirewallRuleGroup"]["Id"])
        rule = {"FirewallRuleGroupId": group, "FirewallDomainListId": domains, "Priority": 1}
        self.resolver.create_firewall_rule(**made, **rule, Action="BLOCK", BlockResponse="NXDOMAIN")
        self.resolver.associate_firewall_rule_group(**made, FirewallRuleGroupId=group, VpcId=self.vpc, Priority=200)
        return group

    def log(self) -> tuple[str, str]:
        """A bucket whose policy is the one in AWS's guide, and the association that logs into it."""
        bucket, id = f"names-{uuid.uuid4().hex}", self.account.id
        self.s3.create_bucket(Bucket=bucket)
        only = {
            "StringEquals": {"aws:SourceAccount": id},
            "ArnLike": {"aws:SourceArn": f"arn:aws:logs:us-east-1:{id}:*"},
        }
        service = {"Effect": "Allow", "Principal": {"Service": "delivery.logs.amazonaws.com"}}
        full = {"s3:x-amz-acl": "bucket-owner-full-control", **only["StringEquals"]}
        write = {"Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/AWSLogs/{id}/*"}
        look = {"Action": "s3:GetBucketAcl", "Resource": f"arn:aws:s3:::{bucket}"}
        statements = [{**service, **write, "Condition": {**only, "StringEquals": full}}]
        statements.append({**service, **look, "Condition": only})
        self.s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))
        config = self.resolver.create_resolver_query_log_config(
            Name="names", DestinationArn=f"arn:aws:s3:::{bucket}", CreatorRequestId=uuid.uuid4().hex
        )["ResolverQueryLogConfig"]["Id"]
        association = self.resolver.associate_resolver_query_log_config(
            ResolverQueryLogConfigId=config, ResourceId=self.vpc
        )
        return bucket, str(association["ResolverQueryLogConfigAssociation"]["Id"])

    def logged(self, bucket: str) -> dict[str, dict[str, Any]]:
        """The lines of all files, by name and type."""
        found = {}
        for item in self.s3.list_objects_v2(Bucket=bucket).get("Contents", ()):
            assert item["Key"].startswith(f"AWSLogs/{self.account.id}/vpcdnsquerylogs/{self.vpc}/")
            content = gzip.decompress(self.s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read())
            for line in map(json.loads, content.splitlines()):
                found[f"{line['query_name']} {line['query_type']}"] = line
        return found


def test_names_in_a_running_machine(account: Account, cloud: Cloud, lab: Lab, office: str) -> None:
    first, second = lab.launch(MinCount=2, MaxCount=2)
    shown, other = lab.wait(first, "running"), lab.wait(second, "running")
    place = Place(account, cloud, shown["VpcId"])
    elsewhere = place.ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    place.zone("corp.internal", place.vpc, db="10.9.9.9", bad="10.9.9.8")
    place.zone("hidden.internal", elsewhere, db="10.9.9.7")

    def asked(name: str) -> str:
        return lab.ssh(first, f"nslookup {name} 2>&1 || true")

    assert "10.9.9.9" in asked("db.corp.internal")
    assert "10.9.9.8" in asked("bad.corp.internal")
    assert "10.9.9.7" not in asked("db.hidden.internal"), "another VPC's zone"
    for each in (shown, other):
        assert each["PrivateDnsName"] in asked(each["PrivateIpAddress"]), "reverse lookup"
        assert each["PrivateIpAddress"] in asked(each["PrivateDnsName"])
    assert "10.1.1.1" not in asked("www.office.test")
    place.forward("office.test", office)
    cloud.wait_until(lambda: "10.1.1.1" in asked("www.office.test"), 30)

    group, (bucket, association) = place.block("bad.corp.internal"), place.log()
    cloud.wait_until(lambda: "10.9.9.8" not in asked("bad.corp.internal"), 30)
    assert "10.9.9.9" in asked("db.corp.internal") and "10.1.1.1" in asked("www.office.test")
    assert other["PrivateDnsName"] in asked(other["PrivateIpAddress"])
    cloud.wait_until(lambda: "www.office.test. A" in place.logged(bucket), 60)
    lines = place.logged(bucket)
    db, bad = lines["db.corp.internal. A"], lines["bad.corp.internal. A"]
    assert (db["srcaddr"], db["srcids"]) == (shown["PrivateIpAddress"], {"instance": first})
    assert (db["rcode"], db["answers"]) == ("NOERROR", [{"Rdata": "10.9.9.9", "Type": "A", "Class": "IN"}])
    assert (bad["rcode"], bad["firewall_rule_action"], bad["firewall_rule_group_id"]) == ("NXDOMAIN", "BLOCK", group)

    place.s3.delete_bucket_policy(Bucket=bucket)
    asked("db.corp.internal")
    deadline = time.monotonic() + 60
    named = {"ResolverQueryLogConfigAssociationId": association}
    while (told := place.resolver.get_resolver_query_log_config_association(**named))[
        "ResolverQueryLogConfigAssociation"
    ]["Status"] != "ACTION_NEEDED":
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert told["ResolverQueryLogConfigAssociation"]["Error"] == "ACCESS_DENIED"

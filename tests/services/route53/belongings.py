"""What an account may have here, for the test that others cannot reach it."""

from __future__ import annotations

import json

from tests.cloud import Account
from tests.services.route53.test_dnssec import new_key
from tests.services.route53.test_query_logs import GROUP, allow, arn


def make(account: Account) -> None:
    """A zone with a record, a health check, a traffic policy with an instance, a delegation set,
    a key-signing key, a configuration of query logging and a CIDR collection."""
    client = account.client("route53")
    name = f"own-{account.id}.test"
    zone = client.create_hosted_zone(Name=name, CallerReference=f"own-zone-{account.id}")["HostedZone"]["Id"]
    record = {"Name": f"own-www.{name}", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}
    changes = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    client.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=changes)
    config = {"Type": "TCP", "IPAddress": "192.0.2.1", "Port": 80, "Disabled": True}
    client.create_health_check(CallerReference=f"own-check-{account.id}", HealthCheckConfig=config)
    endpoints = {"e": {"Type": "value", "Value": "192.0.2.1"}}
    document = {"AWSPolicyFormatVersion": "2015-10-01", "RecordType": "A", "Endpoints": endpoints, "StartEndpoint": "e"}
    policy = client.create_traffic_policy(Name=f"own-policy-{account.id}", Document=json.dumps(document))[
        "TrafficPolicy"
    ]
    client.create_traffic_policy_instance(
        HostedZoneId=zone, Name=f"own-tp.{name}", TTL=60, TrafficPolicyId=policy["Id"], TrafficPolicyVersion=1
    )
    client.create_reusable_delegation_set(CallerReference=f"own-set-{account.id}")
    client.create_key_signing_key(
        CallerReference=f"own-key-{account.id}",
        HostedZoneId=zone,
        KeyManagementServiceArn=new_key(account),
        Name=f"own_key_{account.id}",
        Status="INACTIVE",
    )
    account.client("logs").create_log_group(logGroupName=GROUP)
    allow(account)
    client.create_query_logging_config(HostedZoneId=zone, CloudWatchLogsLogGroupArn=arn(account))
    collection = client.create_cidr_collection(Name=f"own-{account.id}", CallerReference=f"own-{account.id}")
    change = {"LocationName": f"own-{account.id}"[:16], "Action": "PUT", "CidrList": ["198.51.100.0/24"]}
    client.change_cidr_collection(Id=collection["Collection"]["Id"], Changes=[change])

"""What an account may have here, for the test that others cannot reach it."""

from __future__ import annotations

from tests.cloud import Account


def make(account: Account) -> None:
    """A zone with a record, a health check and a delegation set."""
    client = account.client("route53")
    name = f"own-{account.id}.test"
    zone = client.create_hosted_zone(Name=name, CallerReference=f"own-zone-{account.id}")["HostedZone"]["Id"]
    record = {"Name": f"own-www.{name}", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}
    changes = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    client.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=changes)
    config = {"Type": "TCP", "IPAddress": "192.0.2.1", "Port": 80, "Disabled": True}
    client.create_health_check(CallerReference=f"own-check-{account.id}", HealthCheckConfig=config)
    client.create_reusable_delegation_set(CallerReference=f"own-set-{account.id}")

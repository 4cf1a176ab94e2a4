"""A zone, and questions to the port on which it answers."""

from __future__ import annotations

import time
import uuid
from typing import Any

import dns.message
import dns.query
import dns.rcode
import pytest

from tests.cloud import Account, Cloud

Values = list[str]


class Zone:
    """A hosted zone of a fresh name."""

    def __init__(self, cloud: Cloud, account: Account, name: str = "") -> None:
        self.name = name or f"zone-{uuid.uuid4().hex[:10]}.test"
        self.client = account.client("route53")
        self._cloud = cloud
        self.made = self.client.create_hosted_zone(Name=self.name, CallerReference=uuid.uuid4().hex)
        self.id = self.made["HostedZone"]["Id"]

    def set(self, name: str, type: str, *values: str, ttl: int = 60, **more: Any) -> dict[str, Any]:
        """A record set, below the zone's name (`@`: of that name)."""
        full = self.name if name == "@" else f"{name}.{self.name}"
        plain = {"TTL": ttl, "ResourceRecords": [{"Value": value} for value in values]} if values else {}
        return {"Name": full, "Type": type, **plain, **more}

    def listed(self) -> list[dict[str, Any]]:
        """Its record sets."""
        return list(self.client.list_resource_record_sets(HostedZoneId=self.id)["ResourceRecordSets"])

    def change(self, *sets: dict[str, Any], action: str = "CREATE") -> str:
        """Change them all at once; the id of the change."""
        batch = {"Changes": [{"Action": action, "ResourceRecordSet": item} for item in sets]}
        made = self.client.change_resource_record_sets(HostedZoneId=self.id, ChangeBatch=batch)
        return str(made["ChangeInfo"]["Id"])

    def sync(self, change: str, seconds: float = 60) -> float:
        """Wait until a change is in sync; the seconds that it took."""
        began = time.monotonic()
        while self.client.get_change(Id=change)["ChangeInfo"]["Status"] != "INSYNC":
            assert time.monotonic() - began < seconds
            time.sleep(0.02)
        return time.monotonic() - began

    def put(self, *sets: dict[str, Any], action: str = "CREATE") -> None:
        self.sync(self.change(*sets, action=action))

    def answer(self, name: str, type: str = "A") -> Any:
        """The whole message that a question is answered with."""
        full = self.name if name == "@" else f"{name}.{self.name}"
        return self._cloud.ask_dns(dns.message.make_query(full, type))

    def ask(self, name: str, type: str = "A") -> Values:
        """The values that are answered, sorted."""
        return sorted(item.to_text() for group in self.answer(name, type).answer for item in group)

    def code(self, name: str, type: str = "A") -> str:
        return dns.rcode.to_text(self.answer(name, type).rcode())


@pytest.fixture
def zone(cloud: Cloud, account: Account) -> Zone:
    """A fresh zone that answers already."""
    made = Zone(cloud, account)
    made.sync(made.made["ChangeInfo"]["Id"])
    return made

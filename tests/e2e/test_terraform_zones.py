"""Terraform's AWS provider over hosted zones of all routings, an alias to a website, health checks, signing, and what
resolvers of VPCs know: applied, kept, destroyed."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import dns.message
import dns.query
import httpx

from tests.cloud import Account, Cloud
from tests.e2e.test_terraform import mirror
from tests.e2e.test_terraform_school import terraform_of

__all__ = ["mirror"]


def test_zones_are_applied_kept_and_destroyed(cloud: Cloud, account: Account, mirror: Path, tmp_path: Path) -> None:
    name = f"tf-{account.id}.test"
    terraform = terraform_of(account, mirror, tmp_path, "zones.tf", name=name, owner=account.id)
    terraform("apply", "-auto-approve")
    terraform("plan", "-detailed-exitcode")  # 2 when anything is left to change

    def asked(name: str, type: str = "A") -> set[str]:
        question = dns.message.make_query(name, type, want_dnssec=True)
        answer = cloud.ask_dns(question).answer
        return {item.to_text().split(" ")[0] for group in answer for item in group}

    assert asked(name) & {"192.0.2.1", "192.0.2.2"} and asked(f"policy.{name}") & {"192.0.2.21", "192.0.2.22"}
    assert asked(f"near.{name}") == {"192.0.2.3", "A"}, "with its signature"
    assert asked(f"many.{name}") == {"192.0.2.9", "192.0.2.10", "A"}
    address = (asked(f"site.{name}") - {"A"}).pop()
    page = httpx.get(f"http://{address}:{urlsplit(account.endpoint).port}/", headers={"Host": f"site.{name}"})
    assert page.text == "of Terraform"
    resolver, route53 = account.client("route53resolver"), account.client("route53")
    (rule,) = resolver.list_resolver_rules()["ResolverRules"]
    assert rule["TargetIps"] == [{"Ip": "192.0.2.53", "Port": 53, "Protocol": "Do53"}]
    terraform("destroy", "-auto-approve")
    assert route53.list_hosted_zones()["HostedZones"] == []
    assert resolver.list_resolver_rules()["ResolverRules"] == []

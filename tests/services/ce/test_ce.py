"""Cost Explorer through boto3, over what really ran."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.cloud import Account, Cloud
from tests.services.organizations.conftest import Organization
from tests.services.organizations.test_organizations import code

TODAY = datetime.now(UTC).date()
PERIOD = {"Start": f"{TODAY:%Y-%m-01}", "End": str(TODAY + timedelta(days=1))}


def cost(client: Any, *groups: str, **more: Any) -> dict[tuple[str, ...], dict[str, Any]]:
    """Metrics of the month by group."""
    asked = {
        "TimePeriod": PERIOD,
        "Granularity": "MONTHLY",
        "Metrics": ["UnblendedCost", "UsageQuantity"],
        "GroupBy": [{"Type": "DIMENSION", "Key": key} for key in groups],
        **more,
    }
    (result,) = client.get_cost_and_usage(**asked)["ResultsByTime"]
    return {tuple(group["Keys"]): group["Metrics"] for group in result["Groups"]} or {(): result["Total"]}


def test_addresses_are_seen_and_members_are_seen_by_their_manager(cloud: Cloud) -> None:
    organization = Organization(cloud.new_account())
    student, stranger = organization.make_account(), cloud.new_account()
    student.client("ec2").allocate_address()
    manager = organization.management.client("ce")

    def seen() -> bool:
        found = cost(manager, "LINKED_ACCOUNT", "USAGE_TYPE")
        return (student.id, "PublicIPv4:InUseAddress") in found

    cloud.wait_until(seen, 40)
    own = cost(student.client("ce"), "SERVICE")
    assert float(own[("Amazon Virtual Private Cloud",)]["UsageQuantity"]["Amount"]) > 0
    only = {"Filter": {"Dimensions": {"Key": "LINKED_ACCOUNT", "Values": [student.id]}}}
    assert {key[0] for key in cost(manager, "LINKED_ACCOUNT", **only)} == {student.id}
    assert cost(manager, "LINKED_ACCOUNT", Filter={"Not": only["Filter"]}).keys().isdisjoint({(student.id,)})
    assert (student.id,) not in cost(stranger.client("ce"), "LINKED_ACCOUNT")
    values = manager.get_dimension_values(TimePeriod=PERIOD, Dimension="LINKED_ACCOUNT")["DimensionValues"]
    assert student.id in {item["Value"] for item in values}


def test_requests_are_counted(account: Account, cloud: Cloud) -> None:
    ec2 = account.client("ec2")
    for _ in range(20):
        ec2.describe_vpcs()
    client = account.client("ce")

    def counted() -> bool:
        found = cost(client, "USAGE_TYPE").get(("Requests:ec2",))
        return found is not None and float(found["UsageQuantity"]["Amount"]) == 20

    cloud.wait_until(counted, 20)


def test_what_is_asked_wrongly_is_refused(account: Account) -> None:
    client = account.client("ce")
    asked = {"TimePeriod": PERIOD, "Granularity": "DAILY", "Metrics": ["UnblendedCost"]}
    assert len(client.get_cost_and_usage(**asked)["ResultsByTime"]) == TODAY.day
    for change in (
        {"TimePeriod": {"Start": PERIOD["End"], "End": PERIOD["Start"]}},
        {"TimePeriod": {"Start": "yesterday", "End": "2026-01-01"}},
        {"Metrics": ["Luck"]},
        {"GroupBy": [{"Type": "DIMENSION", "Key": "MOOD"}]},
        {"Filter": {"And": [{"Dimensions": {"Key": "REGION", "Values": ["us-east-1"]}}]}},
    ):
        assert code(lambda change=change: client.get_cost_and_usage(**{**asked, **change})) == "ValidationException"
    assert code(lambda: client.get_tags(TimePeriod=PERIOD, NextPageToken="x")) == "InvalidNextTokenException"
    past = {"Start": "2026-01-01", "End": "2026-01-03"}
    forecast = {"TimePeriod": past, "Granularity": "DAILY", "Metric": "UNBLENDED_COST"}
    assert code(lambda: client.get_cost_forecast(**forecast)) == "ValidationException"


@pytest.mark.machines
def test_a_machine_costs_what_it_ran(lab: Any, account: Account, cloud: Cloud) -> None:
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "course", "Value": "clouds"}]}]
    [instance] = lab.launch(TagSpecifications=tags, InstanceType="t3.nano")
    lab.wait(instance, "running")
    began = time.monotonic()
    time.sleep(3)
    lab.ec2.terminate_instances(InstanceIds=[instance])
    lab.wait(instance, "terminated")
    ran = time.monotonic() - began
    client = account.client("ce")
    found = cost(client, "INSTANCE_TYPE", "USAGE_TYPE")[("t3.nano", "BoxUsage:t3.nano")]
    seconds = float(found["UsageQuantity"]["Amount"]) * 3600
    assert 3 <= seconds <= ran + 2
    assert float(found["UnblendedCost"]["Amount"]) == pytest.approx(seconds / 3600 * 0.0052, rel=1e-3)
    by_tag = cost(client, GroupBy=[{"Type": "TAG", "Key": "course"}])
    assert float(by_tag[("course$clouds",)]["UsageQuantity"]["Amount"]) * 3600 == pytest.approx(seconds, abs=0.01)
    assert client.get_tags(TimePeriod=PERIOD, TagKey="course")["Tags"] == ["", "clouds"]

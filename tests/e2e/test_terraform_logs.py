"""Terraform's AWS provider over log groups: it applies, finds nothing left to change, and destroys."""

from __future__ import annotations

import time
from pathlib import Path

from tests.cloud import Account
from tests.e2e.test_terraform import mirror
from tests.e2e.test_terraform_identities import over

__all__ = ["mirror"]
CONFIGURATION = Path(__file__).parent / "terraform" / "logs.tf"
NAME = "/aws/route53/example.test"


def test_log_groups_are_applied_kept_and_destroyed(account: Account, mirror: Path, tmp_path: Path) -> None:
    terraform = over(account, mirror, tmp_path, CONFIGURATION)
    terraform("init")
    terraform("apply", "-auto-approve")
    terraform("plan", "-detailed-exitcode")  # 2 when anything is left to change
    logs = account.client("logs")
    [group] = logs.describe_log_groups(logGroupNamePrefix=NAME)["logGroups"]
    assert (group["retentionInDays"], ":key/" in group["kmsKeyId"]) == (30, True)
    events = [{"timestamp": int(time.time() * 1000), "message": "x"}]
    logs.put_log_events(logGroupName=NAME, logStreamName="own", logEvents=events)
    assert [event["message"] for event in logs.filter_log_events(logGroupName=NAME)["events"]] == ["x"]
    terraform("destroy", "-auto-approve")
    assert logs.describe_log_groups()["logGroups"] == []
    assert logs.describe_resource_policies()["resourcePolicies"] == []

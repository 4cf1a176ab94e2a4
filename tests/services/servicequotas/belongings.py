"""What an account may have here, for the test that others cannot reach it."""

from __future__ import annotations

from tests.cloud import Account


def make(account: Account) -> None:
    """A request that waits."""
    client = account.client("service-quotas")
    client.request_service_quota_increase(ServiceCode="vpc", QuotaCode="L-F678F1CE", DesiredValue=50)

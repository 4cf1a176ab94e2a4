"""Usage that was, and budgets over it."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from controlplane.settings import Settings
from tests.cloud import Account, Cloud
from tests.services.iam.conftest import document, trust

NOW = datetime.now(UTC)
THIS_MONTH = NOW.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
LAST_MONTH = (THIS_MONTH - timedelta(days=1)).replace(day=1)
PRICE = 0.096
"""Of an hour of m5.large."""
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def in_database(cloud: Cloud, statement: str, *arguments: Any) -> list[Any]:
    """Run a statement in the cloud's database."""

    async def run() -> list[Any]:
        connection = await asyncpg.connect(Settings(home=cloud.home).database)
        try:
            return list(await connection.fetch(statement, *arguments))
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, run()).result()


def used(cloud: Cloud, account: Account, hours: float, at: datetime, resource: str = "i-0123456789abcdef0") -> None:
    """Write hours of a large machine into the ledger, as of a time."""
    in_database(
        cloud,
        """INSERT INTO usage_ledger (period, resource_id, metric, account_id, region, quantity, facts)
        VALUES ($1, $2, 'ec2.instances', $3, 'us-east-1', $4, '{"type": "m5.large", "zone": "us-east-1a"}')""",
        at,
        resource,
        account.id,
        hours * 3600,
    )


def make_budget(account: Account, name: str = "class", limit: str = "1", **more: Any) -> Any:
    """A client with a monthly budget of some dollars."""
    client = account.client("budgets")
    budget = {"BudgetName": name, "BudgetType": "COST", "TimeUnit": "MONTHLY"}
    if "PlannedBudgetLimits" not in more and "AutoAdjustData" not in more:
        budget["BudgetLimit"] = {"Amount": limit, "Unit": "USD"}  # type: ignore[assignment]
    client.create_budget(AccountId=account.id, Budget={**budget, **more})
    return client


def make_role(account: Account, name: str = "execution") -> str:
    """A role that Budgets may use, and that may do everything."""
    iam = account.client("iam")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust({"Service": "budgets.amazonaws.com"}))
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=document(EVERYTHING))
    return f"arn:aws:iam::{account.id}:role/{name}"


def make_action(account: Account, role: str, type: str, definition: dict[str, Any], **more: Any) -> str:
    """The id of an action of the budget `class`, at half of it."""
    asked = {
        "AccountId": account.id,
        "BudgetName": "class",
        "NotificationType": "ACTUAL",
        "ActionType": type,
        "ActionThreshold": {"ActionThresholdValue": 50, "ActionThresholdType": "PERCENTAGE"},
        "Definition": definition,
        "ExecutionRoleArn": role,
        "ApprovalModel": "AUTOMATIC",
        "Subscribers": [{"SubscriptionType": "EMAIL", "Address": "teacher@example.com"}],
    }
    return str(account.client("budgets").create_budget_action(**{**asked, **more})["ActionId"])


def wait_for(account: Account, action: str, status: str, seconds: float = 60) -> None:
    """Wait until an action of the budget `class` has a status."""
    client, deadline = account.client("budgets"), time.monotonic() + seconds
    name = {"AccountId": account.id, "BudgetName": "class", "ActionId": action}
    while (found := client.describe_budget_action(**name)["Action"]["Status"]) != status:
        assert time.monotonic() < deadline, (found, history(account, action))
        time.sleep(0.1)


def history(account: Account, action: str) -> list[tuple[str, str]]:
    """Events and statuses of an action, the oldest first."""
    name = {"AccountId": account.id, "BudgetName": "class", "ActionId": action}
    pages = account.client("budgets").get_paginator("describe_budget_action_histories").paginate(**name)
    items = [item for page in pages for item in page["ActionHistories"]]
    return [(item["EventType"], item["Status"]) for item in reversed(items)]


def look_again(cloud: Cloud, account: Account, budget: str = "class") -> None:
    """Have the budget looked at now."""
    in_database(
        cloud,
        "UPDATE work_items SET due_at = now() WHERE kind = 'budgets.budget' AND key = $1",
        f"{account.id}/{budget}",
    )

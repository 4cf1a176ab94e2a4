"""What an account may have here, for the test that others cannot reach it."""

from __future__ import annotations

from tests.cloud import Account
from tests.services.budgets.conftest import make_action, make_budget, make_role

NOTIFICATION = {"NotificationType": "ACTUAL", "ComparisonOperator": "GREATER_THAN", "Threshold": 80}


def make(account: Account) -> None:
    """A budget with a notification and an action."""
    client = make_budget(account)
    client.create_notification(
        AccountId=account.id,
        BudgetName="class",
        Notification=NOTIFICATION,
        Subscribers=[{"SubscriptionType": "EMAIL", "Address": "own-teacher@example.com"}],
    )
    policy = {"PolicyArn": "arn:aws:iam::aws:policy/AWSDenyAll", "Users": ["own-student"]}
    make_action(account, make_role(account, "own-budgets"), "APPLY_IAM_POLICY", {"IamActionDefinition": policy})

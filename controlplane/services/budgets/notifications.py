"""Thresholds and who is told of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from controlplane.core.arn import Arn
from controlplane.core.context import Unit
from controlplane.services.budgets import queries
from controlplane.services.budgets.errors import (
    CreationLimitExceededException,
    DuplicateRecordException,
    InvalidParameterException,
    NotFoundException,
)

MOST = 10
_MOST_MAILS = 10
_HIGHEST_PERCENTAGE = 1_000_000_000
_INSERT = """
INSERT INTO budgets_notifications (account_id, budget, type, operator, threshold, threshold_type, subscribers)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING true
"""


def terms(notification: Mapping[str, Any]) -> tuple[str, str, float, str]:
    """What tells a notification from the others of its budget. Raises InvalidParameterException."""
    kind = notification.get("ThresholdType") or "PERCENTAGE"
    threshold = float(notification["Threshold"])
    check_threshold(threshold, kind)
    return notification["NotificationType"], notification["ComparisonOperator"], threshold, kind


def check_threshold(threshold: float, kind: str) -> None:
    """Raises InvalidParameterException."""
    if threshold <= 0:
        raise InvalidParameterException("The threshold must be greater than 0.")
    if kind == "PERCENTAGE" and threshold > _HIGHEST_PERCENTAGE:
        raise InvalidParameterException("The threshold is too high for a percentage.")


def subscribers(given: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """Raises InvalidParameterException, DuplicateRecordException, CreationLimitExceededException."""
    found = [{"SubscriptionType": item["SubscriptionType"], "Address": item["Address"]} for item in given]
    if len({tuple(item.items()) for item in found}) < len(found):
        raise DuplicateRecordException("Unable to create subscriber - the subscriber already exists.")
    for item in found:
        _check(item)
    mails = sum(item["SubscriptionType"] == "EMAIL" for item in found)
    if mails > _MOST_MAILS or len(found) - mails > 1:
        raise CreationLimitExceededException("A notification has at most one SNS subscriber and ten email subscribers.")
    return found


def _check(subscriber: Mapping[str, str]) -> None:
    address = subscriber["Address"]
    if subscriber["SubscriptionType"] == "EMAIL":
        local, _, domain = address.partition("@")
        if not local or "." not in domain or any(char.isspace() for char in address) or len(address) > 320:
            raise InvalidParameterException("Invalid email address.")
        return
    try:
        topic = Arn.parse(address)
    except ValueError:
        topic = None
    if topic is None or topic.service != "sns" or not topic.resource or not topic.account:
        raise InvalidParameterException("Invalid SNS topic ARN.")


async def create(db: Unit, row: Any, notification: Mapping[str, Any], people: Sequence[Mapping[str, str]]) -> None:
    """Add a notification to a budget whose row is locked. Raises CreationLimitExceeded, DuplicateRecord."""
    found = await queries.notifications(db, row["account_id"], row["name"])
    wanted, people = terms(notification), subscribers(people)
    if len(found) >= MOST:
        raise CreationLimitExceededException(f"A budget has at most {MOST} notifications.")
    if not await db.fetchval(_INSERT, row["account_id"], row["name"], *wanted, people):
        raise DuplicateRecordException("Unable to create notification - the notification already exists.")


async def named(db: Unit, row: Any, notification: Mapping[str, Any]) -> Any:
    """The notification of a request. Raises NotFoundException."""
    found = await queries.notification(db, row["account_id"], row["name"], *terms(notification))
    if found is None:
        raise NotFoundException("Unable to get notification - the notification doesn't exist.")
    return found


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """A Notification."""
    return {
        "NotificationType": row["type"],
        "ComparisonOperator": row["operator"],
        "Threshold": row["threshold"],
        "ThresholdType": row["threshold_type"],
        "NotificationState": row["state"],
    }

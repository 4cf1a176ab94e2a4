"""The outbox: what subscribers are told, and how it is handed on."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from controlplane.core.context import Unit
from controlplane.services.budgets import budgets, limits
from controlplane.services.budgets.actions import SERVICE
from controlplane.services.budgets.measuring import Measured
from controlplane.work.wake import wake

MESSAGE = "budgets.message"
SENDER = "AWS Budgets <budgets@costalerts.amazonaws.com>"
_SENT = "UPDATE budgets_messages SET sent_at = now(), failure = NULL WHERE id = $1"
_FAILED = "UPDATE budgets_messages SET failure = $2 WHERE id = $1"
_FIND = "SELECT * FROM budgets_messages WHERE id = $1 AND sent_at IS NULL FOR UPDATE"
_FORGET = (
    "DELETE FROM budgets_messages WHERE account_id = $1 AND budget = $2 AND created_at < now() - interval '90 days'"
)


async def tell(db: Unit, row: Any, people: Iterable[Mapping[str, str]], subject: str, body: str) -> None:
    """Put a message for each subscriber into the outbox."""
    for person in people:
        id = str(uuid.uuid4())
        await db.insert(
            "budgets_messages",
            id=id,
            account_id=row["account_id"],
            budget=row["name"],
            kind=person["SubscriptionType"],
            address=person["Address"],
            subject=subject,
            body=body,
        )
        await wake(db, MESSAGE, id)
    await db.execute(_FORGET, row["account_id"], row["name"])


async def find(db: Unit, id: str) -> Any:
    """A message that is still to be sent, locked."""
    return await db.fetchrow(_FIND, id)


async def hand_on(run: Any, db: Unit, message: Any) -> None:
    """Publish a message as Budgets itself, where the topic's policy decides, or mail it. Raises AwsError."""
    source = budgets.arn(message["account_id"], message["budget"])
    if message["kind"] == "SNS":
        region = message["address"].split(":")[3]
        request = {"TopicArn": message["address"], "Subject": message["subject"][:100], "Message": message["body"]}
        await run.acting(db, SERVICE, source, region=region).call("sns", "Publish", request)
    else:
        mail = {"Source": SENDER, "To": message["address"], "Subject": message["subject"], "Text": message["body"]}
        await run.acting(db, SERVICE, source).ask("ses", "Mail", mail)
    await db.execute(_SENT, message["id"])


async def failed(db: Unit, id: str, why: str) -> None:
    """Keep why a message could not be sent."""
    await db.execute(_FAILED, id, why)


def about(row: Any, kind: str, threshold: str, measured: Measured) -> tuple[str, str]:
    """Subject and text for a threshold that was passed."""
    content = row["content"]
    what = "cost" if content["BudgetType"] == "COST" else "usage"
    unit = limits.unit(content)
    value = measured.actual if kind == "ACTUAL" else measured.forecast
    subject = f"AWS Budgets: {row['name']} has exceeded your alert threshold"
    lines = (
        f"AWS Budget Notification, AWS account {row['account_id']}",
        "",
        f"The {kind} {what} associated with your {row['name']} budget is {value:.2f} {unit}; you asked to be told "
        f"when it passes {threshold}.",
        "",
        f"Budget name: {row['name']}",
        f"Budget type: {content['BudgetType']}",
        f"Budgeted amount: {measured.budgeted:.2f} {unit}",
        f"Alert type: {kind}",
        f"Alert threshold: > {threshold}",
        f"{kind} amount: {value:.2f} {unit}",
    )
    return subject, "\n".join(lines)

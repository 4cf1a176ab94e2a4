"""Actions: what one may be, how it is told, and its history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controlplane.core.context import Context, Unit
from controlplane.core.errors import AwsError
from controlplane.core.operation import Resource
from controlplane.services.budgets import budgets, notifications, queries
from controlplane.services.budgets.errors import (
    AccessDeniedException,
    InvalidParameterException,
    NotFoundException,
    ResourceLockedException,
)

SERVICE = "budgets.amazonaws.com"
DEEDS = "budgets.action"
"""The kind of work that does and undoes."""
MOST = 10
DEFINITIONS = {
    "APPLY_IAM_POLICY": "IamActionDefinition",
    "APPLY_SCP_POLICY": "ScpActionDefinition",
    "RUN_SSM_DOCUMENTS": "SsmActionDefinition",
}
SETTINGS = (
    "NotificationType",
    "ActionType",
    "ActionThreshold",
    "Definition",
    "ExecutionRoleArn",
    "ApprovalModel",
    "Subscribers",
)
IN_PROGRESS = ("EXECUTION_IN_PROGRESS", "REVERSE_IN_PROGRESS", "RESET_IN_PROGRESS")
# What may be asked for in which status, and what becomes of it.
EXECUTIONS = {
    "APPROVE_BUDGET_ACTION": {"PENDING": "EXECUTION_IN_PROGRESS"},
    "RETRY_BUDGET_ACTION": {
        "EXECUTION_FAILURE": "EXECUTION_IN_PROGRESS",
        "REVERSE_FAILURE": "REVERSE_IN_PROGRESS",
        "RESET_FAILURE": "RESET_IN_PROGRESS",
    },
    "REVERSE_BUDGET_ACTION": {"EXECUTION_SUCCESS": "REVERSE_IN_PROGRESS"},
    "RESET_BUDGET_ACTION": dict.fromkeys(
        ("PENDING", "EXECUTION_SUCCESS", "EXECUTION_FAILURE", "REVERSE_SUCCESS", "REVERSE_FAILURE"), "RESET_IN_PROGRESS"
    ),
}
_STATUS = "UPDATE budgets_actions SET status = $2 WHERE id = $1 RETURNING *"


async def on_action(ctx: Context, request: Any) -> list[Resource]:
    """The action that a request names; all of the budget where it names none."""
    account, budget, id = request["AccountId"], request["BudgetName"], request.get("ActionId") or "*"
    row = await queries.action(ctx.db, account, budget, id)
    return [Resource(budgets.arn(account, budget, id), row["tags"] if row is not None else {}, row=row)]


async def locked(ctx: Context, request: Any) -> Any:
    """The action of a request; its budget is locked. Raises NotFound, ResourceLocked while something is done."""
    await budgets.locked(ctx, request)
    row = await queries.action(ctx.db, request["AccountId"], request["BudgetName"], request["ActionId"])
    if row is None:
        raise missing(request)
    if row["status"] in IN_PROGRESS:
        raise ResourceLockedException(f"The action {row['id']} is in progress: {row['status']}.")
    return row


def missing(request: Any) -> NotFoundException:
    """What is said of an action that does not exist."""
    return NotFoundException(f"Unable to get budget action: {request['ActionId']} - the action doesn't exist.")


async def check(ctx: Context, content: Mapping[str, Any]) -> None:
    """Raises InvalidParameterException, AccessDeniedException."""
    definition = {name for name, value in content["Definition"].items() if value}
    if definition != {DEFINITIONS[content["ActionType"]]}:
        raise InvalidParameterException(f"The definition does not fit the action type {content['ActionType']}.")
    threshold = content["ActionThreshold"]
    notifications.check_threshold(float(threshold["ActionThresholdValue"]), threshold["ActionThresholdType"])
    iam = content["Definition"].get("IamActionDefinition")
    if iam and not (iam.get("Users") or iam.get("Groups") or iam.get("Roles")):
        raise InvalidParameterException("An IAM action needs at least one user, group or role.")
    await _check_role(ctx, content["ExecutionRoleArn"])


async def _check_role(ctx: Context, role: str) -> None:
    try:
        await ctx.pass_role(role, SERVICE)
    except AwsError as error:
        if error.code == "InvalidParameterValue":
            raise AccessDeniedException(
                f"Budgets permission required to assume [ExecutionRole: {role}]. Verify that it's configured with the "
                "proper trust policy."
            ) from error
        raise


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """An Action."""
    return {"ActionId": row["id"], "BudgetName": row["budget"], "Status": row["status"], **row["content"]}


async def note(db: Unit, row: Any, event: str, message: str) -> None:
    """Keep in the history what happened to an action."""
    await db.insert(
        "budgets_action_histories",
        account_id=row["account_id"],
        action_id=row["id"],
        status=row["status"],
        event=event,
        message=message,
        action=shown(row),
    )


async def turn(db: Unit, row: Any, status: str, event: str, message: str) -> Any:
    """Give an action another status, with a line in its history; its row as it is now."""
    changed = await db.fetchrow(_STATUS, row["id"], status)
    await note(db, changed, event, message)
    return changed

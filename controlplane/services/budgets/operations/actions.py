"""Actions of budgets."""

from __future__ import annotations

import uuid
from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import operation
from controlplane.services.budgets import actions, budgets, notifications, paging, queries, tags
from controlplane.services.budgets.actions import DEEDS, SETTINGS, on_action
from controlplane.services.budgets.budgets import on_account, on_budget
from controlplane.services.budgets.errors import CreationLimitExceededException, InvalidParameterException
from controlplane.services.budgets.reconcilers import BUDGET, key_of

_PAGE = 100
_FIRST = 2**62
_CHANGE = "UPDATE budgets_actions SET content = $2 WHERE id = $1 RETURNING *"


@operation("CreateBudgetAction", on=on_action)
async def create_budget_action(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NotFoundException, InvalidParameterException, AccessDeniedException, CreationLimitExceededException."""
    row = await budgets.locked(ctx, request)
    content = {name: request[name] for name in SETTINGS}
    content["Subscribers"] = notifications.subscribers(request["Subscribers"])
    await actions.check(ctx, content)
    if len(await queries.actions(ctx.db, row["account_id"], row["name"])) >= actions.MOST:
        raise CreationLimitExceededException(f"A budget has at most {actions.MOST} actions.")
    id = str(uuid.uuid4())
    await ctx.db.insert(
        "budgets_actions",
        id=id,
        account_id=row["account_id"],
        budget=row["name"],
        content=content,
        tags=tags.checked(request.get("ResourceTags")),
    )
    made = await queries.action(ctx.db, row["account_id"], row["name"], id)
    await actions.note(ctx.db, made, "CREATE_ACTION", "The action was created.")
    await ctx.wake(BUDGET, key_of(row))
    return {**_names(made), "ActionId": id}


def _names(row: Any) -> dict[str, str]:
    return {"AccountId": row["account_id"], "BudgetName": row["budget"]}


@operation("UpdateBudgetAction", on=on_action)
async def update_budget_action(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NotFoundException, InvalidParameterException, ResourceLockedException."""
    row = await actions.locked(ctx, request)
    content = dict(row["content"]) | {name: request[name] for name in SETTINGS if request.get(name) is not None}
    if request.get("Subscribers"):
        content["Subscribers"] = notifications.subscribers(request["Subscribers"])
    await actions.check(ctx, content)
    changed = await ctx.db.fetchrow(_CHANGE, row["id"], content)
    await actions.note(ctx.db, changed, "UPDATE_ACTION", "The action was updated.")
    await ctx.wake(BUDGET, f"{row['account_id']}/{row['budget']}")
    return {**_names(row), "OldAction": actions.shown(row), "NewAction": actions.shown(changed)}


@operation("DeleteBudgetAction", on=on_action)
async def delete_budget_action(ctx: Context, request: Any) -> dict[str, Any]:
    """Delete an action; what it did stays done. Raises NotFoundException, ResourceLockedException."""
    row = await actions.locked(ctx, request)
    await ctx.db.execute("DELETE FROM budgets_actions WHERE id = $1", row["id"])
    await ctx.db.execute(
        "DELETE FROM budgets_action_histories WHERE account_id = $1 AND action_id = $2", row["account_id"], row["id"]
    )
    return {**_names(row), "Action": actions.shown(row)}


@operation("ExecuteBudgetAction", on=on_action)
async def execute_budget_action(ctx: Context, request: Any) -> dict[str, Any]:
    """Approve, retry, reverse or reset. Raises NotFound, ResourceLocked, InvalidParameterException."""
    row = await actions.locked(ctx, request)
    asked = request["ExecutionType"]
    status = actions.EXECUTIONS[asked].get(row["status"])
    if status is None:
        raise InvalidParameterException(f"{asked} is not possible while the action's status is {row['status']}.")
    await actions.turn(ctx.db, row, status, "EXECUTE_ACTION", f"{asked} was requested.")
    await ctx.wake(DEEDS, row["id"])
    return {**_names(row), "ActionId": row["id"], "ExecutionType": asked}


@operation("DescribeBudgetAction", on=on_action)
async def describe_budget_action(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NotFoundException."""
    row = _existing(ctx, request)
    return {**_names(row), "Action": actions.shown(row)}


def _existing(ctx: Context, request: Any) -> Any:
    row = ctx.resources[0].row
    if row is None:
        raise actions.missing(request)
    return row


@operation("DescribeBudgetActionHistories", on=on_action)
async def describe_budget_action_histories(ctx: Context, request: Any) -> dict[str, Any]:
    """What happened to an action, the latest first. Raises NotFoundException."""
    row, limit = _existing(ctx, request), int(request.get("MaxResults") or _PAGE)
    time = request.get("TimePeriod") or {}
    before = paging.position(request, int, _FIRST)
    rows = await queries.histories(ctx.db, row, before, time.get("Start"), time.get("End"), limit + 1)
    shown = [
        {
            "Timestamp": item["at"],
            "Status": item["status"],
            "EventType": item["event"],
            "ActionHistoryDetails": {"Message": item["message"], "Action": item["action"]},
        }
        for item in rows[:limit]
    ]
    return {"ActionHistories": shown, **paging.more(rows, limit, "id")}


@operation("DescribeBudgetActionsForAccount", on=on_account)
async def describe_budget_actions_for_account(ctx: Context, request: Any) -> dict[str, Any]:
    """All actions."""
    return await _page(ctx, request, None)


@operation("DescribeBudgetActionsForBudget", on=on_budget)
async def describe_budget_actions_for_budget(ctx: Context, request: Any) -> dict[str, Any]:
    """Actions of one budget. Raises NotFoundException."""
    if ctx.resources[0].row is None:
        raise budgets.missing(request["BudgetName"])
    return await _page(ctx, request, request["BudgetName"])


async def _page(ctx: Context, request: Any, budget: str | None) -> dict[str, Any]:
    limit = int(request.get("MaxResults") or _PAGE)
    after = paging.position(request, str, "")
    rows = await queries.actions(ctx.db, request["AccountId"], budget, after, limit + 1)
    return {"Actions": [actions.shown(row) for row in rows[:limit]], **paging.more(rows, limit, "id")}

"""Budgets themselves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import operation
from controlplane.services.budgets import budgets, limits, measuring, notifications, paging, periods, queries, tags
from controlplane.services.budgets.budgets import on_account, on_budget
from controlplane.services.budgets.errors import CreationLimitExceededException, DuplicateRecordException
from controlplane.services.budgets.reconcilers import BUDGET, key_of

_MOST = 20_000
_PAGE = 100
_COUNT = "SELECT count(*) FROM budgets_budgets WHERE account_id = $1"
_LONGEST_HISTORY = {"DAILY": 60, "MONTHLY": 12, "QUARTERLY": 4, "ANNUALLY": 1, "CUSTOM": 1}


@operation("CreateBudget", on=on_budget, action="budgets:ModifyBudget")
async def create_budget(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises InvalidParameterException, DuplicateRecordException, CreationLimitExceededException."""
    account, budget = request["AccountId"], request["Budget"]
    content, start, end = budgets.checked(budget)
    if await ctx.db.fetchval(_COUNT, account) >= _MOST:
        raise CreationLimitExceededException(f"You have exceeded the limit of {_MOST} budgets.")
    wanted = tags.checked(request.get("ResourceTags"))
    if not await queries.insert(ctx.db, account, budget["BudgetName"], content, start, end, wanted):
        raise DuplicateRecordException(f"Error creating budget: {budget['BudgetName']} - the budget already exists.")
    row = await queries.find(ctx.db, account, budget["BudgetName"])
    for item in request.get("NotificationsWithSubscribers") or ():
        await notifications.create(ctx.db, row, item["Notification"], item["Subscribers"])
    await ctx.wake(BUDGET, key_of(row))
    return {}


@operation("UpdateBudget", on=on_budget, action="budgets:ModifyBudget")
async def update_budget(ctx: Context, request: Any) -> dict[str, Any]:
    """Replace all but the name. Raises NotFoundException, InvalidParameterException."""
    content, start, end = budgets.checked(request["NewBudget"])
    row = await budgets.locked(ctx, request)
    if not (request["NewBudget"].get("TimePeriod") or {}).get("Start"):
        start = row["starts_at"]
    await queries.update(ctx.db, row["account_id"], row["name"], content, start, end)
    await ctx.wake(BUDGET, key_of(row))
    return {}


@operation("DeleteBudget", on=on_budget, action="budgets:ModifyBudget")
async def delete_budget(ctx: Context, request: Any) -> dict[str, Any]:
    """Delete a budget with its notifications and actions; what these have done stays done. Raises NotFoundException."""
    await queries.delete(ctx.db, await budgets.locked(ctx, request))
    return {}


@operation("DescribeBudget", on=on_budget, action="budgets:ViewBudget")
async def describe_budget(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NotFoundException."""
    row = ctx.resources[0].row
    if row is None:
        raise budgets.missing(request["BudgetName"])
    return {"Budget": budgets.shown(row, expression=bool(request.get("ShowFilterExpression")))}


@operation("DescribeBudgets", on=on_account, action="budgets:ViewBudget")
async def describe_budgets(ctx: Context, request: Any) -> dict[str, Any]:
    """All budgets, by name."""
    limit = int(request.get("MaxResults") or _PAGE)
    rows = await queries.page(ctx.db, request["AccountId"], paging.position(request, str, ""), limit + 1)
    expression = bool(request.get("ShowFilterExpression"))
    shown = [budgets.shown(row, expression=expression) for row in rows[:limit]]
    return {"Budgets": shown, **paging.more(rows, limit, "name")}


@operation("DescribeBudgetPerformanceHistory", on=on_budget, action="budgets:ViewBudget")
async def describe_budget_performance_history(ctx: Context, request: Any) -> dict[str, Any]:
    """What was budgeted and used in the last periods, the latest first. Raises NotFoundException."""
    row = ctx.resources[0].row
    if row is None:
        raise budgets.missing(request["BudgetName"])
    content, amounts = row["content"], []
    asked = request.get("TimePeriod") or {}
    now = datetime.now(UTC)
    period = periods.at(row, min(now, row["ends_at"] - timedelta(seconds=1))) or periods.at(row, row["starts_at"])
    for _ in range(_LONGEST_HISTORY[content["TimeUnit"]]):
        if period is None or period.end <= row["starts_at"]:
            break
        if asked.get("Start", period.start) <= period.start and asked.get("End", now) >= period.start:
            used = await measuring.actual(ctx.db, ctx.cloud.price_table, row, period)
            budgeted = (
                row["budgeted"] or 0.0 if "AutoAdjustData" in content else limits.of_period(content, period.start)
            )
            amounts.append(
                {
                    "BudgetedAmount": limits.spend(budgeted, content),
                    "ActualAmount": limits.spend(used, content),
                    "TimePeriod": {"Start": period.start, "End": period.end},
                }
            )
        period = periods.before(row, period)
    history = {
        "BudgetName": row["name"],
        "BudgetType": content["BudgetType"],
        "TimeUnit": content["TimeUnit"],
        **budgets.cost_settings(content),
    }
    page = paging.slice_of(request, "BudgetedAndActualAmountsList", amounts)
    token = {"NextToken": page.pop("NextToken")} if "NextToken" in page else {}
    return {"BudgetPerformanceHistory": {**history, **page}, **token}

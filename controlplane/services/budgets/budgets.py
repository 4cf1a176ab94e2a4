"""Budgets: what one may be, and how it is told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from controlplane.core.context import Context
from controlplane.core.errors import NotImplementedByCelaje
from controlplane.core.operation import Resource
from controlplane.services.budgets import filters, limits, periods, queries
from controlplane.services.budgets.errors import InvalidParameterException, NotFoundException

_KEPT = (
    "BudgetType",
    "TimeUnit",
    "BudgetLimit",
    "PlannedBudgetLimits",
    "CostFilters",
    "CostTypes",
    "FilterExpression",
    "Metrics",
)
_COST_TYPES = {
    "IncludeTax": True,
    "IncludeSubscription": True,
    "UseBlended": False,
    "IncludeRefund": True,
    "IncludeCredit": True,
    "IncludeUpfront": True,
    "IncludeRecurring": True,
    "IncludeOtherSubscription": True,
    "IncludeSupport": True,
    "IncludeDiscount": True,
    "UseAmortized": False,
}
_BUILT = ("COST", "USAGE")


def arn(account_id: str, name: str, action_id: str = "") -> str:
    """The ARN of a budget, or of one of its actions."""
    return f"arn:aws:budgets::{account_id}:budget/{name}" + (f"/action/{action_id}" if action_id else "")


async def on_budget(ctx: Context, request: Any) -> list[Resource]:
    """The budget that a request names; all of the account where it names none. Its ARN says whose it is, so that
    nobody reaches into another account."""
    account = request["AccountId"]
    about = request.get("Budget") or request.get("NewBudget") or request
    name = about.get("BudgetName") or "*"
    row = await queries.find(ctx.db, account, name)
    return [Resource(arn(account, name), row["tags"] if row is not None else {}, row=row)]


async def on_account(ctx: Context, request: Any) -> list[Resource]:
    """The account that a request names."""
    return [Resource("*", conditions={"aws:ResourceAccount": request["AccountId"]})]


async def locked(ctx: Context, request: Any) -> Any:
    """The row of the budget that a request names, locked. Raises NotFoundException."""
    about = request.get("NewBudget") or request
    row = await queries.lock(ctx.db, request["AccountId"], about["BudgetName"])
    if row is None:
        raise missing(about["BudgetName"])
    return row


def missing(name: str) -> NotFoundException:
    """What is said of a budget that does not exist."""
    return NotFoundException(f"Unable to get budget: {name} - the budget doesn't exist.")


def checked(budget: Mapping[str, Any]) -> tuple[dict[str, Any], datetime, datetime]:
    """What is kept of a budget that somebody wants, with its beginning and end. Raises InvalidParameterException."""
    if budget["BudgetType"] not in _BUILT:
        raise NotImplementedByCelaje("Budgets of reservations and savings plans are not built: there are none here.")
    if budget.get("BillingViewArn"):
        raise NotImplementedByCelaje("Billing views are not built.")
    limits.check(budget)
    filters.check(budget)
    if budget.get("Metrics") and budget.get("CostTypes"):
        raise InvalidParameterException("CostTypes and Metrics cannot be used together.")
    start, end = _times(budget)
    content = {name: budget[name] for name in _KEPT if budget.get(name)}
    if budget.get("AutoAdjustData"):
        adjusted = dict(budget["AutoAdjustData"])
        adjusted.pop("LastAutoAdjustTime", None)
        content["AutoAdjustData"] = adjusted
    return content, start, end


def _times(budget: Mapping[str, Any]) -> tuple[datetime, datetime]:
    given, unit = budget.get("TimePeriod") or {}, budget["TimeUnit"]
    start, end = given.get("Start"), given.get("End")
    if unit == "CUSTOM" and (start is None or end is None):
        raise InvalidParameterException("A custom budget needs the start and the end of its time period.")
    start = start or periods.floor(unit, datetime.now(UTC))
    end = min(end or periods.FOREVER, periods.FOREVER)
    if start >= end:
        raise InvalidParameterException("The start of the time period must be before its end.")
    return start, end


def shown(row: Mapping[str, Any], *, expression: bool = True) -> dict[str, Any]:
    """A Budget. New filters are told to whom asks for them, as AWS does."""
    content = dict(row["content"])
    filter, metrics = content.pop("FilterExpression", None), content.pop("Metrics", None)
    told = {
        "BudgetName": row["name"],
        **content,
        "TimePeriod": {"Start": row["starts_at"], "End": row["ends_at"]},
        "CalculatedSpend": _calculated(row),
        "LastUpdatedTime": row["updated_at"],
        "HealthStatus": {"Status": "HEALTHY", "LastUpdatedTime": row["updated_at"]},
    }
    if "BudgetLimit" in content:
        told["BudgetLimit"] = limits.spend(content["BudgetLimit"]["Amount"], content)
    elif row["budgeted"] is not None:
        told["BudgetLimit"] = limits.spend(row["budgeted"], content)
    if "AutoAdjustData" in content:
        told["AutoAdjustData"] = {**content["AutoAdjustData"], "LastAutoAdjustTime": row["period"] or row["created_at"]}
    if filter is None and metrics is None:
        return told | cost_settings(content)
    if expression:
        told |= {name: value for name, value in (("FilterExpression", filter), ("Metrics", metrics)) if value}
    return told


def cost_settings(content: Mapping[str, Any]) -> dict[str, Any]:
    """The old filters and kinds of cost, with their defaults."""
    shown: dict[str, Any] = {"CostFilters": content.get("CostFilters") or {}}
    if content["BudgetType"] == "COST":
        shown["CostTypes"] = _COST_TYPES | (content.get("CostTypes") or {})
    return shown


def _calculated(row: Mapping[str, Any]) -> dict[str, Any]:
    told = {"ActualSpend": limits.spend(row["actual"], row["content"])}
    if row["forecast"]:
        told["ForecastedSpend"] = limits.spend(row["forecast"], row["content"])
    return told

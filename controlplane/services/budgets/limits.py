"""Amounts: how much may be used in a period."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from controlplane.services.budgets import periods
from controlplane.services.budgets.errors import InvalidParameterException

_MOST = Decimal(15_000_000_000_000)
_PLANNED = {"MONTHLY": 12, "QUARTERLY": 4}
_HISTORICAL = {"DAILY": 60, "MONTHLY": 12, "QUARTERLY": 4, "ANNUALLY": 1}


def check(budget: Mapping[str, Any]) -> None:
    """A fixed limit, one for each of the next periods, or one that adjusts itself. Raises InvalidParameterException."""
    given = [name for name in ("BudgetLimit", "PlannedBudgetLimits", "AutoAdjustData") if budget.get(name)]
    if not given:
        raise InvalidParameterException("One of BudgetLimit, PlannedBudgetLimits or AutoAdjustData is required.")
    if len(given) > 1:
        raise InvalidParameterException(f"{given[0]} and {given[1]} cannot be used together.")
    if given == ["BudgetLimit"]:
        _check_spend(budget, budget["BudgetLimit"])
    elif given == ["PlannedBudgetLimits"]:
        _check_planned(budget)
    else:
        _check_adjusted(budget)


def _check_spend(budget: Mapping[str, Any], spend: Mapping[str, str]) -> None:
    try:
        amount = Decimal(spend["Amount"])
    except InvalidOperation as error:
        raise InvalidParameterException(f"Invalid budget amount: {spend['Amount'][:50]}") from error
    if not 0 < amount <= _MOST:
        raise InvalidParameterException("The budget amount must be greater than 0 and at most 15000000000000.")
    if budget["BudgetType"] == "COST" and spend["Unit"] != "USD":
        raise InvalidParameterException("The unit of a cost budget must be USD.")


def _check_planned(budget: Mapping[str, Any]) -> None:
    planned, count = budget["PlannedBudgetLimits"], _PLANNED.get(budget["TimeUnit"])
    if count is None:
        raise InvalidParameterException("PlannedBudgetLimits are only for monthly and quarterly budgets.")
    try:
        starts = sorted(datetime.fromtimestamp(int(key), UTC) for key in planned)
    except (ValueError, OverflowError, OSError) as error:
        raise InvalidParameterException("The keys of PlannedBudgetLimits are the starts of periods.") from error
    if len(starts) != count:
        raise InvalidParameterException(f"PlannedBudgetLimits need {count} periods for a {budget['TimeUnit']} budget.")
    for start, following in zip(starts, [*starts[1:], None], strict=True):
        if periods.floor(budget["TimeUnit"], start) != start:
            raise InvalidParameterException("The keys of PlannedBudgetLimits are the starts of periods.")
        if following is not None and periods.following(budget["TimeUnit"], start) != following:
            raise InvalidParameterException("PlannedBudgetLimits must be for periods that follow one another.")
    for spend in planned.values():
        _check_spend(budget, spend)


def _check_adjusted(budget: Mapping[str, Any]) -> None:
    adjusted = budget["AutoAdjustData"]
    if budget["TimeUnit"] not in _HISTORICAL:
        raise InvalidParameterException("AutoAdjustData are not for custom periods.")
    if adjusted["AutoAdjustType"] == "FORECAST":
        return
    options = adjusted.get("HistoricalOptions")
    if not options:
        raise InvalidParameterException("HistoricalOptions are required for the type HISTORICAL.")
    most = _HISTORICAL[budget["TimeUnit"]]
    if options["BudgetAdjustmentPeriod"] > most:
        raise InvalidParameterException(
            f"BudgetAdjustmentPeriod is between 1 and {most} for a {budget['TimeUnit']} budget."
        )


def of_period(budget: Mapping[str, Any], start: datetime) -> float:
    """The limit of the period that starts then; the last planned one holds on."""
    if "BudgetLimit" in budget:
        return float(budget["BudgetLimit"]["Amount"])
    planned = {int(key): spend for key, spend in budget["PlannedBudgetLimits"].items()}
    past = [key for key in sorted(planned) if key <= start.timestamp()]
    return float(planned[past[-1] if past else min(planned)]["Amount"])


def unit(budget: Mapping[str, Any]) -> str:
    """`USD`, or what a usage budget counts."""
    if budget["BudgetType"] == "COST":
        return "USD"
    if "BudgetLimit" in budget:
        return str(budget["BudgetLimit"]["Unit"])
    return str(next(iter((budget.get("PlannedBudgetLimits") or {"": {"Unit": "Hrs"}}).values()))["Unit"])


def shown(amount: float | str) -> str:
    """An amount as AWS writes it: with a fraction, and no exponent."""
    text = f"{amount:.10f}" if isinstance(amount, float) else format(Decimal(amount), "f")
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction.rstrip('0') or '0'}"


def spend(amount: float | str, budget: Mapping[str, Any]) -> dict[str, str]:
    """A Spend."""
    return {"Amount": shown(amount), "Unit": unit(budget)}

"""How much of a budget is used up: from the ledger, and what has not got there yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from controlplane.core.context import Unit
from controlplane.metering import spending
from controlplane.services.budgets import filters, limits, periods
from controlplane.services.budgets.periods import Period

_DAY = timedelta(days=1)
_LOOK_BACK = timedelta(days=13)
"""The forecast takes every day for one like those of so long before today, as Cost Explorer's does."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What was used in a period so far, what it will be at its end, and how much may be."""

    period: Period
    actual: float
    forecast: float
    budgeted: float


async def measure(db: Unit, table: Path | None, row: Mapping[str, Any], now: datetime) -> Measured | None:
    """Where a budget stands; None while it has no period."""
    period = periods.at(row, now)
    if period is None:
        return None
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    found = await _amounts(db, table, row, Period(min(period.start, today - _LOOK_BACK), now))
    actual = sum(amount for at, amount in found if at >= periods.floor("DAILY", period.start))
    recent = [(at, amount) for at, amount in found if at >= today - _LOOK_BACK]
    a_day = sum(amount for _, amount in recent) / max((now - recent[0][0]) / _DAY, 1 / 24) if recent else 0.0
    forecast = actual + a_day * ((min(period.end, row["ends_at"]) - now) / _DAY)
    budgeted = await _budgeted(db, table, row, period, forecast)
    return Measured(period, actual, forecast, budgeted)


async def actual(db: Unit, table: Path | None, row: Mapping[str, Any], period: Period) -> float:
    """What was used in a period."""
    return sum(amount for _, amount in await _amounts(db, table, row, period))


async def _budgeted(db: Unit, table: Path | None, row: Mapping[str, Any], period: Period, forecast: float) -> float:
    adjusted = row["content"].get("AutoAdjustData")
    if not adjusted:
        return limits.of_period(row["content"], period.start)
    if adjusted["AutoAdjustType"] == "FORECAST":
        return forecast
    count, past, at = adjusted["HistoricalOptions"]["BudgetAdjustmentPeriod"], [], period
    for _ in range(count):
        earlier = periods.before(row, at)
        if earlier is None:
            break
        past.append(await actual(db, table, row, earlier))
        at = earlier
    return sum(past) / len(past) if past else 0.0


async def _amounts(
    db: Unit, table: Path | None, row: Mapping[str, Any], period: Period
) -> list[tuple[datetime, float]]:
    """Days with what was used in them, in the budget's unit and in order of time."""
    content = row["content"]
    charges = await spending.charges(
        db, row["account_id"], table, period.start, period.end, filter=filters.expression(content)
    )
    if content["BudgetType"] == "COST":
        return [(charge.period, charge.cost) for charge in charges]
    unit = limits.unit(content).lower()
    return [(charge.period, charge.quantity) for charge in charges if charge.unit.lower() in (unit, _SHORT.get(unit))]


_SHORT = {"hours": "hrs", "gb-month": "gb-mo"}

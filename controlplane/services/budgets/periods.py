"""The periods of a budget: days, months, quarters, years, or one time of its own. All in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

FOREVER = datetime(2087, 6, 15, tzinfo=UTC)
"""When a budget ends that says nothing of it, as AWS has it."""
MONTHS = {"MONTHLY": 1, "QUARTERLY": 3, "ANNUALLY": 12}


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` to before `end`."""

    start: datetime
    end: datetime


def at(row: Mapping[str, Any], moment: datetime) -> Period | None:
    """The period of a budget that a moment lies in; None before the budget begins and after it has ended."""
    if not row["starts_at"] <= moment < row["ends_at"]:
        return None
    if row["content"]["TimeUnit"] == "CUSTOM":
        return Period(row["starts_at"], row["ends_at"])
    start = floor(row["content"]["TimeUnit"], moment)
    return Period(start, following(row["content"]["TimeUnit"], start))


def before(row: Mapping[str, Any], period: Period) -> Period | None:
    """The period before one; None for a budget with only one."""
    unit = row["content"]["TimeUnit"]
    return None if unit == "CUSTOM" else Period(floor(unit, period.start - timedelta(seconds=1)), period.start)


def floor(unit: str, moment: datetime) -> datetime:
    """The beginning of the day, month, quarter or year."""
    day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if unit not in MONTHS:
        return day
    length = MONTHS[unit]
    return day.replace(day=1, month=(day.month - 1) // length * length + 1)


def following(unit: str, start: datetime) -> datetime:
    """The beginning of the next period."""
    if unit not in MONTHS:
        return start + timedelta(days=1)
    months = start.month - 1 + MONTHS[unit]
    return start.replace(year=start.year + months // 12, month=months % 12 + 1)

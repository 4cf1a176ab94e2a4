"""Days as lifecycles, restores and inventories count them: their length is a setting, so that tests need not wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

REAL_DAY = 86400.0
MOST_DAYS = 700_000
"""More are as good as for ever, and more than dates can tell."""


def midnight(moment: datetime, day: float) -> datetime:
    """The last midnight (UTC) up to a moment."""
    seconds = moment.timestamp()
    return datetime.fromtimestamp(seconds - seconds % day, UTC)


def after_days(moment: datetime, days: int, day: float) -> datetime:
    """So many days later, at the next midnight: when S3 does what is due by then."""
    found = moment + timedelta(seconds=min(days, MOST_DAYS) * day)
    last = midnight(found, day)
    return last if last == found else last + timedelta(seconds=day)


def scaled(seconds: float, day: float) -> timedelta:
    """A span of real time on the clock of a cloud."""
    return timedelta(seconds=seconds * day / REAL_DAY)

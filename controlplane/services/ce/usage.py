"""What the caller may see of usage, priced, in steps of time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from controlplane.core.context import Context
from controlplane.metering import spending
from controlplane.metering.expressions import BadExpression
from controlplane.metering.pricing import Charge
from controlplane.services.ce.errors import ValidationException

_LONGEST = timedelta(days=430)


def moment(text: str) -> datetime:
    """`2026-11-21` or `2026-11-21T10:00:00Z`. Raises ValidationException."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValidationException(f"Dates must be in yyyy-MM-dd or yyyy-MM-ddThh:mm:ssZ format: {text}") from error
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def interval(request: Any) -> tuple[datetime, datetime]:
    """The time that a request asks about. Raises ValidationException."""
    start, end = moment(request["TimePeriod"]["Start"]), moment(request["TimePeriod"]["End"])
    if start >= end:
        raise ValidationException("Start date (and hour) should be before end date (and hour)")
    if end - start > _LONGEST:
        raise ValidationException("You haven't enabled historical data beyond 14 months.")
    return start, end


async def charges(
    ctx: Context, start: datetime, end: datetime, *, hourly: bool = False, filter: Any = None
) -> list[Charge]:
    """The charges of a time that the caller may see. Raises ValidationException."""
    table = ctx.cloud.price_table
    try:
        return await spending.charges(ctx.db, ctx.account_id, table, start, end, hourly=hourly, filter=filter)
    except BadExpression as error:
        raise ValidationException(str(error)) from error


def steps(start: datetime, end: datetime, granularity: str) -> list[tuple[datetime, datetime]]:
    """The time cut into hours, days or months. Raises ValidationException for too many hours."""
    if granularity == "HOURLY" and end - start > timedelta(days=14):
        raise ValidationException("Hourly data is there for 14 days at a time.")
    found, at = [], start
    while at < end:
        following = min(end, _next(at, granularity))
        found.append((at, following))
        at = following
    return found


def _next(at: datetime, granularity: str) -> datetime:
    if granularity == "HOURLY":
        return at + timedelta(hours=1)
    if granularity == "DAILY":
        return at.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    first = at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first + timedelta(days=32)).replace(day=1)


def label(at: datetime, granularity: str) -> str:
    """A moment as Cost Explorer writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ" if granularity == "HOURLY" else "%Y-%m-%d")


def keys(charge: Charge, groups: list[Any], key_of: Callable[[Charge, Any], str]) -> tuple[str, ...]:
    """The group that a charge belongs to."""
    return tuple(key_of(charge, group) for group in groups)

"""GetCostAndUsage, GetDimensionValues, GetTags and simple forecasts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import ANY, operation
from controlplane.core.paging import decode_token, encode_token
from controlplane.metering.pricing import Charge
from controlplane.metering.spending import visible_accounts
from controlplane.services.ce import usage
from controlplane.services.ce.errors import DataUnavailableException, InvalidNextTokenException, ValidationException

_COSTS = ("BlendedCost", "UnblendedCost", "AmortizedCost", "NetUnblendedCost", "NetAmortizedCost")
_METRICS = {"".join(part.title() for part in name.split("_")): name for name in (
    "BLENDED_COST", "UNBLENDED_COST", "AMORTIZED_COST", "NET_UNBLENDED_COST", "NET_AMORTIZED_COST", "USAGE_QUANTITY",
    "NORMALIZED_USAGE_AMOUNT",
)}  # fmt: skip
_BY_NAME = {**{name: name for name in _METRICS}, **{old: name for name, old in _METRICS.items()}}
_DIMENSIONS = {
    "AZ", "INSTANCE_TYPE", "LINKED_ACCOUNT", "LINKED_ACCOUNT_NAME", "OPERATION", "PURCHASE_TYPE", "REGION", "SERVICE",
    "SERVICE_CODE", "USAGE_TYPE", "RECORD_TYPE", "RESOURCE_ID",
}  # fmt: skip
_PAGE = 1000


@operation("GetCostAndUsage", on=ANY)
async def get_cost_and_usage(ctx: Context, request: Any) -> dict[str, Any]:
    """Costs and usage in steps of time, by up to two dimensions or tags. Raises ValidationException."""
    start, end = usage.interval(request)
    granularity, groups = request["Granularity"], request.get("GroupBy") or []
    metrics = [_metric(name) for name in request["Metrics"]]
    if not metrics:
        raise ValidationException("At least one metric is needed.")
    _check_groups(groups)
    cut = usage.steps(start, end, granularity)
    found = await usage.charges(ctx, start, end, hourly=granularity == "HOURLY", filter=request.get("Filter"))
    return {
        **({"GroupDefinitions": groups} if groups else {}),
        "ResultsByTime": [_result(found, step, granularity, groups, metrics) for step in cut],
        "DimensionValueAttributes": [],
    }


def _metric(name: str) -> str:
    if name not in _BY_NAME:
        raise ValidationException(f"{name} is not a metric.")
    return _BY_NAME[name]


def _check_groups(groups: list[Any]) -> None:
    if len(groups) > 2:
        raise ValidationException("Groupings are limited to two.")
    for group in groups:
        if group.get("Type", "DIMENSION") == "DIMENSION" and group.get("Key") not in _DIMENSIONS:
            raise ValidationException(f"{group.get('Key')} is not a dimension to group by.")
        if group.get("Type", "DIMENSION") not in ("DIMENSION", "TAG"):
            raise ValidationException("Groups are dimensions or tags.")


def _result(
    found: list[Charge], step: tuple[datetime, datetime], granularity: str, groups: list[Any], metrics: list[str]
) -> dict[str, Any]:
    start, end = step
    here = [charge for charge in found if start <= charge.period < end]
    parts: dict[tuple[str, ...], list[Charge]] = defaultdict(list)
    for charge in here:
        parts[usage.keys(charge, groups, _key)].append(charge)
    return {
        "TimePeriod": {"Start": usage.label(start, granularity), "End": usage.label(end, granularity)},
        "Total": {} if groups else _sums(here, metrics),
        "Groups": [{"Keys": list(key), "Metrics": _sums(parts[key], metrics)} for key in sorted(parts)]
        if groups
        else [],
        "Estimated": end > datetime.now(UTC) - timedelta(days=1),
    }


def _key(charge: Charge, group: Any) -> str:
    if group.get("Type", "DIMENSION") == "TAG":
        return f"{group['Key']}${charge.tags.get(group['Key'], '')}"
    return charge.facts.get(group["Key"]) or f"No{group['Key'].title().replace('_', '')}"


def _sums(charges: Iterable[Charge], metrics: list[str]) -> dict[str, Any]:
    charges = list(charges)
    cost, quantity = sum(charge.cost for charge in charges), sum(charge.quantity for charge in charges)
    units = {charge.unit for charge in charges}
    shown = {}
    for metric in metrics:
        if metric in _COSTS:
            shown[metric] = {"Amount": _number(cost), "Unit": "USD"}
        else:
            shown[metric] = {"Amount": _number(quantity), "Unit": units.pop() if len(units) == 1 else "N/A"}
    return shown


def _number(value: float) -> str:
    return f"{value:.10f}".rstrip("0").rstrip(".") if value else "0"


def _page(request: Any, member: str, values: list[Any]) -> dict[str, Any]:
    token = request.get("NextPageToken")
    try:
        first = int(decode_token(token)) if token else 0
    except (ValueError, TypeError) as error:
        raise InvalidNextTokenException("The pagination token is invalid.") from error
    limit = int(request.get("MaxResults") or _PAGE)
    shown = {member: values[first : first + limit], "ReturnSize": len(values[first : first + limit])}
    more = {"NextPageToken": encode_token(first + limit)} if first + limit < len(values) else {}
    return {**shown, "TotalSize": len(values), **more}


@operation("GetDimensionValues", on=ANY)
async def get_dimension_values(ctx: Context, request: Any) -> dict[str, Any]:
    """The values that a dimension has in a time. Raises ValidationException."""
    dimension, search = request["Dimension"], request.get("SearchString", "")
    if dimension not in _DIMENSIONS:
        raise ValidationException(f"{dimension} is not a dimension that is known here.")
    found = await usage.charges(ctx, *usage.interval(request), filter=request.get("Filter"))
    values = sorted({charge.facts.get(dimension, "") for charge in found} - {""})
    names = await visible_accounts(ctx.db, ctx.account_id) if dimension == "LINKED_ACCOUNT" else {}
    shown = [
        {"Value": value, "Attributes": {"description": names[value]} if value in names else {}}
        for value in values
        if search.lower() in value.lower()
    ]
    return _page(request, "DimensionValues", shown)


@operation("GetTags", on=ANY)
async def get_tags(ctx: Context, request: Any) -> dict[str, Any]:
    """The keys of tags in a time, or the values of one."""
    key, search = request.get("TagKey"), request.get("SearchString", "")
    found = await usage.charges(ctx, *usage.interval(request), filter=request.get("Filter"))
    values = {charge.tags.get(key, "") for charge in found} if key else {name for c in found for name in c.tags}
    return _page(request, "Tags", sorted(value for value in values if search.lower() in value.lower()))


@operation("GetCostForecast", on=ANY)
async def get_cost_forecast(ctx: Context, request: Any) -> dict[str, Any]:
    """What the future costs if every day is as the days of the last two weeks were. Raises DataUnavailable."""
    return await _forecast(ctx, request, lambda charge: charge.cost, "USD")


@operation("GetUsageForecast", on=ANY)
async def get_usage_forecast(ctx: Context, request: Any) -> dict[str, Any]:
    """The same of usage."""
    return await _forecast(ctx, request, lambda charge: charge.quantity, "N/A")


async def _forecast(ctx: Context, request: Any, value: Any, unit: str) -> dict[str, Any]:
    start, end = usage.interval(request)
    now = datetime.now(UTC)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if end <= today:
        raise ValidationException("Forecasts are about the future.")
    past = await usage.charges(ctx, today - timedelta(days=13), now, filter=request.get("Filter"))
    if not past:
        raise DataUnavailableException("Insufficient amount of historical data to generate forecast")
    first = min(charge.period for charge in past)
    a_day = sum(value(charge) for charge in past) / max((now - first) / timedelta(days=1), 1 / 24)
    results, total = [], 0.0
    for step in usage.steps(start, end, request["Granularity"]):
        mean = a_day * ((step[1] - step[0]) / timedelta(days=1))
        total += mean
        labels = [usage.label(at, request["Granularity"]) for at in step]
        results.append({"TimePeriod": {"Start": labels[0], "End": labels[1]}, "MeanValue": _number(mean)})
    return {"Total": {"Amount": _number(total), "Unit": unit}, "ForecastResultsByTime": results}

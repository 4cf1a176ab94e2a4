"""What of all usage a budget counts: old cost filters, written as the expressions that replaced them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controlplane.metering import spending
from controlplane.metering.expressions import BadExpression
from controlplane.services.budgets.errors import InvalidParameterException

_DIMENSIONS = {
    "AZ": "AZ",
    "InstanceType": "INSTANCE_TYPE",
    "LinkedAccount": "LINKED_ACCOUNT",
    "Operation": "OPERATION",
    "PurchaseType": "PURCHASE_TYPE",
    "Region": "REGION",
    "Service": "SERVICE",
    "UsageType": "USAGE_TYPE",
}
_TAGS = "TagKeyValue"
_OF_USERS = "user:"


def check(budget: Mapping[str, Any]) -> None:
    """Raises InvalidParameterException."""
    old = budget.get("CostFilters") or {}
    if old and budget.get("FilterExpression"):
        raise InvalidParameterException("CostFilters and FilterExpression cannot be used together.")
    for name, values in old.items():
        if name not in _DIMENSIONS and name != _TAGS:
            raise InvalidParameterException(f"Unsupported cost filter: {name}")
        if not values:
            raise InvalidParameterException(f"The cost filter {name} has no values.")
    try:
        spending.check_filter(expression(budget))
    except BadExpression as error:
        raise InvalidParameterException(str(error)) from error


def expression(budget: Mapping[str, Any]) -> Any:
    """The expression that charges must match, or None."""
    if budget.get("FilterExpression"):
        return budget["FilterExpression"]
    parts = [_part(name, list(values)) for name, values in (budget.get("CostFilters") or {}).items()]
    return {"And": parts} if len(parts) > 1 else parts[0] if parts else None


def _part(name: str, values: list[str]) -> dict[str, Any]:
    if name != _TAGS:
        return {"Dimensions": {"Key": _DIMENSIONS[name], "Values": values}}
    parts = []
    for value in values:
        key, _, wanted = value.removeprefix(_OF_USERS).partition("$")
        parts.append({"Tags": {"Key": key, "Values": [wanted]}})
    return {"Or": parts} if len(parts) > 1 else parts[0]

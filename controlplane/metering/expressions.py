"""Filters of Cost Explorer and Budgets: expressions over dimensions and tags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controlplane.metering.pricing import Charge

_DEEPEST = 10


class BadExpression(ValueError):
    """A filter that means nothing; its text is for the caller."""


def matches(expression: Mapping[str, Any] | None, charge: Charge, depth: int = 0) -> bool:
    """Whether a charge passes a filter; none lets all pass. Raises BadExpression."""
    if not expression:
        return True
    if depth > _DEEPEST or len(expression) != 1:
        raise BadExpression("Expression should contain only one of [And, Or, Not, Dimensions, Tags, CostCategories]")
    ((kind, content),) = expression.items()
    if kind in ("And", "Or"):
        if len(content) < 2:
            raise BadExpression(f"{kind} expressions need at least two operands.")
        found = [matches(item, charge, depth + 1) for item in content]
        return all(found) if kind == "And" else any(found)
    if kind == "Not":
        return not matches(content, charge, depth + 1)
    if kind == "Dimensions":
        return _compare(charge.facts.get(content["Key"]), content)
    if kind == "Tags":
        return _compare(charge.tags.get(content.get("Key", "")), content)
    raise BadExpression(f"{kind} are not supported in filters.")


def _compare(value: str | None, content: Mapping[str, Any]) -> bool:
    options = set(content.get("MatchOptions") or ())
    wanted = list(content.get("Values") or ())
    if "ABSENT" in options:
        return not value
    value = value or ""
    if "CASE_INSENSITIVE" in options:
        value, wanted = value.lower(), [item.lower() for item in wanted]
    if "STARTS_WITH" in options:
        return value.startswith(tuple(wanted))
    if "ENDS_WITH" in options:
        return value.endswith(tuple(wanted))
    if "CONTAINS" in options:
        return any(item in value for item in wanted)
    return value in wanted

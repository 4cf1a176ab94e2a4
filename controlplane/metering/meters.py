"""How a service declares what costs something: `meters.toml` in its folder, found by scanning."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "services"


@dataclass(frozen=True, slots=True)
class Meter:
    """One kind of usage.

    `per_second` of `unit` (such as 1/3600 for hours) accrue of each `amount` while a span is open. `usage_type` is
    AWS's, with the span's facts in braces. `listing` is a SELECT of all that there is now: id, account_id, region,
    since, amount, facts, tags.
    """

    metric: str
    service: str
    service_code: str
    usage_type: str
    unit: str
    per_second: float
    operation: str = ""
    listing: str = ""


@cache
def meters() -> dict[str, Meter]:
    """All meters of all services, by metric."""
    found = {}
    for path in sorted(FOLDER.glob("*/meters.toml")):
        for metric, facts in tomllib.loads(path.read_text()).items():
            found[metric] = Meter(metric, **facts)
    return found

"""What usage costs: a table of prices, and a free tier that each account uses up in the order of time."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from controlplane.metering.meters import meters

OWN = Path(__file__).with_name("prices.toml")
_REQUESTS = ("requests:", "bytes-out:")
_GIB = 2**30


@dataclass(frozen=True, slots=True)
class Prices:
    """The table: US dollars by usage type, and (usage types, quantity a month) that are free."""

    prices: dict[str, float]
    free: tuple[tuple[frozenset[str], float], ...]


@dataclass(frozen=True, slots=True)
class Charge:
    """Some usage with what it costs. `facts` has what Cost Explorer may group by, in its own words."""

    period: datetime
    account_id: str
    facts: dict[str, str]
    tags: dict[str, str]
    quantity: float
    unit: str
    cost: float


def prices(own: Path | None = None) -> Prices:
    """The owner's table if there is one, else ours."""
    path = own if own is not None and own.exists() else OWN
    return _read(path, path.stat().st_mtime)


@lru_cache(maxsize=4)
def _read(path: Path, _changed: float) -> Prices:
    table = tomllib.loads(path.read_text())
    free = tuple((frozenset(item["usage_types"]), float(item["quantity"])) for item in table.get("free", ()))
    return Prices({name: float(price) for name, price in table["prices"].items()}, free)


def charges(rows: Iterable[Any], table: Prices) -> list[Charge]:
    """What rows of the ledger cost; they are in order of time and begin with a month."""
    left: dict[tuple[Any, ...], float] = {}
    found = []
    for row in rows:
        facts, quantity, unit = _described(row)
        payable = quantity - _free(left, row, facts["USAGE_TYPE"], quantity, table)
        cost = payable * table.prices.get(facts["USAGE_TYPE"], 0.0)
        found.append(Charge(row["period"], row["account_id"], facts, dict(row["tags"] or {}), quantity, unit, cost))
    return found


def _free(left: dict[tuple[Any, ...], float], row: Any, usage_type: str, quantity: float, table: Prices) -> float:
    for number, (types, monthly) in enumerate(table.free):
        if usage_type in types:
            key = row["account_id"], row["period"].year, row["period"].month, number
            taken = min(quantity, left.get(key, monthly))
            left[key] = left.get(key, monthly) - taken
            return taken
    return 0.0


def _described(row: Any) -> tuple[dict[str, str], float, str]:
    """Cost Explorer's dimensions of a row, its quantity in the unit that is priced, and that unit."""
    facts: dict[str, str] = defaultdict(str)
    facts |= {"REGION": row["region"], "LINKED_ACCOUNT": row["account_id"], "RESOURCE_ID": row["resource_id"]}
    facts |= {"RECORD_TYPE": "Usage", "PURCHASE_TYPE": "On Demand Instances"}
    metric, told = row["metric"], row["facts"]
    if metric.startswith(_REQUESTS):
        bytes_out = metric.startswith(_REQUESTS[1])
        service = metric.partition(":")[2]
        facts |= {
            "SERVICE": f"AWS API ({service})",
            "USAGE_TYPE": "DataTransfer-Out-Bytes" if bytes_out else f"Requests:{service}",
        }
        return facts, row["quantity"] / (_GIB if bytes_out else 1), "GB" if bytes_out else "Requests"
    meter = meters()[metric]
    facts |= {
        "SERVICE": meter.service,
        "SERVICE_CODE": meter.service_code,
        "USAGE_TYPE": meter.usage_type.format(**told),
        "OPERATION": meter.operation,
        "INSTANCE_TYPE": told.get("type", "") if metric == "ec2.instances" else "NoInstanceType",
        "AZ": told.get("zone", ""),
    }
    return facts, row["quantity"] * meter.per_second, meter.unit

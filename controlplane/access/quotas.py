"""Quotas: what each service declares in its `quotas.toml`, and what an account was granted beyond it.

`ctx.within_quota` is the one way to check: a lock until the commit, what was granted, and the count.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from controlplane.core.context import Unit

FOLDER = Path(__file__).parent.parent / "services"
EVERYWHERE = ""
"""The region of quotas that hold for all regions together, and of grants that were given for all of them."""

_GRANTS = "SELECT region, code, value FROM access_quota_grants WHERE account_id = $1"
_GRANT = """
INSERT INTO access_quota_grants (account_id, region, code, value) VALUES ($1, $2, $3, $4)
ON CONFLICT (account_id, region, code) DO UPDATE SET value = excluded.value, granted_at = now()
"""
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('quota:' || $1 || ':' || $2 || ':' || $3, 0))"


@dataclass(frozen=True, slots=True)
class Quota:
    """One quota as AWS has it: `service` and `code` are those of Service Quotas, `value` AWS's default."""

    service: str
    service_name: str
    code: str
    name: str
    value: float
    unit: str = "None"
    adjustable: bool = True
    everywhere: bool = False

    @property
    def key(self) -> str:
        """`vpc/L-F678F1CE`."""
        return f"{self.service}/{self.code}"

    def region(self, region: str) -> str:
        """Where it is counted: in each region, or in all of them together."""
        return EVERYWHERE if self.everywhere else region


@cache
def catalogue() -> dict[str, Quota]:
    """All quotas of all services, by key."""
    found = {}
    for path in sorted(FOLDER.glob("*/quotas.toml")):
        for service, facts in tomllib.loads(path.read_text()).items():
            for item in facts["quotas"]:
                quota = Quota(service, facts["name"], **item)
                found[quota.key] = quota
    return found


async def limit(db: Unit, account_id: str, region: str, key: str) -> float:
    """What holds for an account: what it was granted in the region, or in all of them, else the default."""
    (found,) = await limits(db, account_id, region, key)
    return found


async def limits(db: Unit, account_id: str, region: str, *keys: str) -> list[float]:
    """The same of several, by one read."""
    granted = await grants(db, account_id)
    asked = [catalogue()[key] for key in keys]
    return [
        granted.get((quota.region(region), quota.key), granted.get((EVERYWHERE, quota.key), quota.value))
        for quota in asked
    ]


async def grants(db: Unit, account_id: str) -> dict[tuple[str, str], float]:
    """What an account was granted, by region and key."""
    rows = await db.fetch(_GRANTS, account_id)
    return {(row["region"], row["code"]): float(row["value"]) for row in rows}


async def grant(db: Unit, account_id: str, region: str, key: str, value: float) -> None:
    """Set what holds for an account from the commit on, more or less than the default."""
    await db.execute(_GRANT, account_id, region, key, value)


async def hold(db: Unit, account_id: str, region: str, key: str) -> None:
    """Keep others from counting the same until the end of the transaction."""
    await db.execute(_LOCK, account_id, catalogue()[key].region(region), key)


def known(service: str, code: str) -> Quota | None:
    """A quota by Service Quotas' names, or None."""
    return catalogue().get(f"{service}/{code}")


def of_service(service: str) -> list[Any]:
    """The quotas of a service, by code."""
    return sorted((quota for quota in catalogue().values() if quota.service == service), key=lambda quota: quota.code)

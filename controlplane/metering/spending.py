"""What an account may see of usage, priced: its own, and that of the organization that it manages."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from controlplane.core.context import Unit
from controlplane.metering import expressions, ledger, pricing
from controlplane.metering.pricing import Charge

_ACCOUNTS = """
SELECT id, name, organization FROM access_accounts WHERE id = $1 OR organization ->> 'management' = $1
"""
_NOTHING = Charge(datetime.min, "", {}, {}, 0, "", 0)


async def visible_accounts(db: Unit, account_id: str) -> dict[str, str]:
    """Names by id: the account itself, and the members of the organization that it manages."""
    return {row["id"]: row["name"] for row in await db.fetch(_ACCOUNTS, account_id)}


def check_filter(filter: Any) -> None:
    """Refuse a wrong filter also where there is nothing to filter. Raises BadExpression."""
    expressions.matches(filter, _NOTHING)


async def charges(
    db: Unit,
    account_id: str,
    price_table: Path | None,
    start: datetime,
    end: datetime,
    *,
    hourly: bool = False,
    filter: Any = None,
) -> list[Charge]:
    """The charges of a time. The free tier is counted from the beginning of the month. Raises BadExpression."""
    check_filter(filter)
    names = await visible_accounts(db, account_id)
    month = start.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    rows = await ledger.used(db, list(names), month, end, "hour" if hourly else "day")
    found = []
    for charge in pricing.charges(rows, pricing.prices(price_table)):
        charge.facts["LINKED_ACCOUNT_NAME"] = names[charge.account_id]
        if start <= charge.period < end and expressions.matches(filter, charge):
            found.append(charge)
    return found

"""The suppression list: to whom an account's mail does not go any more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from controlplane.core.context import Context, Unit

REASONS = ("BOUNCE", "COMPLAINT")
_PUT = """
INSERT INTO ses_suppressed (account_id, region, address, reason, cause) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (account_id, region, address)
DO UPDATE SET reason = excluded.reason, cause = excluded.cause, updated_at = now()
"""
_GET = "SELECT * FROM ses_suppressed WHERE account_id = $1 AND region = $2 AND address = $3"
_AMONG = """
SELECT address, reason FROM ses_suppressed
WHERE account_id = $1 AND region = $2 AND address = ANY($3) AND reason = ANY($4)
"""
_DELETE = "DELETE FROM ses_suppressed WHERE account_id = $1 AND region = $2 AND address = $3 RETURNING true"
_PAGE = """
SELECT * FROM ses_suppressed WHERE account_id = $1 AND region = $2 AND address > $3 AND reason = ANY($4)
AND ($5::timestamptz IS NULL OR updated_at >= $5) AND ($6::timestamptz IS NULL OR updated_at <= $6)
ORDER BY address LIMIT $7
"""


def reasons(account: Mapping[str, Any], options: Mapping[str, Any]) -> list[str]:
    """For which reasons addresses are left out: the configuration set's, else the account's, else both."""
    own = (options.get("SuppressionOptions") or {}).get("SuppressedReasons")
    return list(own if own is not None else account.get("SuppressedReasons", REASONS))


async def put(db: Unit, box: tuple[str, str], address: str, reason: str, cause: Mapping[str, str]) -> None:
    await db.execute(_PUT, *box, address.lower(), reason, dict(cause))


async def get(ctx: Context, address: str) -> Any:
    return await ctx.db.fetchrow(_GET, ctx.account_id, ctx.region, address.lower())


async def among(db: Unit, box: tuple[str, str], addresses: Sequence[str], why: Sequence[str]) -> set[str]:
    """Those of the addresses, in small letters, that are on the list for one of these reasons."""
    rows = await db.fetch(_AMONG, *box, [address.lower() for address in addresses], list(why)) if why else []
    return {row["address"] for row in rows}


async def delete(ctx: Context, address: str) -> bool:
    return bool(await ctx.db.fetchval(_DELETE, ctx.account_id, ctx.region, address.lower()))


async def page(
    ctx: Context, after: str, why: Sequence[str], since: datetime | None, until: datetime | None, most: int
) -> list[Any]:
    """By address."""
    return await ctx.db.fetch(_PAGE, ctx.account_id, ctx.region, after, list(why), since, until, most)

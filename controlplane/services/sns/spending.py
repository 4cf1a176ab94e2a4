"""What text messages cost: an account's own limit, and the owner's for all of them."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from controlplane.core.context import Context

# Sums of prices such as 0.1 are not exact.
_NOTHING = 1e-9
_COUNT = """
INSERT INTO sns_sms_accounts AS a (account_id, region, attributes, month, spent) VALUES ($1, $2, '{}', $3, $4)
ON CONFLICT (account_id, region) DO UPDATE SET month = $3, spent = CASE WHEN a.month = $3 THEN a.spent ELSE 0 END + $4
WHERE CASE WHEN a.month = $3 THEN a.spent ELSE 0 END + $4 <= $5 RETURNING true
"""
_GIVE_BACK = "UPDATE sns_sms_accounts SET spent = spent - $3 WHERE account_id = $1 AND region = $2"
# It is counted without a ceiling, too, so that one that is set within a month holds for all of it.
_COUNT_ALL = """
INSERT INTO sns_sms_months AS m (month, spent) VALUES ($1, $2)
ON CONFLICT (month) DO UPDATE SET spent = m.spent + $2 WHERE m.spent + $2 <= $3 RETURNING true
"""


async def count(ctx: Context, price: float, limit: float) -> bool:
    """Count a message of the context's account; False, and nothing is counted, when a limit does not allow for it.

    The rows stay locked until the commit, so that no two messages count on the same rest.
    """
    ceiling = math.inf if ctx.cloud.sms_ceiling is None else ctx.cloud.sms_ceiling + _NOTHING
    limit += _NOTHING
    if not (price <= limit and price <= ceiling):
        return False
    month = datetime.now(UTC).strftime("%Y-%m")
    if not await ctx.db.fetchval(_COUNT, ctx.account_id, ctx.region, month, price, limit):
        return False
    if await ctx.db.fetchval(_COUNT_ALL, month, price, ceiling):
        return True
    await ctx.db.execute(_GIVE_BACK, ctx.account_id, ctx.region, price)
    return False

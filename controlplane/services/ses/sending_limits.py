"""How much an account may send: recipients in 24 hours, and in a second."""

from __future__ import annotations

from controlplane.access import quotas
from controlplane.core.context import Context
from controlplane.services.ses.errors import DailyQuotaExceeded, SendingRateExceeded

DAY, RATE = "ses/L-804C8AE8", "ses/L-CDEF9B6B"
_BURST = 60
"""Seconds over which the rate is taken: AWS lets short bursts exceed it."""
_SENT = """
SELECT coalesce(sum(jsonb_array_length(destinations)), 0)::bigint AS today,
    coalesce(sum(jsonb_array_length(destinations)) FILTER (WHERE created_at > now() - make_interval(secs => $3)), 0)
        ::bigint AS lately
FROM ses_mails WHERE account_id = $1 AND region = $2 AND counted AND created_at > now() - interval '1 day'
"""


async def claim(ctx: Context, recipients: int) -> None:
    """Let a mail to so many be sent; until the commit nobody else of the account counts. Raises DailyQuotaExceeded,
    SendingRateExceeded."""
    await quotas.hold(ctx.db, ctx.account_id, ctx.region, DAY)
    day, rate = await quotas.limits(ctx.db, ctx.account_id, ctx.region, DAY, RATE)
    sent = await ctx.db.fetchrow(_SENT, ctx.account_id, ctx.region, _BURST)
    if sent["today"] + recipients > day:
        raise DailyQuotaExceeded
    # One mail may go beyond the rate, however many it is for; those after it wait.
    if sent["lately"] >= rate * _BURST:
        raise SendingRateExceeded


async def told(ctx: Context) -> dict[str, float]:
    """What GetSendQuota tells."""
    day, rate = await quotas.limits(ctx.db, ctx.account_id, ctx.region, DAY, RATE)
    sent = await ctx.db.fetchrow(_SENT, ctx.account_id, ctx.region, _BURST)
    return {"Max24HourSend": day, "MaxSendRate": rate, "SentLast24Hours": float(sent["today"])}

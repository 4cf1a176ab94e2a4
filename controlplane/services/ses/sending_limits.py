"""How much an account may send: recipients in 24 hours, and in a second."""

from __future__ import annotations

from controlplane.access import quotas
from controlplane.core.context import Context
from controlplane.services.ses.errors import DailyQuotaExceeded, SendingRateExceeded

DAY, RATE = "ses/L-804C8AE8", "ses/L-CDEF9B6B"
_BURST = 60
"""Seconds over which the rate is taken: AWS lets short bursts exceed it."""
# Counted by minutes for the day and by seconds for the rate, so that a look is at some 1,500 numbers, however many
# mails there were. A minute counts until its last second is a day ago: never is less counted than was sent.
_SENT = """
SELECT coalesce(sum(recipients) FILTER (WHERE span = 'day'), 0)::bigint AS today,
    coalesce(sum(recipients) FILTER (WHERE span = 'burst'), 0)::bigint AS lately
FROM ses_sent WHERE account_id = $1 AND region = $2 AND counts_until > now()
"""
_COUNT = f"""
WITH sent AS ({_SENT}),
gone AS (DELETE FROM ses_sent WHERE account_id = $1 AND region = $2 AND counts_until <= now()),
counted AS (
  INSERT INTO ses_sent (account_id, region, span, counts_until, recipients)
  SELECT $1, $2, n.span, n.counts_until, $3::bigint FROM sent, (VALUES
    ('day', date_trunc('minute', now()) + interval '1 day 1 minute'),
    ('burst', date_trunc('second', now()) + make_interval(secs => $6::float8 + 1))) AS n (span, counts_until)
  WHERE today + $3::bigint <= $4::float8 AND lately < $5::float8
  ON CONFLICT (account_id, region, span, counts_until)
  DO UPDATE SET recipients = ses_sent.recipients + excluded.recipients)
SELECT today, lately FROM sent
"""


async def claim(ctx: Context, recipients: int) -> None:
    """Let a mail to so many be sent; until the commit nobody else of the account counts. Raises DailyQuotaExceeded,
    SendingRateExceeded."""
    await quotas.hold(ctx.db, ctx.account_id, ctx.region, DAY)
    day, rate = await quotas.limits(ctx.db, ctx.account_id, ctx.region, DAY, RATE)
    # One mail may go beyond the rate, however many it is for; those after it wait.
    burst = rate * _BURST
    sent = await ctx.db.fetchrow(_COUNT, ctx.account_id, ctx.region, recipients, day, burst, _BURST)
    if sent["today"] + recipients > day:
        raise DailyQuotaExceeded
    if sent["lately"] >= burst:
        raise SendingRateExceeded


async def told(ctx: Context) -> dict[str, float]:
    """What GetSendQuota tells."""
    day, rate = await quotas.limits(ctx.db, ctx.account_id, ctx.region, DAY, RATE)
    sent = await ctx.db.fetchrow(_SENT, ctx.account_id, ctx.region)
    return {"Max24HourSend": day, "MaxSendRate": rate, "SentLast24Hours": float(sent["today"])}

"""The mailbox is emptied of what is old."""

from __future__ import annotations

from controlplane.work.reconciler import Outcome, Run, reconciler

_OLD = "DELETE FROM ses_mails WHERE created_at < now() - interval '30 days'"


@reconciler("ses.expiry", every=3600.0, standing=True)
async def expire(run: Run, key: str) -> Outcome:
    """Delete mails of more than thirty days ago."""
    async with run.step() as db:
        await db.execute(_OLD)
    return None

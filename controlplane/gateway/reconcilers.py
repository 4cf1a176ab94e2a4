"""What the gateway's own tables need: answers that were kept long enough are dropped."""

from __future__ import annotations

from controlplane.gateway import idempotency
from controlplane.work.reconciler import Outcome, Run, reconciler

EVERY_SECONDS = 600.0


@reconciler("gateway.idempotency", every=EVERY_SECONDS, standing=True)
async def forget_old_answers(run: Run, _: str) -> Outcome:
    """Drop the answers to client tokens that are older than a day."""
    async with run.step() as db:
        await idempotency.forget_old(db)
    return None

"""What a closed account's groups held: events have no account of their own, and go before the groups do."""

from __future__ import annotations

from controlplane.work.closing import frees
from controlplane.work.reconciler import Run

_PORTION = 1000
_BATCHES = """
DELETE FROM logs_batches WHERE id = ANY (ARRAY(
  SELECT b.id FROM logs_groups g JOIN logs_batches b ON b.group_id = g.id WHERE g.account_id = $1 LIMIT $2))
RETURNING true
"""


@frees("logs")
async def free(run: Run, account_id: str) -> bool:
    """Delete all events of an account."""
    while True:
        async with run.step() as db:
            if len(await db.fetch(_BATCHES, account_id, _PORTION)) < _PORTION:
                return True

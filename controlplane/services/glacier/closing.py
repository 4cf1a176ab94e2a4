"""What closing an account frees here: the blobs of its archives and jobs, before their rows go."""

from __future__ import annotations

import asyncio

from controlplane.work.closing import frees
from controlplane.work.reconciler import Run

_PORTION = 500
_HELD = """
DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table} WHERE account_id = $1 LIMIT $2)) RETURNING blob
"""


@frees("glacier")
async def free(run: Run, account_id: str) -> bool:
    """Delete all blobs."""
    blobs = run.engine("blobs")
    for table in ("glacier_pieces", "glacier_jobs"):
        while True:
            async with run.step() as db:
                rows = await db.fetch(_HELD.format(table=table), account_id, _PORTION)
            await asyncio.gather(*(blobs.delete(row["blob"]) for row in rows if row["blob"]))
            if len(rows) < _PORTION:
                break
    return True

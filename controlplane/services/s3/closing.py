"""What closing an account frees here: its buckets with all that is in them."""

from __future__ import annotations

from controlplane.services.s3.reconcilers import empty
from controlplane.work.closing import frees, keeps
from controlplane.work.reconciler import Run

# Rows lead to blobs: they go with these, bucket by bucket.
_NOT_BY_ACCOUNT = ("s3_buckets", "s3_objects", "s3_versions", "s3_uploads", "s3_parts")
keeps(*_NOT_BY_ACCOUNT)

_BUCKETS = "SELECT id FROM s3_buckets WHERE account_id = $1"
_GONE = "DELETE FROM s3_buckets WHERE id = $1"


@frees("s3")
async def free(run: Run, account_id: str) -> bool:
    """Empty and delete all buckets."""
    async with run.step() as db:
        buckets = [row["id"] for row in await db.fetch(_BUCKETS, account_id)]
    for id in buckets:
        await empty(run, id)
        async with run.step() as db:
            await db.execute(_GONE, id)
        await empty(run, id)
    return True

"""When keys go."""

from __future__ import annotations

from datetime import UTC, datetime

from controlplane.core.context import Context
from controlplane.services.kms.keys import Key
from controlplane.services.kms.queries import keys as queries

DELETION = "kms.deletion"
"""The kind of work that deletes keys when their time has come."""


async def schedule(ctx: Context, key: Key, days: int, at: datetime) -> None:
    """Mark a key, and have it deleted then."""
    await queries.set_state(ctx.db, key.id, key.region, "PendingDeletion", days, at)
    await ctx.wake(DELETION, f"{key.region}/{key.id}", max(0.0, (at - datetime.now(UTC)).total_seconds()))

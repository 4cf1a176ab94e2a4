"""Requests for more, and how they end. Used by the API and by `celaje quota`."""

from __future__ import annotations

import secrets
from typing import Any

from controlplane.access import quotas
from controlplane.core.context import Unit

_INSERT = """
INSERT INTO servicequotas_requests (id, account_id, region, quota, value, status, requester)
VALUES ($1, $2, $3, $4, $5, 'PENDING', $6) ON CONFLICT DO NOTHING RETURNING *
"""
_PENDING = """
SELECT r.*, a.name AS account_name FROM servicequotas_requests r JOIN access_accounts a ON a.id = r.account_id
WHERE r.status = 'PENDING' ORDER BY r.created_at
"""
_DECIDE = """
UPDATE servicequotas_requests SET status = $2, updated_at = now() WHERE id = $1 AND status = 'PENDING' RETURNING *
"""


async def ask(db: Unit, account_id: str, region: str, quota: quotas.Quota, value: float, requester: str) -> Any:
    """A new request's row; None when one for the same quota waits already."""
    id = secrets.token_hex(20)[:32] + secrets.token_urlsafe(6).replace("-", "x").replace("_", "y")
    return await db.fetchrow(_INSERT, id, account_id, quota.region(region), quota.key, value, requester)


async def pending(db: Unit) -> list[Any]:
    """All that waits, oldest first, with `account_name`."""
    return await db.fetch(_PENDING)


async def decide(db: Unit, id: str, *, approved: bool) -> Any:
    """Grant or refuse a request; None when it does not wait."""
    row = await db.fetchrow(_DECIDE, id, "APPROVED" if approved else "DENIED")
    if row is not None and approved:
        await quotas.grant(db, row["account_id"], row["region"], row["quota"], row["value"])
    return row

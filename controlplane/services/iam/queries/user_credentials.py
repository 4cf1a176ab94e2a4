"""Signing certificates, SSH public keys and service-specific credentials: rows of `iam_user_credentials`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from controlplane.core.context import Context

_COLUMNS = "c.id, c.kind, c.status, c.content, c.fingerprint, c.created_at, c.expires_at, u.name AS user_name"
_FROM = "FROM iam_user_credentials c JOIN access_identities u ON u.id = c.user_id"
_GET = f"SELECT {_COLUMNS} {_FROM} WHERE c.account_id = $1 AND c.user_id = $2 AND c.kind = $3 AND c.id = $4"
_LIST = f"""
SELECT {_COLUMNS} {_FROM} WHERE c.account_id = $1 AND ($2::text IS NULL OR c.user_id = $2) AND c.kind = $3
  AND ($4::text IS NULL OR c.content->>'service' = $4) AND ($5::text IS NULL OR c.id > $5) ORDER BY c.id LIMIT $6
"""
_COUNT = """
SELECT count(*) FROM iam_user_credentials
WHERE account_id = $1 AND user_id = $2 AND kind = $3 AND ($4::text IS NULL OR content->>'service' = $4)
"""
_INSERT = """
INSERT INTO iam_user_credentials (id, account_id, user_id, kind, content, fingerprint, digest, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING created_at
"""
_SET_STATUS = """
UPDATE iam_user_credentials SET status = $5
WHERE account_id = $1 AND user_id = $2 AND kind = $3 AND id = $4 RETURNING true
"""
_SET_DIGEST = (
    "UPDATE iam_user_credentials SET digest = $5 WHERE account_id = $1 AND user_id = $2 AND kind = $3 AND id = $4"
)
_DELETE = """
DELETE FROM iam_user_credentials WHERE account_id = $1 AND user_id = $2 AND kind = $3 AND id = $4 RETURNING true
"""


async def find(ctx: Context, user_id: str, kind: str, id: str) -> Any:
    """One of a user, or None."""
    return await ctx.db.fetchrow(_GET, ctx.account_id, user_id, kind, id)


async def page(
    ctx: Context, user_id: str | None, kind: str, service: str | None, after: str | None, limit: int
) -> list[Any]:
    """Those of a user (or of all), of one service (or of any), by id."""
    return await ctx.db.fetch(_LIST, ctx.account_id, user_id, kind, service, after, limit)


async def count(ctx: Context, user_id: str, kind: str, service: str | None = None) -> int:
    return int(await ctx.db.fetchval(_COUNT, ctx.account_id, user_id, kind, service))


async def insert(
    ctx: Context,
    id: str,
    user_id: str,
    kind: str,
    content: dict[str, Any],
    *,
    fingerprint: str | None = None,
    digest: bytes | None = None,
    expires_at: datetime | None = None,
) -> Any:
    """A new one; its creation time, None when the user has one with that fingerprint."""
    return await ctx.db.fetchval(_INSERT, id, ctx.account_id, user_id, kind, content, fingerprint, digest, expires_at)


async def set_status(ctx: Context, user_id: str, kind: str, id: str, status: str) -> bool:
    return bool(await ctx.db.fetchval(_SET_STATUS, ctx.account_id, user_id, kind, id, status))


async def set_digest(ctx: Context, user_id: str, kind: str, id: str, digest: bytes) -> None:
    await ctx.db.execute(_SET_DIGEST, ctx.account_id, user_id, kind, id, digest)


async def delete(ctx: Context, user_id: str, kind: str, id: str) -> bool:
    return bool(await ctx.db.fetchval(_DELETE, ctx.account_id, user_id, kind, id))

"""SQL on access points."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context, Unit
from controlplane.services.s3.access_points import of_host_name

_POINT = "SELECT * FROM s3_access_points WHERE account_id = $1 AND region = $2 AND name = $3"
_BY_ALIAS = "SELECT * FROM s3_access_points WHERE alias = $1"
_INSERT = """
INSERT INTO s3_access_points (account_id, region, name, alias, bucket, bucket_account_id, block, vpc_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (account_id, region, name) DO NOTHING RETURNING true
"""
_LIST = """
SELECT * FROM s3_access_points WHERE account_id = $1 AND region = $2 AND ($3::text IS NULL OR bucket = $3)
AND name COLLATE "C" > $4 ORDER BY name COLLATE "C" LIMIT $5
"""
_COUNT = "SELECT count(*) FROM s3_access_points WHERE account_id = $1 AND region = $2"
_DELETE = "DELETE FROM s3_access_points WHERE account_id = $1 AND region = $2 AND name = $3 RETURNING true"
_POLICY = """
UPDATE s3_access_points SET policy = $4, policy_text = $5 WHERE account_id = $1 AND region = $2 AND name = $3
"""
_OF_BUCKET = """
SELECT EXISTS (SELECT FROM s3_access_points WHERE bucket = $1 AND account_id = $2 AND bucket_account_id = $2)
"""
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('s3 host name ' || $1, 0))"
_NAMED = "SELECT EXISTS (SELECT FROM s3_access_points WHERE account_id = $1 AND name = $2)"


async def find(ctx: Context, text: str) -> Any:
    """The access point that a request names in a bucket's place, by its alias or its host name; else None."""
    if text.endswith("-s3alias"):
        return await ctx.db.cached_row(_BY_ALIAS, text)
    if (named := of_host_name(text)) is None:
        return None
    account_id, name = named
    return await ctx.db.cached_row(_POINT, account_id, ctx.region, name)


async def point(db: Unit, account_id: str, region: str, name: str) -> Any:
    """An access point; None if there is none."""
    return await db.fetchrow(_POINT, account_id, region, name)


async def insert(db: Unit, *columns: Any) -> bool:
    """Make one, of its columns in order. False when the name is taken."""
    return await db.fetchval(_INSERT, *columns) is not None


async def count(db: Unit, account_id: str, region: str) -> int:
    """How many an account has in a region."""
    return int(await db.fetchval(_COUNT, account_id, region))


async def page(db: Unit, account_id: str, region: str, bucket: str | None, after: str, size: int) -> list[Any]:
    """Access points of an account by name."""
    return await db.fetch(_LIST, account_id, region, bucket, after, size)


async def delete(db: Unit, account_id: str, region: str, name: str) -> bool:
    """False when there is none."""
    return await db.fetchval(_DELETE, account_id, region, name) is not None


async def put_policy(db: Unit, account_id: str, region: str, name: str, policy: Any, text: str | None) -> None:
    """Replace the policy; None removes it."""
    await db.execute(_POLICY, account_id, region, name, policy, text)


async def any_of(db: Unit, bucket: str, account_id: str) -> bool:
    """Whether a bucket has access points of its own account. Those of others lead nowhere when it is gone."""
    return bool(await db.fetchval(_OF_BUCKET, bucket, account_id))


async def lock(db: Unit, host_name: str) -> None:
    """From here to the commit nobody else gives a bucket or an access point this host name."""
    await db.fetchval(_LOCK, host_name)


async def has_host_name(db: Unit, text: str) -> bool:
    """Whether this is how an access point is reached, so that no bucket may be called so."""
    named = of_host_name(text)
    if named is None:
        return False
    await lock(db, text)
    return bool(await db.fetchval(_NAMED, *named))

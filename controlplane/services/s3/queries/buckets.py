"""SQL on buckets."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context, Unit

_INSERT = """
INSERT INTO s3_buckets (account_id, region, name, versioning, settings, tags) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (name) DO NOTHING RETURNING id
"""
_NUMBER = "SELECT count(*) FROM s3_buckets WHERE account_id = $1"
_OWNER = "SELECT account_id, region, settings FROM s3_buckets WHERE name = $1"
_LIST = """
SELECT name, region, created_at FROM s3_buckets WHERE account_id = $1 AND ($2::text IS NULL OR region = $2)
AND starts_with(name, $3) AND name COLLATE "C" > $4 ORDER BY name COLLATE "C" LIMIT $5
"""
_LOCK = "SELECT id FROM s3_buckets WHERE id = $1 FOR UPDATE"
_HOLDS = """
SELECT EXISTS (SELECT FROM s3_objects WHERE bucket_id = $1) OR EXISTS (SELECT FROM s3_versions WHERE bucket_id = $1)
"""
_DELETE = "DELETE FROM s3_buckets WHERE id = $1"
_SET = "UPDATE s3_buckets SET settings = settings || jsonb_build_object($2::text, $3::jsonb) WHERE id = $1"
_UNSET = "UPDATE s3_buckets SET settings = settings - $2::text WHERE id = $1"
_RESET_ACL = """
UPDATE s3_buckets SET settings = CASE WHEN $2::jsonb IS NULL THEN settings - 'acl'
  ELSE settings || jsonb_build_object('acl', $2::jsonb) END WHERE name = $1
"""
_BLOCK = "SELECT block FROM s3_account_blocks WHERE account_id = $1"
_UNBLOCK = "DELETE FROM s3_account_blocks WHERE account_id = $1"
_PUT_BLOCK = """
INSERT INTO s3_account_blocks (account_id, block) VALUES ($1, $2)
ON CONFLICT (account_id) DO UPDATE SET block = excluded.block
"""
_VERSIONING = "UPDATE s3_buckets SET versioning = $2 WHERE id = $1"
_TAGS = "UPDATE s3_buckets SET tags = $2 WHERE id = $1"


async def insert(ctx: Context, name: str, region: str, settings: Any, tags: Any, *, versioning: str | None) -> bool:
    """Make a bucket; False when the name is taken."""
    made = await ctx.db.fetchval(_INSERT, ctx.account_id, region, name, versioning, settings, tags)
    return made is not None


async def reset_acl(db: Unit, name: str, acl: Any) -> None:
    """Give a bucket another list, or none."""
    await db.execute(_RESET_ACL, name, acl)


async def count(db: Unit, account_id: str) -> float:
    """How many an account has."""
    return float(await db.fetchval(_NUMBER, account_id))


async def owner(db: Unit, name: str) -> Any:
    """Account, region and settings of a bucket."""
    return await db.fetchrow(_OWNER, name)


async def page(db: Unit, account_id: str, region: str | None, prefix: str, after: str, size: int) -> list[Any]:
    """Buckets of an account by name."""
    return await db.fetch(_LIST, account_id, region, prefix, after, size)


async def delete(db: Unit, id: int) -> bool:
    """Delete a bucket that holds nothing; False when it does."""
    await db.fetchval(_LOCK, id)
    if await db.fetchval(_HOLDS, id):
        return False
    await db.execute(_DELETE, id)
    return True


async def put_setting(db: Unit, id: int, name: str, document: Any) -> None:
    """Keep the document of a sub-resource; None removes it."""
    if document is None:
        await db.execute(_UNSET, id, name)
    else:
        await db.execute(_SET, id, name, document)


async def account_block(db: Unit, account_id: str) -> Any:
    """The block of public access of a whole account."""
    return await db.fetchval(_BLOCK, account_id)


async def put_account_block(db: Unit, account_id: str, block: Any) -> None:
    """Replace it; None removes it."""
    if block is None:
        await db.execute(_UNBLOCK, account_id)
    else:
        await db.execute(_PUT_BLOCK, account_id, block)


async def put_versioning(db: Unit, id: int, state: str) -> None:
    """`Enabled` or `Suspended`."""
    await db.execute(_VERSIONING, id, state)


async def put_tags(db: Unit, id: int, tags: Any) -> None:
    """Replace a bucket's tags."""
    await db.execute(_TAGS, id, tags)

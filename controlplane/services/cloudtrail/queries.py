"""The SQL of CloudTrail."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context, Unit

_FIND = "SELECT * FROM cloudtrail_trails WHERE account_id = $1 AND region = $2 AND name = $3"
_VISIBLE = """
SELECT * FROM cloudtrail_trails
WHERE account_id = $1 AND (region = $2 OR (settings ->> 'IsMultiRegionTrail')::boolean) ORDER BY name, region
"""
_ALL = "SELECT region, name FROM cloudtrail_trails WHERE account_id = $1 ORDER BY name, region"
_COUNT = "SELECT count(*) FROM cloudtrail_trails WHERE account_id = $1 AND region = $2"
_DELETE = "DELETE FROM cloudtrail_trails WHERE account_id = $1 AND region = $2 AND name = $3"
_START = """
UPDATE cloudtrail_trails SET logging = true, started_at = now(),
  position = coalesce((SELECT max(id) FROM access_trail_chunks), 0)
WHERE account_id = $1 AND region = $2 AND name = $3 AND NOT logging
"""
_STOP = """
UPDATE cloudtrail_trails SET logging = false, stopped_at = now()
WHERE account_id = $1 AND region = $2 AND name = $3 AND logging
"""
_SELECTED = "SELECT selectors FROM cloudtrail_trails WHERE account_id = $1 AND logging"
_SELECT = """
INSERT INTO access_trail_selections (account_id, resource_types) VALUES ($1, $2)
ON CONFLICT (account_id) DO UPDATE SET resource_types = excluded.resource_types
"""
_DELIVERED = """
UPDATE cloudtrail_trails SET position = $4, status = $5, digest = $6
WHERE account_id = $1 AND region = $2 AND name = $3
"""
_KEY = "SELECT fingerprint, public, sealed, created_at FROM cloudtrail_digest_keys WHERE region = $1"


async def find(db: Unit, account_id: str, region: str, name: str, *, lock: bool = False) -> Any:
    """A trail by its name in its home region, or None; with `lock` held."""
    return await db.fetchrow(f"{_FIND} FOR UPDATE" if lock else _FIND, account_id, region, name)


async def visible(ctx: Context) -> list[Any]:
    """The trails of this region, and those of other regions that are for all."""
    return await ctx.db.fetch(_VISIBLE, ctx.account_id, ctx.region)


async def every(ctx: Context) -> list[Any]:
    """Home regions and names of all the account's trails."""
    return await ctx.db.fetch(_ALL, ctx.account_id)


async def count(ctx: Context) -> int:
    return int(await ctx.db.fetchval(_COUNT, ctx.account_id, ctx.region))


async def set_column(ctx: Context, row: Any, column: str, value: Any) -> None:
    """Change settings, selectors or tags."""
    assert column in ("settings", "selectors", "tags")
    await ctx.db.execute(
        f"UPDATE cloudtrail_trails SET {column} = $4 WHERE account_id = $1 AND region = $2 AND name = $3",
        row["account_id"], row["region"], row["name"], value,
    )  # fmt: skip


async def delete(ctx: Context, row: Any) -> None:
    await ctx.db.execute(_DELETE, row["account_id"], row["region"], row["name"])


async def set_logging(ctx: Context, row: Any, *, on: bool) -> None:
    """Start with what comes from now on, or stop."""
    await ctx.db.execute(_START if on else _STOP, row["account_id"], row["region"], row["name"])


async def selectors_of_logging(db: Unit, account_id: str) -> list[Any]:
    """The selectors of the trails that log."""
    return [row["selectors"] for row in await db.fetch(_SELECTED, account_id)]


async def select(db: Unit, account_id: str, types: list[str]) -> None:
    """Tell the recorder which data events are wanted."""
    await db.execute(_SELECT, account_id, types)


async def delivered(db: Unit, row: Any, position: int, status: Any, digest: Any) -> None:
    await db.execute(_DELIVERED, row["account_id"], row["region"], row["name"], position, status, digest)


async def digest_key(db: Unit, region: str) -> Any:
    """The key that signs a region's digests, or None."""
    return await db.fetchrow(_KEY, region)


async def insert_digest_key(db: Unit, **values: Any) -> None:
    await db.insert("cloudtrail_digest_keys", **values)

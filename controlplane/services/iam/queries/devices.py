"""Virtual MFA devices, with the user who owns one."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context

_COLUMNS = """
d.serial, d.account_id, d.owner_id, d.name, d.seed, d.tags, d.created_at, d.enabled_at, d.last_step, d.drift,
u.id AS user_id, u.name AS user_name, u.path AS user_path, u.created_at AS user_created_at
"""
_FROM = "FROM access_mfa_devices d LEFT JOIN access_identities u ON u.id = d.owner_id"
_GET = f"SELECT {_COLUMNS} {_FROM} WHERE d.account_id = $1 AND d.serial = $2"
_LOCK = "SELECT serial FROM access_mfa_devices WHERE account_id = $1 AND serial = $2 FOR UPDATE"
_LIST = f"""
SELECT {_COLUMNS} {_FROM} WHERE d.account_id = $1 AND ($2::bool IS NULL OR (d.owner_id IS NOT NULL) = $2)
  AND ($3::text IS NULL OR d.serial > $3) ORDER BY d.serial LIMIT $4
"""
_OWNED = f"""
SELECT {_COLUMNS} {_FROM} WHERE d.account_id = $1 AND d.owner_id = $2
  AND ($3::text IS NULL OR d.serial > $3) ORDER BY d.serial LIMIT $4
"""
_COUNT = "SELECT count(*) FROM access_mfa_devices WHERE account_id = $1 AND owner_id = $2"
_INSERT = """
INSERT INTO access_mfa_devices (serial, account_id, name, seed, tags) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING RETURNING serial
"""
_ENABLE = """
UPDATE access_mfa_devices SET owner_id = $3, enabled_at = now(), last_step = $4, drift = $5
WHERE account_id = $1 AND serial = $2
"""
_DISABLE = """
UPDATE access_mfa_devices SET owner_id = NULL, enabled_at = NULL WHERE account_id = $1 AND serial = $2
"""
_SYNC = """
UPDATE access_mfa_devices SET last_step = $3, drift = $4 WHERE account_id = $1 AND serial = $2 AND last_step < $3
RETURNING true
"""
_SET_TAGS = "UPDATE access_mfa_devices SET tags = $3 WHERE account_id = $1 AND serial = $2"
_DELETE = "DELETE FROM access_mfa_devices WHERE account_id = $1 AND serial = $2"


async def find(ctx: Context, serial: str) -> Any:
    """A device of this account, or None."""
    return await ctx.db.fetchrow(_GET, ctx.account_id, serial)


async def lock(ctx: Context, serial: str) -> Any:
    """A device held against changes until the commit, or None."""
    await ctx.db.execute(_LOCK, ctx.account_id, serial)
    return await find(ctx, serial)


async def page(ctx: Context, assigned: bool | None, after: str | None, limit: int) -> list[Any]:
    """Devices by serial number: the assigned, the others, or all."""
    return await ctx.db.fetch(_LIST, ctx.account_id, assigned, after, limit)


async def owned(ctx: Context, owner_id: str, after: str | None, limit: int) -> list[Any]:
    """Enabled devices of a user or of root, by serial number."""
    return await ctx.db.fetch(_OWNED, ctx.account_id, owner_id, after, limit)


async def count(ctx: Context, owner_id: str) -> int:
    return int(await ctx.db.fetchval(_COUNT, ctx.account_id, owner_id))


async def insert(ctx: Context, serial: str, name: str, seed: bytes, tags: dict[str, str]) -> bool:
    """A new device; False when the name is taken."""
    return await ctx.db.fetchval(_INSERT, serial, ctx.account_id, name, seed, tags) is not None


async def enable(ctx: Context, serial: str, owner_id: str, step: int, drift: int) -> None:
    await ctx.db.execute(_ENABLE, ctx.account_id, serial, owner_id, step, drift)


async def disable(ctx: Context, serial: str) -> None:
    await ctx.db.execute(_DISABLE, ctx.account_id, serial)


async def sync(ctx: Context, serial: str, step: int, drift: int) -> bool:
    """Note how far a device's clock is off; False when codes as new were taken before."""
    return bool(await ctx.db.fetchval(_SYNC, ctx.account_id, serial, step, drift))


async def set_tags(ctx: Context, serial: str, tags: dict[str, str]) -> None:
    await ctx.db.execute(_SET_TAGS, ctx.account_id, serial, tags)


async def delete(ctx: Context, serial: str) -> None:
    await ctx.db.execute(_DELETE, ctx.account_id, serial)

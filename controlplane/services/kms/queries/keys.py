"""Keys and their material."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from controlplane.core.context import Unit

COLUMNS = (
    "id", "region", "account_id", "created_at", "description", "manager", "spec", "usage", "origin", "state", "policy",
    "tags", "primary_region", "material_id", "rotation_days", "rotates_at", "pending_days", "deleted_at",
)  # fmt: skip

_LOAD = f"""
SELECT {", ".join(f"k.{name}" for name in COLUMNS)},
  ARRAY(SELECT name FROM kms_aliases a WHERE a.key_id = k.id AND a.region = k.region) AS aliases,
  ARRAY(SELECT region FROM kms_keys r WHERE r.id = k.id) AS regions,
  (SELECT jsonb_agg(to_jsonb(g)) FROM kms_grants g WHERE g.key_id = k.id AND g.region = k.region) AS grants,
  (SELECT jsonb_agg(jsonb_build_object('id', m.id, 'sealed', encode(m.sealed, 'base64'), 'state', m.state,
      'expires', m.expires, 'valid_to', m.valid_to))
    FROM kms_materials m WHERE m.key_id = k.id AND m.region = k.region) AS materials
FROM kms_keys k WHERE k.id = $1 AND k.region = $2
"""
_LOCK = "SELECT true FROM kms_keys WHERE id = $1 AND region = $2 FOR UPDATE"
_ALIAS_TARGET = "SELECT key_id FROM kms_aliases WHERE account_id = $1 AND region = $2 AND name = $3"
_PAGE = """
SELECT id FROM kms_keys WHERE account_id = $1 AND region = $2 AND ($3::text IS NULL OR id > $3) ORDER BY id LIMIT $4
"""
_STATE = """
UPDATE kms_keys SET state = $3, pending_days = $4, deleted_at = $5 WHERE id = $1 AND region = $2
"""
_ROTATION = "UPDATE kms_keys SET rotation_days = $3, rotates_at = $4 WHERE id = $1 AND region = $2"
_MATERIALS = """
SELECT id, sealed IS NOT NULL AS present, state, expires, valid_to, description, rotated_at, rotation_type, created_at
FROM kms_materials WHERE key_id = $1 AND region = $2 ORDER BY coalesce(rotated_at, created_at), id
"""
_ADD_MATERIAL = """
INSERT INTO kms_materials (key_id, region, id, sealed, public, state, expires, valid_to, description)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (key_id, region, id) DO UPDATE SET sealed = excluded.sealed, expires = excluded.expires,
  valid_to = excluded.valid_to, description = coalesce(excluded.description, kms_materials.description)
"""
_COPY_MATERIALS = """
INSERT INTO kms_materials (key_id, region, id, sealed, public, state, expires, valid_to, description, rotated_at,
  rotation_type, created_at)
SELECT key_id, $3, id, sealed, public, state, expires, valid_to, description, rotated_at, rotation_type, created_at
FROM kms_materials WHERE key_id = $1 AND region = $2
ON CONFLICT (key_id, region, id) DO UPDATE SET sealed = excluded.sealed, state = excluded.state,
  rotated_at = excluded.rotated_at, rotation_type = excluded.rotation_type
"""
_USE_OLD = "UPDATE kms_materials SET state = 'NON_CURRENT' WHERE key_id = $1 AND region = $2 AND state = 'CURRENT'"
_USE_NEW = """
UPDATE kms_materials SET state = 'CURRENT', rotated_at = $4, rotation_type = $5
WHERE key_id = $1 AND region = $2 AND id = $3
"""
_SET_CURRENT = "UPDATE kms_keys SET material_id = $3 WHERE id = $1 AND region = $2"
_ON_DEMAND = """
SELECT count(*) FROM kms_materials WHERE key_id = $1 AND region = $2 AND rotation_type = 'ON_DEMAND'
"""
_DROP_MATERIAL = "UPDATE kms_materials SET sealed = NULL WHERE key_id = $1 AND region = $2 AND id = $3"
_DROP_EXPIRED = """
UPDATE kms_materials SET sealed = NULL
WHERE key_id = $1 AND region = $2 AND sealed IS NOT NULL AND expires AND valid_to <= now() RETURNING id
"""
_DELETE = "DELETE FROM kms_keys WHERE id = $1 AND region = $2"
_SIBLINGS = "SELECT region, state FROM kms_keys WHERE id = $1 ORDER BY region FOR UPDATE"


async def load(db: Unit, id: str, region: str) -> Any:
    """A key with its aliases, regions, grants and sealed material, in one statement; None without one."""
    return await db.fetchrow(_LOAD, id, region)


async def load_cached(db: Unit, id: str, region: str) -> Any:
    """The same through the cache of reads."""
    return await db.cached_row(_LOAD, id, region)


async def lock(db: Unit, id: str, region: str) -> bool:
    """Hold a key's row. False when there is none."""
    return bool(await db.fetchval(_LOCK, id, region))


async def alias_target(db: Unit, account_id: str, region: str, name: str) -> str | None:
    """The id of the key that an alias names, through the cache of reads."""
    row = await db.cached_row(_ALIAS_TARGET, account_id, region, name)
    return row["key_id"] if row else None


async def page(db: Unit, account_id: str, region: str, after: str | None, limit: int) -> list[str]:
    """Ids of an account's keys."""
    return [row["id"] for row in await db.fetch(_PAGE, account_id, region, after, limit)]


async def set_state(
    db: Unit, id: str, region: str, state: str, pending_days: int | None = None, deleted_at: datetime | None = None
) -> None:
    await db.execute(_STATE, id, region, state, pending_days, deleted_at)


async def set_column(db: Unit, id: str, region: str, column: str, value: Any) -> None:
    """Change one of `COLUMNS`."""
    assert column in COLUMNS
    await db.execute(f"UPDATE kms_keys SET {column} = $3 WHERE id = $1 AND region = $2", id, region, value)


async def set_primary(db: Unit, id: str, region: str) -> None:
    """Make another of a multi-region key's regions the primary."""
    await db.execute("UPDATE kms_keys SET primary_region = $2 WHERE id = $1", id, region)


async def set_rotation(db: Unit, id: str, region: str, days: int | None, at: datetime | None) -> None:
    await db.execute(_ROTATION, id, region, days, at)


async def materials(db: Unit, id: str, region: str) -> list[Any]:
    """All versions, oldest first, without what is sealed."""
    return await db.fetch(_MATERIALS, id, region)


async def add_material(
    db: Unit,
    key_id: str,
    region: str,
    id: str,
    sealed: bytes,
    state: str,
    public: bytes | None = None,
    valid_to: datetime | None = None,
    description: str | None = None,
) -> None:
    """Store a version, or the bytes of one that was there before. One with a `valid_to` expires."""
    expires = valid_to is not None
    await db.execute(_ADD_MATERIAL, key_id, region, id, sealed, public, state, expires, valid_to, description)


async def copy_materials(db: Unit, id: str, region: str, to: str) -> None:
    """Give another region of a multi-region key the same versions."""
    await db.execute(_COPY_MATERIALS, id, region, to)


async def use_material(
    db: Unit, key_id: str, region: str, id: str, at: datetime | None = None, rotation: str | None = None
) -> None:
    """Make a version the current one; `rotation` says by which kind of rotation."""
    await db.execute(_USE_OLD, key_id, region)
    await db.execute(_USE_NEW, key_id, region, id, at, rotation)
    await db.execute(_SET_CURRENT, key_id, region, id)


async def on_demand_rotations(db: Unit, id: str, region: str) -> int:
    return int(await db.fetchval(_ON_DEMAND, id, region))


async def drop_material(db: Unit, key_id: str, region: str, id: str) -> None:
    """Forget the bytes of imported material; that it was there is kept."""
    await db.execute(_DROP_MATERIAL, key_id, region, id)


async def drop_expired(db: Unit, id: str, region: str) -> list[str]:
    """Forget the bytes of what has expired; the ids."""
    return [row["id"] for row in await db.fetch(_DROP_EXPIRED, id, region)]


async def delete(db: Unit, id: str, region: str) -> None:
    """Delete a key with its material, aliases and grants."""
    await db.execute(_DELETE, id, region)


async def siblings(db: Unit, id: str) -> dict[str, str]:
    """The states of a multi-region key by region, held."""
    return {row["region"]: row["state"] for row in await db.fetch(_SIBLINGS, id)}

"""Glacier's SQL."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from controlplane.core.context import Context, Unit

_VAULT = "SELECT * FROM glacier_vaults WHERE account_id = $1 AND region = $2 AND name = $3"
_NEW_VAULT = """
INSERT INTO glacier_vaults (account_id, region, name) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
"""
_LOCK_VAULT = "SELECT * FROM glacier_vaults WHERE id = $1 FOR UPDATE"
_VAULTS = """
SELECT v.*, count(a.id) AS archives, coalesce(sum(a.size), 0)::bigint AS size
FROM glacier_vaults v LEFT JOIN glacier_archives a ON a.vault_id = v.id
WHERE v.account_id = $1 AND v.region = $2 AND v.name COLLATE "C" > $3 AND ($4::text IS NULL OR v.name = $4)
GROUP BY v.id ORDER BY v.name COLLATE "C" LIMIT $5
"""
_COUNT = "SELECT count(*) FROM glacier_vaults WHERE account_id = $1 AND region = $2"
_HOLDS = """
SELECT EXISTS (SELECT FROM glacier_archives WHERE vault_id = $1)
  OR EXISTS (SELECT FROM glacier_uploads WHERE vault_id = $1)
"""
_DELETE_VAULT = "DELETE FROM glacier_vaults WHERE id = $1"
_SET = "UPDATE glacier_vaults SET {column} = $2 WHERE id = $1"
_ARCHIVE = "SELECT * FROM glacier_archives WHERE vault_id = $1 AND id = $2"
_ARCHIVES = """
SELECT * FROM glacier_archives WHERE vault_id = $1 AND ($2::timestamptz IS NULL OR created_at >= $2)
AND ($3::timestamptz IS NULL OR created_at < $3) AND (created_at, id) > ($4, $5) ORDER BY created_at, id LIMIT $6
"""
_NEW_ARCHIVE = """
INSERT INTO glacier_archives (id, account_id, vault_id, description, size, tree_hash)
SELECT $1, $2, $3, $4, $5, $6 WHERE EXISTS (SELECT FROM glacier_vaults WHERE id = $3) RETURNING true
"""
_DROP_ARCHIVE = "DELETE FROM glacier_archives WHERE vault_id = $1 AND id = $2 RETURNING true"
_PUT_PIECE = """
INSERT INTO glacier_pieces (holder, start, account_id, size, tree_hash, facts, blob)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (holder, start) DO UPDATE SET size = excluded.size, tree_hash = excluded.tree_hash, facts = excluded.facts,
  blob = excluded.blob RETURNING old.blob AS blob
"""
_PIECES = "SELECT * FROM glacier_pieces WHERE holder = $1 AND start > $2 ORDER BY start LIMIT $3"
_DROP_PIECES = "DELETE FROM glacier_pieces WHERE holder = $1 RETURNING blob"
_HAND_OVER = "UPDATE glacier_pieces SET holder = $2 WHERE holder = $1"
_UPLOAD = "SELECT * FROM glacier_uploads WHERE vault_id = $1 AND id = $2"
_LOCK_UPLOAD = f"{_UPLOAD} FOR UPDATE"
_UPLOADS = """
SELECT * FROM glacier_uploads WHERE vault_id = $1 AND (created_at, id) > ($2, $3) ORDER BY created_at, id LIMIT $4
"""
_DROP_UPLOAD = "DELETE FROM glacier_uploads WHERE id = $1"
_JOB = "SELECT * FROM glacier_jobs WHERE vault_id = $1 AND id = $2"
_JOB_OF_KEY = "SELECT * FROM glacier_jobs WHERE id = $1"
_JOBS = """
SELECT * FROM glacier_jobs WHERE vault_id = $1 AND ($2::text IS NULL OR status = $2)
AND ($3::bool IS NULL OR (status <> 'InProgress') = $3) AND (created_at, id) > ($4, $5) ORDER BY created_at, id LIMIT $6
"""
_FINISH = """
UPDATE glacier_jobs SET status = $2, message = $3, size = $4, tree_hash = $5, blob = $6, salt = $7,
  completed_at = now(), expires_at = $8 WHERE id = $1 AND status = 'InProgress' RETURNING *
"""
_DROP_JOB = "DELETE FROM glacier_jobs WHERE id = $1 RETURNING blob"
_DROP_JOBS = "DELETE FROM glacier_jobs WHERE vault_id = $1 RETURNING blob"
_RETRIEVED = """
SELECT coalesce(sum((archive->>'wanted')::bigint), 0)::bigint
FROM glacier_jobs j JOIN glacier_vaults v ON v.id = j.vault_id
WHERE j.account_id = $1 AND v.region = $2 AND j.archive IS NOT NULL AND j.created_at > $3
"""
_POLICY = "SELECT rules FROM glacier_retrieval_policies WHERE account_id = $1 AND region = $2"
_PUT_POLICY = """
INSERT INTO glacier_retrieval_policies (account_id, region, rules) VALUES ($1, $2, $3)
ON CONFLICT (account_id, region) DO UPDATE SET rules = excluded.rules
"""


async def vault(db: Unit, account_id: str, region: str, name: str) -> Any:
    """A vault by its name."""
    return await db.fetchrow(_VAULT, account_id, region, name)


async def lock_vault(db: Unit, id: int) -> Any:
    """A vault that nobody else changes up to the commit."""
    return await db.fetchrow(_LOCK_VAULT, id)


async def make_vault(ctx: Context, name: str) -> None:
    """Make a vault, unless it is there."""
    await ctx.db.execute(_NEW_VAULT, ctx.account_id, ctx.region, name)


async def count_vaults(ctx: Context) -> float:
    """How many there are."""
    return float(await ctx.db.fetchval(_COUNT, ctx.account_id, ctx.region))


async def vaults(db: Unit, account_id: str, region: str, after: str, size: int, name: str | None = None) -> list[Any]:
    """A page of vaults by name, with what is in them."""
    return await db.fetch(_VAULTS, account_id, region, after, name, size)


async def drop_vault(db: Unit, id: int) -> list[Any] | None:
    """Delete an empty vault; answers what its jobs held, None where something is in it."""
    await lock_vault(db, id)
    if await db.fetchval(_HOLDS, id):
        return None
    await db.execute(_DELETE_VAULT, id)
    return await db.fetch(_DROP_JOBS, id)


async def put(db: Unit, id: int, column: str, value: Any) -> None:
    """Set one of `policy`, `lock`, `notifications`, `tags`."""
    await db.execute(_SET.format(column=column), id, value)


async def archive(db: Unit, vault_id: int, id: str) -> Any:
    return await db.fetchrow(_ARCHIVE, vault_id, id)


async def archives(
    db: Unit, vault_id: int, since: datetime | None, before: datetime | None, after: tuple[datetime, str], size: int
) -> list[Any]:
    """A page of archives, the oldest first."""
    return await db.fetch(_ARCHIVES, vault_id, since, before, *after, size)


async def make_archive(
    db: Unit, id: str, account_id: str, vault_id: int, description: str, size: int, tree_hash: str
) -> bool:
    """Make an archive; False when its vault has gone."""
    return bool(await db.fetchval(_NEW_ARCHIVE, id, account_id, vault_id, description, size, tree_hash))


async def drop_archive(db: Unit, vault_id: int, id: str) -> list[Any] | None:
    """Delete an archive; answers its pieces, None where there was none."""
    if not await db.fetchval(_DROP_ARCHIVE, vault_id, id):
        return None
    return await db.fetch(_DROP_PIECES, id)


async def put_piece(
    db: Unit, holder: str, start: int, account_id: str, size: int, tree_hash: str, facts: Any, blob: str
) -> str | None:
    """Keep a piece; answers the blob that it replaces."""
    row = await db.fetchrow(_PUT_PIECE, holder, start, account_id, size, tree_hash, facts, blob)
    found: str | None = row["blob"]
    return found


async def pieces(db: Unit, holder: str, after: int = -1, size: int = 10_000) -> list[Any]:
    """Pieces in their order."""
    return await db.fetch(_PIECES, holder, after, size)


async def hand_over(db: Unit, upload_id: str, archive_id: str) -> None:
    """Make an upload's pieces an archive's."""
    await db.execute(_HAND_OVER, upload_id, archive_id)
    await db.execute(_DROP_UPLOAD, upload_id)


async def upload(db: Unit, vault_id: int, id: str, *, lock: bool = False) -> Any:
    return await db.fetchrow(_LOCK_UPLOAD if lock else _UPLOAD, vault_id, id)


async def uploads(db: Unit, vault_id: int, after: tuple[datetime, str], size: int) -> list[Any]:
    """A page of uploads, the oldest first."""
    return await db.fetch(_UPLOADS, vault_id, *after, size)


async def drop_upload(db: Unit, id: str) -> list[Any]:
    """Forget an upload; answers its pieces."""
    await db.execute(_DROP_UPLOAD, id)
    return await db.fetch(_DROP_PIECES, id)


async def job(db: Unit, vault_id: int, id: str) -> Any:
    return await db.fetchrow(_JOB, vault_id, id)


async def job_of_key(db: Unit, id: str) -> Any:
    """A job of whatever vault."""
    return await db.fetchrow(_JOB_OF_KEY, id)


async def jobs(
    db: Unit, vault_id: int, status: str | None, completed: bool | None, after: tuple[datetime, str], size: int
) -> list[Any]:
    """A page of jobs, the oldest first."""
    return await db.fetch(_JOBS, vault_id, status, completed, *after, size)


async def finish(db: Unit, id: str, status: str, message: str, output: Any, until: datetime) -> Any:
    """A job is over; `output` is size, tree hash, blob and salt. None where it was before."""
    return await db.fetchrow(_FINISH, id, status, message, *output, until)


async def drop_job(db: Unit, id: str) -> list[Any]:
    return await db.fetch(_DROP_JOB, id)


async def retrieved(db: Unit, account_id: str, region: str, since: datetime) -> int:
    """Bytes of archives that jobs since a moment are for."""
    found: int = await db.fetchval(_RETRIEVED, account_id, region, since)
    return found


async def retrieval_rules(db: Unit, account_id: str, region: str) -> Any:
    return await db.fetchval(_POLICY, account_id, region)


async def put_retrieval_rules(db: Unit, account_id: str, region: str, rules: Any) -> None:
    await db.execute(_PUT_POLICY, account_id, region, rules)

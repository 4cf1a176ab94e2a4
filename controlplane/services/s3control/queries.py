"""SQL of S3 Control."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from controlplane.core.context import Unit

_INSERT = """
INSERT INTO s3control_jobs (id, account_id, region, status, priority, description, role_arn, confirmation, operation,
  manifest, report, tags) VALUES ($1, $2, $3, 'New', $4, $5, $6, $7, $8, $9, $10, $11)
"""
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('s3control jobs ' || $1 || ' ' || $2, 0))"
_OPEN = "SELECT count(*) FROM s3control_jobs WHERE account_id = $1 AND region = $2 AND ended_at IS NULL"
_DROP_OLD = "DELETE FROM s3control_jobs WHERE ended_at < now() - interval '90 days'"
_JOB = "SELECT * FROM s3control_jobs WHERE id = $1"
_OWN = "SELECT * FROM s3control_jobs WHERE id = $1 AND account_id = $2 AND region = $3"
_LIST = """
SELECT * FROM s3control_jobs WHERE account_id = $1 AND region = $2 AND (cardinality($3::text[]) = 0 OR status = ANY($3))
AND ($4::timestamptz IS NULL OR (created_at, id) < ($4, $5)) ORDER BY created_at DESC, id DESC LIMIT $6
"""
_MOVE = """
UPDATE s3control_jobs SET status = $2, total = coalesce($4, total), failure = coalesce($5::jsonb, failure),
  began_at = CASE WHEN $2 = 'Active' THEN coalesce(began_at, now()) ELSE began_at END,
  ended_at = CASE WHEN $2 IN ('Cancelled', 'Complete', 'Failed') THEN now() ELSE ended_at END
WHERE id = $1 AND status = $3 RETURNING true
"""
_ASK = "UPDATE s3control_jobs SET status = $2, reason = $3 WHERE id = $1 AND status = $4 RETURNING true"
_PRIORITY = "UPDATE s3control_jobs SET priority = $2 WHERE id = $1"
_TAGS = "UPDATE s3control_jobs SET tags = $2 WHERE id = $1"
_STEP = """
UPDATE s3control_jobs SET done = done + 1, failed = failed + CASE WHEN $3 THEN 1 ELSE 0 END
WHERE id = $1 AND done = $2 AND status = 'Active' RETURNING true
"""
_KEEP = "INSERT INTO s3control_results (job_id, number, account_id, line) VALUES ($1, $2, $3, $4)"
_RESULTS = "SELECT line FROM s3control_results WHERE job_id = $1 ORDER BY number"
_FORGET = "DELETE FROM s3control_results WHERE job_id = $1"


async def insert(db: Unit, *columns: Any) -> None:
    """A new job, of its columns in order."""
    await db.execute(_INSERT, *columns)


async def open_jobs(db: Unit, account_id: str, region: str) -> int:
    """How many jobs of an account have not ended. From here to the commit nobody else counts them."""
    await db.execute(_LOCK, account_id, region)
    return int(await db.fetchval(_OPEN, account_id, region))


async def drop_old(db: Unit) -> None:
    """Forget the jobs that ended long ago."""
    await db.execute(_DROP_OLD)


async def job(db: Unit, id: str) -> Any:
    """A job; None if there is none."""
    return await db.fetchrow(_JOB, id)


async def own_job(db: Unit, account_id: str, region: str, id: str) -> Any:
    """An account's job; None if there is none."""
    return await db.fetchrow(_OWN, id, account_id, region)


async def page(
    db: Unit, account_id: str, region: str, statuses: Sequence[str], before: tuple[Any, str], size: int
) -> list[Any]:
    """Jobs of an account, the newest first."""
    return await db.fetch(_LIST, account_id, region, list(statuses), *before, size)


async def move(
    db: Unit, id: str, old: str, new: str, *, total: int | None = None, failure: list[str] | None = None
) -> bool:
    """Bring a job from one status to the next; False where it has another by now."""
    return await db.fetchval(_MOVE, id, new, old, total, failure) is not None


async def ask(db: Unit, id: str, old: str, new: str, reason: str | None) -> bool:
    """The same, as its owner wants it."""
    return await db.fetchval(_ASK, id, new, reason, old) is not None


async def put_priority(db: Unit, id: str, priority: int) -> None:
    """Replace a job's priority."""
    await db.execute(_PRIORITY, id, priority)


async def put_tags(db: Unit, id: str, tags: Any) -> None:
    """Replace a job's tags."""
    await db.execute(_TAGS, id, tags)


async def step(db: Unit, row: Any, number: int, line: Sequence[str], *, failed: bool, kept: bool) -> bool:
    """Count a task of an active job, and keep its line; False where that was done or the job is not active any more."""
    if await db.fetchval(_STEP, row["id"], number, failed) is None:
        return False
    if kept:
        await db.execute(_KEEP, row["id"], number, row["account_id"], list(line))
    return True


async def results(db: Unit, id: str) -> list[list[str]]:
    """The lines of a job's report."""
    return [row["line"] for row in await db.fetch(_RESULTS, id)]


async def forget_results(db: Unit, id: str) -> None:
    """They are in the report now."""
    await db.execute(_FORGET, id)

"""The SQL of the work table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from controlplane.core.context import Unit

Item = tuple[str, str]
"""Kind and key."""

LEASE_SECONDS = 6.0
"""A worker that has not renewed for so long is taken for dead."""

# `not_before` is NULL but for what died with its worker, and greatest() leaves NULLs out.
_WAKE = """
INSERT INTO work_items (kind, key, due_at) VALUES ($1, $2, now() + $3::float8 * interval '1 second')
ON CONFLICT (kind, key) DO UPDATE
SET due_at = least(work_items.due_at, greatest(excluded.due_at, work_items.not_before))
"""
_DUE = """
SELECT kind, key FROM work_items
WHERE kind = ANY($1::text[]) AND lease_until IS NULL AND due_at <= now()
ORDER BY due_at LIMIT $2
"""
_CLAIM = """
UPDATE work_items SET due_at = 'infinity', lease_owner = $3, lease_until = now() + $4::float8 * interval '1 second'
WHERE kind = $1 AND key = $2 AND lease_until IS NULL AND due_at <= now()
RETURNING attempts
"""
_RENEW = """
UPDATE work_items SET lease_until = now() + $4::float8 * interval '1 second'
FROM unnest($2::text[], $3::text[]) AS mine (kind, key)
WHERE work_items.kind = mine.kind AND work_items.key = mine.key AND lease_owner = $1
RETURNING work_items.kind, work_items.key
"""
_RELEASE = """
UPDATE work_items SET due_at = least(due_at, now() + $4::float8 * interval '1 second'),
    lease_owner = NULL, lease_until = NULL, not_before = NULL, attempts = $5, last_error = $6
WHERE kind = $1 AND key = $2 AND lease_owner = $3
RETURNING due_at <= now()
"""
_REST = "DELETE FROM work_items WHERE kind = $1 AND key = $2 AND lease_owner = $3 AND due_at = 'infinity'"
_RELEASE_ALL = """
UPDATE work_items SET due_at = least(due_at, now()), lease_owner = NULL, lease_until = NULL WHERE lease_owner = $1
"""
_ORPHANED = """
SELECT kind, key, attempts FROM work_items WHERE lease_until IS NOT NULL AND (lease_owner = $1 OR lease_until <= now())
"""
_BURY = """
UPDATE work_items SET attempts = attempts + 1, last_error = $5, lease_owner = NULL, lease_until = NULL,
    due_at = now() + dead.pause * interval '1 second', not_before = now() + dead.pause * interval '1 second'
FROM unnest($2::text[], $3::text[], $4::float8[]) AS dead (kind, key, pause)
WHERE work_items.kind = dead.kind AND work_items.key = dead.key AND (lease_owner = $1 OR lease_until <= now())
"""
_DEPTH = """
SELECT kind, count(*) FILTER (WHERE due_at <= now() AND lease_until IS NULL) AS due,
    count(*) FILTER (WHERE lease_until > now()) AS running, count(*) FILTER (WHERE attempts > 0) AS failing
FROM work_items GROUP BY kind ORDER BY kind
"""


async def wake(db: Unit, kind: str, key: str, delay: float) -> None:
    """Make an item due, or due earlier."""
    await db.execute(_WAKE, kind, key, delay)


async def due(db: Unit, kinds: Sequence[str], limit: int) -> list[Item]:
    """What must run now and is run by nobody, longest due first."""
    return [(row["kind"], row["key"]) for row in await db.fetch(_DUE, list(kinds), limit)]


async def claim(db: Unit, item: Item, owner: str) -> int | None:
    """Take the lease. Returns the failures in a row so far, or None when there is nothing to do or another has it."""
    return await db.fetchval(_CLAIM, *item, owner, LEASE_SECONDS)  # type: ignore[no-any-return]


async def renew(db: Unit, items: Sequence[Item], owner: str) -> set[Item]:
    """Prolong leases. Returns those that are still ours."""
    kinds, keys = [kind for kind, _ in items], [key for _, key in items]
    return {(row["kind"], row["key"]) for row in await db.fetch(_RENEW, owner, kinds, keys, LEASE_SECONDS)}


async def release(
    db: Unit, item: Item, owner: str, *, again: float | None, attempts: int = 0, error: str | None = None
) -> bool:
    """Give the lease back, to run again in `again` seconds, or when it was woken for. True when it is due already."""
    return bool(await db.fetchval(_RELEASE, *item, owner, again, attempts, error))


async def rest(db: Unit, item: Item, owner: str) -> bool:
    """End an item that needs no more attention. One that was woken while it ran stays; True when it is due already."""
    if await db.execute(_REST, *item, owner) == "DELETE 1":
        return False
    return await release(db, item, owner, again=None)


async def release_all(db: Unit, owner: str) -> None:
    """Give back all leases of a worker that stops."""
    await db.execute(_RELEASE_ALL, owner)


async def orphaned(db: Unit, owner: str) -> dict[Item, int]:
    """What died with its worker, and its failures in a row before: all of `owner`, and whatever lease is over."""
    return {(row["kind"], row["key"]): row["attempts"] for row in await db.fetch(_ORPHANED, owner)}


async def bury(db: Unit, owner: str, pauses: Mapping[Item, float], error: str) -> None:
    """Count a failure for each item that is orphaned still, and have it wait for so many seconds, woken or not."""
    kinds, keys = [kind for kind, _ in pauses], [key for _, key in pauses]
    await db.execute(_BURY, owner, kinds, keys, list(pauses.values()), error)


async def depth(db: Unit) -> list[Any]:
    """How many items of each kind are due, running, and failing."""
    return await db.fetch(_DEPTH)

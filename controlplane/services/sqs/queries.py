"""SQL on queues. That on messages stands in `mailroom`, which gathers what many requests ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from controlplane.core.context import Context, Unit

_QUEUE = "SELECT * FROM sqs_queues WHERE account_id = $1 AND region = $2 AND name = $3"
_BY_NAMES = """
SELECT q.* FROM sqs_queues q JOIN unnest($1::text[], $2::text[], $3::text[]) AS named (account_id, region, name)
ON (q.account_id, q.region, q.name) = (named.account_id, named.region, named.name)
"""
_INSERT = """
INSERT INTO sqs_queues (account_id, region, name, fifo, attributes, tags) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING RETURNING id
"""
_RECENTLY = """
SELECT true FROM sqs_deleted_queues
WHERE account_id = $1 AND region = $2 AND name = $3 AND deleted_at > now() - interval '60 seconds'
"""
_FREED = """
INSERT INTO sqs_deleted_queues (account_id, region, name) VALUES ($1, $2, $3)
ON CONFLICT (account_id, region, name) DO UPDATE SET deleted_at = now()
"""
_DELETE = "DELETE FROM sqs_queues WHERE id = $1 RETURNING true"
_LIST = """
SELECT name FROM sqs_queues WHERE account_id = $1 AND region = $2 AND starts_with(name, $3)
AND ($4::text IS NULL OR name COLLATE "C" > $4) ORDER BY name COLLATE "C" LIMIT $5
"""
_SOURCES = """
SELECT name FROM sqs_queues WHERE account_id = $1 AND region = $2
AND (nullif(attributes->>'RedrivePolicy', '')::jsonb)->>'deadLetterTargetArn' = $3
AND ($4::text IS NULL OR name COLLATE "C" > $4) ORDER BY name COLLATE "C" LIMIT $5
"""
_SET = "UPDATE sqs_queues SET attributes = $2, modified_at = now() WHERE id = $1"
_LOCK = "SELECT * FROM sqs_queues WHERE id = $1 FOR UPDATE"
_SET_TAGS = "UPDATE sqs_queues SET tags = $2 WHERE id = $1"
_PURGE = """
UPDATE sqs_queues SET purged_at = now()
WHERE id = $1 AND (purged_at IS NULL OR purged_at < now() - interval '60 seconds') RETURNING true
"""
_COUNTS = """
SELECT count(*) FILTER (WHERE visible_at <= $2) AS visible,
  count(*) FILTER (WHERE visible_at > $2 AND received > 0) AS in_flight,
  count(*) FILTER (WHERE visible_at > $2 AND received = 0) AS delayed
FROM sqs_messages WHERE queue_id = $1 AND expires_at > $2
"""


async def queue(db: Unit, account_id: str, region: str, name: str) -> Any:
    """A queue by its name, or None."""
    return await db.cached_row(_QUEUE, account_id, region, name)


async def by_arns(db: Unit, parts: Sequence[tuple[str, str, str]]) -> list[Any]:
    """Queues by account, region and name."""
    accounts, regions, names = zip(*parts, strict=True) if parts else ((), (), ())
    return await db.cached(_BY_NAMES, list(accounts), list(regions), list(names))


async def insert(
    ctx: Context, name: str, *, fifo: bool, attributes: Mapping[str, str], tags: Mapping[str, str]
) -> bool:
    """Make a queue; False when the name is taken."""
    made = await ctx.db.fetchval(_INSERT, ctx.account_id, ctx.region, name, fifo, dict(attributes), dict(tags))
    return made is not None


async def deleted_recently(ctx: Context, name: str) -> bool:
    """Whether a queue of that name was deleted within the last minute."""
    return bool(await ctx.db.fetchval(_RECENTLY, ctx.account_id, ctx.region, name))


async def delete(db: Unit, id: int, account_id: str, region: str, name: str) -> bool:
    """Delete a queue's row; False when it is gone already. Its messages are swept away later."""
    if not await db.fetchval(_DELETE, id):
        return False
    await db.execute(_FREED, account_id, region, name)
    return True


async def page(ctx: Context, prefix: str, after: str | None, limit: int) -> list[str]:
    """Names of the caller's queues, in byte order."""
    return [row["name"] for row in await ctx.db.fetch(_LIST, ctx.account_id, ctx.region, prefix, after, limit)]


async def sources_of(ctx: Context, target_arn: str, after: str | None, limit: int) -> list[str]:
    """Names of the caller's queues whose dead letters go to a queue."""
    rows = await ctx.db.fetch(_SOURCES, ctx.account_id, ctx.region, target_arn, after, limit)
    return [row["name"] for row in rows]


async def lock(db: Unit, id: int) -> Any:
    """A queue's row, held against other changes; None when it is gone."""
    return await db.fetchrow(_LOCK, id)


async def set_attributes(db: Unit, id: int, attributes: Mapping[str, str]) -> None:
    await db.execute(_SET, id, dict(attributes))


async def set_tags(db: Unit, id: int, tags: Mapping[str, str]) -> None:
    await db.execute(_SET_TAGS, id, dict(tags))


async def note_purge(db: Unit, id: int) -> bool:
    """Note the time; False when the last purge is less than a minute old."""
    return bool(await db.fetchval(_PURGE, id))


async def counts(db: Unit, id: int, now: int) -> Any:
    """How many messages are visible, in flight and delayed."""
    return await db.fetchrow(_COUNTS, id, now)

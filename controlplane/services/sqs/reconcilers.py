"""What happens to messages without anybody asking: they expire, move, and vanish with their queue."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Unit
from controlplane.services.sqs.mailroom import mailroom, now
from controlplane.work.reconciler import GONE, Again, Outcome, Run, reconciler

_PORTION = 5000
_TIDY_SECONDS = 60.0
_MOVE_PORTION = 500

_EXPIRE = """
DELETE FROM sqs_messages WHERE id IN (SELECT id FROM sqs_messages WHERE expires_at <= $1 LIMIT $2) RETURNING true
"""
_FORGET = """
DELETE FROM sqs_deduplications WHERE (queue_id, key) IN
  (SELECT queue_id, key FROM sqs_deduplications WHERE expires_at <= $1 LIMIT $2) RETURNING true
"""
_FREE_SHARED = """
DELETE FROM sqs_shared_contents WHERE id IN (
  SELECT id FROM sqs_shared_contents c WHERE created_at < to_timestamp($1::float8 / 1000) - interval '1 minute'
  AND NOT EXISTS (SELECT FROM sqs_messages m WHERE m.shared_id = c.id) LIMIT $2) RETURNING true
"""
_FREE_NAMES = "DELETE FROM sqs_deleted_queues WHERE deleted_at < now() - interval '60 seconds'"
_OLD_TASKS = "DELETE FROM sqs_move_tasks WHERE started_at < now() - interval '14 days'"
_REMAINS = (
    "DELETE FROM sqs_messages WHERE id IN (SELECT id FROM sqs_messages WHERE queue_id = $1 LIMIT $2) RETURNING true",
    "DELETE FROM sqs_deduplications WHERE (queue_id, key) IN"
    " (SELECT queue_id, key FROM sqs_deduplications WHERE queue_id = $1 LIMIT $2) RETURNING true",
)
_KEYS = "DELETE FROM sqs_data_keys WHERE queue_id = $1"
_TASK = "SELECT * FROM sqs_move_tasks WHERE id = $1 FOR UPDATE"
_QUEUE = "SELECT id FROM sqs_queues WHERE account_id = $1 AND region = $2 AND name = $3"
# To the named queue, or each to where it came from.
_MOVE = """
WITH picked AS (
  SELECT m.id, q.id AS target, q.attributes FROM sqs_messages m
  JOIN sqs_queues q ON (q.account_id, q.region, q.name) = (
    split_part(coalesce($2, m.source_arn), ':', 5), split_part(coalesce($2, m.source_arn), ':', 4),
    split_part(coalesce($2, m.source_arn), ':', 6))
  WHERE m.queue_id = $1 AND m.visible_at <= $3 AND m.expires_at > $3 AND m.sent_at <= $5
  ORDER BY m.id LIMIT $4 FOR UPDATE OF m SKIP LOCKED
)
UPDATE sqs_messages m SET queue_id = picked.target, visible_at = $3, received = 0, first_received_at = NULL,
  source_arn = NULL, receipt = receipt + 1,
  sent_at = $3, expires_at = $3 + coalesce((picked.attributes->>'MessageRetentionPeriod')::bigint, 345600) * 1000
FROM picked WHERE m.id = picked.id RETURNING m.queue_id
"""
_PROGRESS = "UPDATE sqs_move_tasks SET moved = moved + $2, state = $3, failure = $4 WHERE id = $1"


@reconciler("sqs.expiry", every=_TIDY_SECONDS, standing=True)
async def expire(run: Run, key: str) -> Outcome:
    """Delete what is past its time, in portions."""
    for sql in (_EXPIRE, _FORGET, _FREE_SHARED):
        while await _portion(run, sql, now(), _PORTION):
            pass
    async with run.step() as db:
        await db.execute(_FREE_NAMES)
        await db.execute(_OLD_TASKS)
    return None


@reconciler("sqs.remains")
async def remains(run: Run, key: str) -> Outcome:
    """Delete what a deleted queue held."""
    for sql in _REMAINS:
        while await _portion(run, sql, int(key), _PORTION):
            pass
    async with run.step() as db:
        await db.execute(_KEYS, int(key))
    return GONE


async def _portion(run: Run, sql: str, *args: Any) -> bool:
    """Run a statement once; True while it found a full portion."""
    async with run.step() as db:
        return len(await db.fetch(sql, *args)) == int(args[-1])


@reconciler("sqs.move")
async def move(run: Run, key: str) -> Outcome:
    """Move a portion of a task's messages, or find that it has ended."""
    async with run.step() as db:
        task = await db.fetchrow(_TASK, key)
        if task is None or task["state"] not in ("RUNNING", "CANCELLING"):
            return GONE
        if task["state"] == "CANCELLING":
            await db.execute(_PROGRESS, key, 0, "CANCELLED", None)
            return GONE
        targets, failure = await _move(db, task)
        ended = not targets
        state = "RUNNING" if not ended else "FAILED" if failure else "COMPLETED"
        await db.execute(_PROGRESS, key, len(targets), state, failure)
    room = mailroom(run.database, run.engine("bells"))
    room.ring_all(set(targets))
    return GONE if ended else Again(1.0 if task["rate"] else 0.0)


async def _move(db: Unit, task: Any) -> tuple[list[int], str | None]:
    """Queues that messages went to, one a message; without any, what is wrong, if something is."""
    began = int(task["started_at"].timestamp() * 1000)
    portion = task["rate"] or _MOVE_PORTION
    rows = await db.fetch(_MOVE, task["source_id"], task["destination_arn"], now(), portion, began)
    if rows or not task["destination_arn"]:
        return [row["queue_id"] for row in rows], None
    parts = task["destination_arn"].split(":")
    there = await db.fetchval(_QUEUE, parts[4], parts[3], parts[5])
    return [], None if there else "AWS.SimpleQueueService.NonExistentQueue"

"""FIFO queues: one at a time sends to and takes from a queue, so that the order of ids is the order of arrival."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from controlplane.core.context import Unit

if TYPE_CHECKING:
    from controlplane.services.sqs.mailroom import Named, Outgoing

REMEMBERED = 5 * 60 * 1000
"""Milliseconds for which a queue knows a message again."""
_SEQUENCE = 18_800_000_000_000_000_000
_LOCK = "SELECT pg_advisory_xact_lock(1397838592, id) FROM unnest($1::int[]) AS id ORDER BY id"
_FORGET = """
DELETE FROM sqs_deduplications d USING unnest($1::bigint[], $2::text[]) AS named (queue_id, key)
WHERE d.queue_id = named.queue_id AND d.key = named.key AND d.expires_at <= $3
"""
_KNOWN = """
SELECT d.* FROM sqs_deduplications d JOIN unnest($1::bigint[], $2::text[]) AS named (queue_id, key)
ON d.queue_id = named.queue_id AND d.key = named.key
"""
_INSERT = """
INSERT INTO sqs_messages (queue_id, message_id, content, key_id, sender_id, sent_at, visible_at, expires_at, group_id,
  deduplication_id)
SELECT queue_id, message_id, content, key_id, sender_id, sent_at, visible_at, expires_at, group_id, deduplication_id
FROM unnest($1::bigint[], $2::uuid[], $3::bytea[], $4::bigint[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[],
  $9::text[], $10::text[]) WITH ORDINALITY
  AS new (queue_id, message_id, content, key_id, sender_id, sent_at, visible_at, expires_at, group_id,
    deduplication_id, n)
ORDER BY n RETURNING id, message_id
"""
_COLUMNS = 10
_REMEMBER = """
INSERT INTO sqs_deduplications (queue_id, key, message_id, sequence, expires_at)
SELECT *, $5 FROM unnest($1::bigint[], $2::text[], $3::uuid[], $4::bigint[])
"""
# Behind a message in flight its group gives out no other. Of the first thousand free ones those of the group that
# has waited longest come first, and all of a group before the next one's.
_TAKE = """
WITH busy AS (
  SELECT group_id, min(id) AS first FROM sqs_messages WHERE queue_id = $1 AND visible_at > $2 AND received > 0
  GROUP BY group_id
), free AS (
  SELECT id, group_id, visible_at FROM sqs_messages m WHERE queue_id = $1 AND visible_at <= $2 AND expires_at > $2
  AND NOT EXISTS (SELECT FROM busy WHERE busy.group_id = m.group_id AND busy.first < m.id) ORDER BY id LIMIT 1000
), picked AS (
  SELECT id, first_value(visible_at) OVER line AS due, first_value(id) OVER line AS head FROM free
  WINDOW line AS (PARTITION BY group_id ORDER BY id) ORDER BY due, head, id LIMIT $3
), taken AS (
  UPDATE sqs_messages m SET
    queue_id = CASE WHEN received >= $5 THEN $6 ELSE queue_id END,
    visible_at = CASE WHEN received >= $5 THEN $2 ELSE $4 END,
    source_arn = CASE WHEN received >= $5 THEN $7 ELSE source_arn END,
    received = CASE WHEN received >= $5 THEN received ELSE received + 1 END,
    first_received_at = coalesce(first_received_at, $2), receipt = receipt + 1
  FROM picked WHERE m.id = picked.id RETURNING m.*, picked.due, picked.head
)
SELECT taken.*, s.content AS shared FROM taken
LEFT JOIN sqs_shared_contents s ON s.id = shared_id ORDER BY due, head, taken.id
"""
_DELETE = """
DELETE FROM sqs_messages WHERE id = $1 AND queue_id = $2 AND receipt = $3 AND visible_at > $4 RETURNING id
"""
_THERE = "SELECT true FROM sqs_messages WHERE id = $1 AND queue_id = $2"


class Accepted(NamedTuple):
    """What a FIFO queue made of a message: its own ids, or those of the one that it repeats."""

    message_id: str
    sequence: str


def sequence(id: int) -> str:
    """The sequence number of a message, 20 digits that grow."""
    return str(_SEQUENCE + id)


async def insert(db: Unit, messages: Sequence[Outgoing], moment: int) -> list[Accepted]:
    """Add messages in the order given, without those that their queues know."""
    await _lock(db, {message.queue_id for message in messages})
    queues, keys = [m.queue_id for m in messages], [m.deduplication for m in messages]
    await db.execute(_FORGET, queues, keys, moment)
    known = {
        (row["queue_id"], row["key"]): Accepted(str(row["message_id"]), sequence(row["sequence"]))
        for row in await db.fetch(_KNOWN, queues, keys)
    }
    new: dict[tuple[int, str | None], Outgoing] = {}
    for message in messages:
        key = message.queue_id, message.deduplication
        if key not in known:
            new.setdefault(key, message)
    if new:
        known |= await _insert_new(db, list(new.values()), moment)
    return [known[message.queue_id, str(message.deduplication)] for message in messages]


async def _insert_new(db: Unit, new: list[Outgoing], moment: int) -> dict[tuple[int, str], Accepted]:
    rows = await db.fetch(_INSERT, *list(zip(*new, strict=True))[:_COLUMNS])
    ids = {str(row["message_id"]): row["id"] for row in rows}
    await db.execute(
        _REMEMBER,
        [m.queue_id for m in new],
        [m.deduplication for m in new],
        [m.message_id for m in new],
        [ids[m.message_id] for m in new],
        moment + REMEMBERED,
    )
    return {(m.queue_id, str(m.deduplication)): Accepted(m.message_id, sequence(ids[m.message_id])) for m in new}


async def take(db: Unit, queue_id: int, moment: int, wanted: int, until: int, *dead_letters: Any) -> list[Any]:
    """Messages in order, none of a group that somebody has messages of; `dead_letters` as in a standard queue."""
    await _lock(db, {queue_id})
    return await db.fetch(_TAKE, queue_id, moment, wanted, until, *dead_letters)


async def delete(db: Unit, named: Named, moment: int) -> bool:
    """Remove a message; True when it is there but the handle is no longer good."""
    if await db.fetchval(_DELETE, named.id, named.queue_id, named.receipt, moment):
        return False
    return bool(await db.fetchval(_THERE, named.id, named.queue_id))


async def _lock(db: Unit, queues: set[int]) -> None:
    """Until the commit, others wait their turn at these queues."""
    await db.execute(_LOCK, sorted(queues))

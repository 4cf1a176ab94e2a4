"""Messages in Postgres: sent, delivered, hidden and removed in batches shared by concurrent requests.

One mailroom a process. Each batch is a statement that commits by itself, acknowledged when Postgres has it on disk;
rows are taken with SKIP LOCKED, so that receivers never wait for each other. Times are in milliseconds.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from controlplane.services.sqs import fifo
from controlplane.services.sqs.errors import InvalidParameterValue, MessageNotInflight
from controlplane.state.batching import Batcher
from controlplane.state.bells import Bells
from controlplane.state.database import Database

_BATCH_BYTES = 4 * 1024 * 1024
_MOST_TAKEN = 100
_PATIENCE = 0.001
"""Seconds; as long as a commit takes, of which it saves every other one under load."""
_NEVER = 2**31 - 1
_SOON = 20_000
"""Visibility timeouts below this one may end while somebody waits."""

_INSERT = """
INSERT INTO sqs_messages (queue_id, message_id, content, key_id, sender_id, sent_at, visible_at, expires_at, group_id)
SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::bytea[], $4::bigint[], $5::text[], $6::bigint[], $7::bigint[],
  $8::bigint[], $9::text[])
"""
_COLUMNS = 9
_TAKE = """
WITH picked AS (
  SELECT id, visible_at AS due FROM sqs_messages WHERE queue_id = $1 AND visible_at <= $2 AND expires_at > $2
  ORDER BY visible_at, id LIMIT $3 FOR UPDATE SKIP LOCKED
), taken AS (
  UPDATE sqs_messages m SET
    queue_id = CASE WHEN received >= $5 THEN $6 ELSE queue_id END,
    visible_at = CASE WHEN received >= $5 THEN $2 ELSE $4 END,
    source_arn = CASE WHEN received >= $5 THEN $7 ELSE source_arn END,
    received = CASE WHEN received >= $5 THEN received ELSE received + 1 END,
    first_received_at = coalesce(first_received_at, $2), receipt = receipt + 1
  FROM picked WHERE m.id = picked.id RETURNING m.*, picked.due
)
SELECT taken.*, s.content AS shared FROM taken
LEFT JOIN sqs_shared_contents s ON s.id = shared_id ORDER BY due, taken.id
"""
_NEXT = "SELECT min(visible_at) FROM sqs_messages WHERE queue_id = $1 AND visible_at > $2"
_DELETE = """
DELETE FROM sqs_messages m USING unnest($1::bigint[], $2::bigint[]) AS named (queue_id, id)
WHERE m.id = named.id AND m.queue_id = named.queue_id
"""
_HIDE = """
UPDATE sqs_messages m SET visible_at = $3 + named.hidden, receipt = m.receipt + (named.hidden = 0)::int
FROM unnest($1::bigint[], $2::bigint[], $4::bigint[], $5::int[])
  AS named (queue_id, id, hidden, receipt)
WHERE m.id = named.id AND m.queue_id = named.queue_id AND m.received > 0
AND (m.visible_at > $3 OR m.receipt = named.receipt) RETURNING m.id
"""
_THERE = "SELECT id FROM sqs_messages WHERE id = ANY($1)"
_PURGE = """
DELETE FROM sqs_messages WHERE id IN (SELECT id FROM sqs_messages WHERE queue_id = $1 AND id <= $2 LIMIT 5000)
RETURNING id
"""
_LAST = "SELECT max(id) FROM sqs_messages WHERE queue_id = $1"


class Outgoing(NamedTuple):
    """A message on its way into a queue: what its row holds, in the order of the statement, and `deduplication`, the
    key under which a FIFO queue knows it again."""

    queue_id: int
    message_id: str
    content: bytes
    key_id: int | None
    sender_id: str
    sent_at: int
    visible_at: int
    expires_at: int
    group_id: str | None = None
    deduplication_id: str | None = None
    deduplication: str | None = None


@dataclass(frozen=True, slots=True)
class Take:
    """What a receiver asks for. Messages received `most` times go to the queue `dead_letters` instead."""

    queue_id: int
    wanted: int
    hidden: int
    fifo: bool = False
    most: int = _NEVER
    dead_letters: int | None = None
    source_arn: str | None = None


@dataclass(frozen=True, slots=True)
class Named:
    """One delivery of a message, as its receipt handle names it; `hidden` is its new visibility timeout."""

    queue_id: int
    id: int
    receipt: int
    handle: str
    hidden: int = 0


def now() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class Mailroom:
    """The gathering of what this process's requests do to messages."""

    def __init__(self, database: Database, bells: Bells) -> None:
        self._database = database
        self._bells = bells
        self._sending = Batcher(self._insert, abreast=1, patience=_PATIENCE)
        self._sending_in_order = Batcher(self._insert_in_order, abreast=1)
        self._taking = Batcher(self._take)
        self._deleting = Batcher(self._delete, abreast=1, patience=_PATIENCE)

    async def send(self, message: Outgoing) -> None:
        """Put a message into a standard queue."""
        await self._sending.submit(message)

    async def send_in_order(self, message: Outgoing) -> fifo.Accepted:
        """Put a message at the end of a FIFO queue, unless the queue had it lately: then what it was is told."""
        return await self._sending_in_order.submit(message)

    async def receive(self, take: Take, wait: float) -> list[Any]:
        """Rows of messages that are now the receiver's for a while; waits so many seconds for the first to come."""
        found = await self._taking.submit(take)
        if found or not wait:
            return found
        until = now() + int(wait * 1000)
        with self._bells.listening(_bell(take.queue_id)) as rung:
            while True:
                rung.clear()
                found = await self._taking.submit(take)
                left = until - now()
                if found or left <= 0:
                    return found
                left = min(left, await self._until_next(take.queue_id))
                with suppress(TimeoutError):
                    await asyncio.wait_for(rung.wait(), max(left, 1) / 1000)

    async def delete(self, named: Named) -> None:
        """Remove a message from a standard queue; one that is gone already is no error."""
        await self._deleting.submit(named)

    async def delete_in_order(self, named: Named) -> None:
        """Remove a message from a FIFO queue. Raises InvalidParameterValue for a handle that is no longer good."""
        async with self._database.unit() as db:
            expired = await fifo.delete(db, named, now())
        self._bells.ring(_bell(named.queue_id))
        if expired:
            raise _refused(named, "The receipt handle has expired.")

    async def hide(self, named: Named) -> None:
        """Set when a message becomes visible again that is in flight, or was not received by anybody since.

        Raises MessageNotInflight, InvalidParameterValue.
        """
        async with self._database.unit() as db:
            rows = await db.alone(_HIDE, [named.queue_id], [named.id], now(), [named.hidden], [named.receipt])
            there = rows or await db.fetch(_THERE, [named.id])
        if named.hidden < _SOON:
            self._bells.ring(_bell(named.queue_id))
        if not there:
            raise _refused(named, "Message does not exist or is not available for visibility timeout change.")
        if not rows:
            raise MessageNotInflight("The specified message isn't in flight.")

    async def purge(self, queue_id: int) -> None:
        """Remove all messages that are in a queue now."""
        async with self._database.unit() as db:
            last = await db.fetchval(_LAST, queue_id)
            while last is not None and await db.alone(_PURGE, queue_id, last):
                pass

    def ring_all(self, queue_ids: Collection[int]) -> None:
        """Wake who waits for messages of queues."""
        for queue_id in queue_ids:
            self._bells.ring(_bell(queue_id))

    async def _until_next(self, queue_id: int) -> int:
        """Milliseconds until the next hidden message becomes visible."""
        moment = now()
        async with self._database.unit() as db:
            due = await db.fetchval(_NEXT, queue_id, moment)
        return due - moment if due is not None else _NEVER

    async def _insert(self, messages: Sequence[Outgoing]) -> list[None]:
        await insert_all(self._database.alone, messages)
        self.ring_all({message.queue_id for message in messages})
        return [None] * len(messages)

    async def _insert_in_order(self, messages: Sequence[Outgoing]) -> list[fifo.Accepted]:
        async with self._database.unit() as db:
            accepted = await fifo.insert(db, messages, now())
        self.ring_all({message.queue_id for message in messages})
        return accepted

    async def _take(self, takes: Sequence[Take]) -> list[list[Any]]:
        """Takes of one kind share a statement; the first in line is served first. From a FIFO queue each takes alone:
        what is taken together belongs to one receiver, or a group would be torn between two."""
        alike: dict[tuple[Any, ...], list[int]] = defaultdict(list)
        for place, take in enumerate(takes):
            alone = place if take.fifo else None
            alike[take.queue_id, take.hidden, take.most, take.dead_letters, alone].append(place)
        found: list[list[Any]] = [[] for _ in takes]
        for places in alike.values():
            wanted = min(_MOST_TAKEN, sum(takes[place].wanted for place in places))
            rows = iter(await self._take_rows(takes[places[0]], wanted))
            for place in places:
                found[place] = [row for _, row in zip(range(takes[place].wanted), rows, strict=False)]
        return found

    async def _take_rows(self, take: Take, wanted: int) -> list[Any]:
        moment, found = now(), list[Any]()
        until = moment + take.hidden
        arguments = (take.most, take.dead_letters, take.source_arn)
        while len(found) < wanted:
            asked = wanted - len(found)
            async with self._database.unit() as db:
                if take.fifo:
                    rows = await fifo.take(db, take.queue_id, moment, asked, until, *arguments)
                else:
                    rows = await db.alone(_TAKE, take.queue_id, moment, asked, until, *arguments)
            mine = [row for row in rows if row["queue_id"] == take.queue_id]
            found += mine
            if len(mine) == len(rows):
                break
            assert take.dead_letters is not None
            self._bells.ring(_bell(take.dead_letters))
        if found and take.hidden < _SOON:
            self._bells.ring(_bell(take.queue_id))
        return found

    async def _delete(self, named: Sequence[Named]) -> list[None]:
        await self._database.alone(_DELETE, [n.queue_id for n in named], [n.id for n in named])
        return [None] * len(named)


async def insert_all(run: Callable[..., Awaitable[Any]], messages: Sequence[Outgoing]) -> None:
    """Put messages into standard queues. `run` is a unit's `alone`, or its `fetch` where this is not its only write."""
    for part in _parts(messages):
        await run(_INSERT, *list(zip(*part, strict=True))[:_COLUMNS])


def _refused(named: Named, reason: str) -> InvalidParameterValue:
    return InvalidParameterValue(f"Value {named.handle} for parameter ReceiptHandle is invalid. Reason: {reason}")


def _bell(queue_id: int) -> str:
    return f"sqs {queue_id}"


def _parts(messages: Sequence[Outgoing]) -> Iterator[list[Outgoing]]:
    """Portions that Postgres can take in one statement."""
    part: list[Outgoing] = []
    size = 0
    for message in messages:
        if part and size + len(message.content) > _BATCH_BYTES:
            yield part
            part, size = [], 0
        part.append(message)
        size += len(message.content)
    yield part


_ROOMS: WeakKeyDictionary[Database, Mailroom] = WeakKeyDictionary()


def mailroom(database: Database, bells: Bells) -> Mailroom:
    """The process's mailroom over a database."""
    room = _ROOMS.get(database)
    if room is None:
        room = _ROOMS[database] = Mailroom(database, bells)
    return room

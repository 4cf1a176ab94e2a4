"""One message into many queues, for services that hand messages on (SNS, EventBridge, S3's events).

What all copies have in common is stored once; a copy holds only what is its own, so that a thousand queues cost one
statement and a thousand small rows. A queue with a KMS key, and a FIFO queue, gets a message of its own.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.core.offer import offer
from controlplane.services.sqs import contents, fifo, queries, sending
from controlplane.services.sqs.contents import GAP, Content
from controlplane.services.sqs.errors import InvalidParameterValue, MissingParameter, QueueDoesNotExist
from controlplane.services.sqs.mailroom import Outgoing, insert_all, now
from controlplane.services.sqs.queues import Queue, of_row

_KNOWN_SECONDS = 10.0
_ALLOWED_SECONDS = 10.0
_MOST = 65536
_INSERT = """
WITH kept AS (INSERT INTO sqs_shared_contents (id, content) SELECT * FROM unnest($1::uuid[], $2::bytea[])),
put AS (INSERT INTO sqs_messages (queue_id, message_id, content, shared_id, sender_id, sent_at, visible_at, expires_at,
  group_id)
SELECT n.queue_id, gen_random_uuid(), n.content, n.shared_id, $3, $4, $4 + n.delay, $4 + n.retention, n.group_id
FROM unnest($5::bigint[], $6::timestamptz[], $7::bytea[], $8::uuid[], $9::bigint[], $10::bigint[], $11::text[])
  AS n (queue_id, version, content, shared_id, delay, retention, group_id)
JOIN sqs_queues q ON q.id = n.queue_id AND q.modified_at = n.version
RETURNING queue_id, shared_id)
SELECT count(*) AS number, array_agg(queue_id) AS queues, array_agg(shared_id) AS letters FROM put
"""


@dataclass(slots=True)
class _Batch:
    """Copies for standard queues, a row each, and messages for FIFO queues, in order."""

    shared: dict[UUID, bytes] = field(default_factory=dict)
    copies: list[tuple[Queue, UUID, str, str | None]] = field(default_factory=list)
    own: list[Outgoing] = field(default_factory=list)
    in_order: list[Outgoing] = field(default_factory=list)


_known: OrderedDict[str, tuple[float, Queue]] = OrderedDict()
_decided: OrderedDict[tuple[Any, ...], tuple[float, AwsError | None]] = OrderedDict()


@offer("Deliver")
async def deliver(ctx: Context, request: Mapping[str, Any]) -> list[dict[str, AwsError]]:
    """Put letters into queues, if the queues let the caller (`sqs:SendMessage`), as part of the caller's transaction.

    A letter: `Id` (UUID), `Body` (in which GAP stands for what is the copy's own), `Attributes`, `TraceHeader`,
    `GroupId`, `DeduplicationId`, `Finisher` (the service whose offer `Finish` makes of `Text` what a receiver reads)
    and `To`: pairs of queue ARN and the copy's own text. `Alone` says that this is all that the transaction writes.
    Answers for each letter the queues that did not take it, with the reason.
    """
    letters: Sequence[Mapping[str, Any]] = request["Letters"]
    refused: list[dict[str, AwsError]] = [{} for _ in letters]
    left = [list(letter["To"]) for letter in letters]
    for _ in range(3):  # a queue may change between the look and the write
        left = await _attempt(ctx, letters, left, refused)
        if not any(left):
            break
    return refused


async def _attempt(
    ctx: Context, letters: Sequence[Mapping[str, Any]], to: list[Any], refused: list[dict[str, AwsError]]
) -> list[Any]:
    """Deliver what can be; answers what must be tried again because its queue has just changed."""
    queues = await _find(ctx, {arn for pairs in to for arn, _ in pairs})
    batch = _Batch()
    known = _Decisions(ctx)
    for letter, pairs, no in zip(letters, to, refused, strict=True):
        for arn, own in pairs:
            queue = queues.get(arn)
            try:
                if queue is None:
                    raise QueueDoesNotExist
                if not known.allow(queue):
                    await known.ask(queue)
                await _add(ctx, batch, queue, letter, own)
            except AwsError as error:
                no[arn] = error
    run = ctx.db.alone if ctx.request.get("Alone") else ctx.db.fetch
    stale = await _write(ctx, batch, run)
    for arn in {arn for arn, _ in stale}:
        _known.pop(arn, None)
    return [
        [(arn, own) for arn, own in pairs if (arn, UUID(letter["Id"])) in stale]
        for letter, pairs in zip(letters, to, strict=True)
    ]


async def _add(ctx: Context, batch: _Batch, queue: Queue, letter: Mapping[str, Any], own: str) -> None:
    body, group, deduplication = letter["Body"], letter.get("GroupId"), letter.get("DeduplicationId")
    if len(body) > queue.largest // 4 and len(body.encode()) + len(own) > queue.largest:
        raise InvalidParameterValue(f"Message must be shorter than {queue.largest} bytes.")
    if not queue.fifo and not queue.own.get("KmsMasterKeyId"):
        id = UUID(letter["Id"])
        if id not in batch.shared:
            content = Content(body, letter["Attributes"], letter.get("TraceHeader"), letter.get("Finisher"))
            batch.shared[id] = contents.pack(content, str(id), sealer=ctx.engine("sealing"))
        batch.copies.append((queue, id, own, group if deduplication is None else None))
        return
    if queue.fifo and not group:
        raise MissingParameter("MessageGroupId")
    if queue.fifo and not deduplication and not queue.is_set("ContentBasedDeduplication"):
        raise InvalidParameterValue("The queue should have ContentBasedDeduplication enabled.")
    whole = body.replace(GAP, own, 1)
    content = Content(whole, letter["Attributes"], letter.get("TraceHeader"), letter.get("Finisher"))
    ids = {"MessageGroupId": group, "MessageDeduplicationId": deduplication} if queue.fifo else {}
    message = await sending.outgoing(ctx, queue, ids, content)
    (batch.in_order if queue.fifo else batch.own).append(message)


async def _write(ctx: Context, batch: _Batch, run: Callable[..., Awaitable[list[Any]]]) -> set[tuple[str, UUID]]:
    """Insert all; answers the copies whose queues are no longer as they were."""
    moment, room = now(), sending.room_of(ctx)
    missing: set[tuple[str, UUID]] = set()
    if batch.copies:
        queues = [queue for queue, *_ in batch.copies]
        rows = await run(
            _INSERT,
            list(batch.shared),
            list(batch.shared.values()),
            ctx.principal.user_id or ctx.principal.account_id,
            moment,
            [queue.id for queue in queues],
            [queue.version for queue in queues],
            [contents.pack_own(own) for _, _, own, _ in batch.copies],
            [id for _, id, _, _ in batch.copies],
            [queue.delay for queue in queues],
            [queue.retention for queue in queues],
            [group for *_, group in batch.copies],
        )
        if rows[0]["number"] < len(batch.copies):
            taken = set(zip(rows[0]["queues"] or (), rows[0]["letters"] or (), strict=True))
            missing = {(queue.arn, id) for queue, id, *_ in batch.copies if (queue.id, id) not in taken}
    if batch.own:
        await insert_all(ctx.db.fetch, batch.own)
    if batch.in_order:
        await fifo.insert(ctx.db, batch.in_order, moment)
    rung = {queue.id for queue, *_ in batch.copies} | {m.queue_id for m in (*batch.own, *batch.in_order)}
    ctx.db.after_commit(lambda: room.ring_all(rung))
    return missing


async def _find(ctx: Context, arns: set[str]) -> dict[str, Queue]:
    """Queues by ARN; as they were some seconds ago at worst, which the write notices."""
    moment = time.monotonic()
    found = {arn: kept[1] for arn in arns if (kept := _known.get(arn)) is not None and kept[0] > moment}
    if len(found) < len(arns):
        for row in await queries.by_arns(ctx.db, _parts(arns - found.keys())):
            queue = of_row(row)
            found[queue.arn] = queue
            _keep(_known, queue.arn, (moment + _KNOWN_SECONDS, queue))
    return found


def _parts(arns: Iterable[str]) -> list[tuple[str, str, str]]:
    """Account, region and name of what are ARNs of queues."""
    split = (arn.split(":") for arn in arns)
    return [(parts[4], parts[3], parts[5]) for parts in split if len(parts) == 6 and parts[2] == "sqs"]


class _Decisions:
    """What queues' policies say to one caller; the answer to the same question is good for a few seconds."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._caller = ctx.principal.arn, ctx.facts.get("aws:SourceArn"), ctx.account_id
        self._now = time.monotonic()

    def allow(self, queue: Queue) -> bool:
        """Whether it is known that the caller may."""
        kept = _decided.get((queue.id, queue.version, self._caller))
        return kept is not None and kept[1] is None and kept[0] >= self._now

    async def ask(self, queue: Queue) -> None:
        """Ask the queue's policy. Raises AccessDenied."""
        name = queue.id, queue.version, self._caller
        kept = _decided.get(name)
        if kept is None or kept[0] < self._now:
            try:
                await self._ctx.authorize("sqs:SendMessage", queue.resource())
                error = None
            except AwsError as denial:
                error = denial
            kept = self._now + _ALLOWED_SECONDS, error
            _keep(_decided, name, kept)
        if kept[1] is not None:
            raise kept[1].with_traceback(None)  # it is raised many times


def _keep(cache: OrderedDict[Any, Any], name: Any, value: Any) -> None:
    cache.pop(name, None)
    if len(cache) >= _MOST:
        cache.popitem(last=False)
    cache[name] = value

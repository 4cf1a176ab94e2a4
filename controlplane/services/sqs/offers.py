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

from controlplane.core.context import Context
from controlplane.core.errors import AwsError, ServiceUnavailable
from controlplane.core.ids import any_uuid
from controlplane.core.offer import offer
from controlplane.services.sqs import contents, fifo, queries, sending
from controlplane.services.sqs.contents import GAP, Content
from controlplane.services.sqs.errors import InvalidParameterValue, MissingParameter, QueueDoesNotExist
from controlplane.services.sqs.mailroom import Outgoing, insert_all, now
from controlplane.services.sqs.queues import Queue, of_row

_KNOWN_SECONDS = 10.0
_ALLOWED_SECONDS = 10.0
_MOST = 65536
_MOST_AUDIENCES = 256
_FAN_OUT = """
WITH audience AS MATERIALIZED (
  SELECT n.*, q.id IS NOT NULL AS there FROM unnest($5::bigint[], $6::bigint[], $7::bytea[], $8::bigint[], $9::bigint[])
    AS n (queue_id, version, content, delay, retention)
  LEFT JOIN sqs_queues q ON q.id = n.queue_id AND (extract(epoch FROM q.modified_at) * 1000000)::bigint = n.version
), stale AS MATERIALIZED (SELECT array_agg(queue_id) AS ids FROM audience WHERE NOT there),
letters AS MATERIALIZED (
  SELECT l.* FROM unnest($1::uuid[], $2::bytea[], $10::text[]) AS l (id, content, group_id), stale WHERE ids IS NULL
), kept AS (INSERT INTO sqs_shared_contents (id, content) SELECT id, content FROM letters),
put AS (INSERT INTO sqs_messages (queue_id, message_id, content, shared_id, sender_id, sent_at, visible_at, expires_at,
  group_id)
SELECT queue_id, letters.id, audience.content, letters.id, $3, $4, $4 + delay, $4 + retention, group_id
FROM letters, audience)
SELECT ids FROM stale
"""
"""Every letter to every queue, or nothing when a queue is no longer as it was. Copies carry the letter's id; receivers
are told another one for each."""

_FEW = 2
"""So many queues get messages of their own, which are cheaper to write and to read than copies of a shared one."""
_TO_FEW = """
INSERT INTO sqs_messages (queue_id, message_id, content, sender_id, sent_at, visible_at, expires_at, group_id)
SELECT queue_id, id, content, $1, $2, $2 + delay, $2 + retention, group_id
FROM unnest($3::bigint[], $4::uuid[], $5::bytea[], $6::bigint[], $7::bigint[], $8::text[])
  AS n (queue_id, id, content, delay, retention, group_id)
WHERE (
  SELECT count(*) FROM unnest($9::bigint[], $10::bigint[]) AS a (id, version)
  JOIN sqs_queues q ON q.id = a.id AND (extract(epoch FROM q.modified_at) * 1000000)::bigint = a.version
) = cardinality($9) RETURNING true
"""


@dataclass(slots=True)
class _Audience:
    """Queues that a letter goes to. Those of the arrays get rows of one statement, `single` messages of their own."""

    to: Sequence[tuple[str, str]]
    until: float
    refused: dict[str, AwsError] = field(default_factory=dict)
    single: list[tuple[Queue, str]] = field(default_factory=list)
    arns: list[str] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    own: list[bytes] = field(default_factory=list)
    delays: list[int] = field(default_factory=list)
    retentions: list[int] = field(default_factory=list)
    largest: int = 2**31
    """Bytes that all queues of the arrays take, what is their own counted."""

    def add(self, queue: Queue, own: str) -> None:
        """Let a queue get letters."""
        if queue.fifo or queue.own.get("KmsMasterKeyId"):
            self.single.append((queue, own))
            return
        self.arns.append(queue.arn)
        self.ids.append(queue.id)
        self.versions.append(queue.version_in_microseconds)
        self.own.append(contents.pack_own(own))
        self.delays.append(queue.delay)
        self.retentions.append(queue.retention)
        self.largest = min(self.largest, queue.largest - len(own))


_known: OrderedDict[str, tuple[float, Queue]] = OrderedDict()
_decided: OrderedDict[tuple[Any, ...], tuple[float, AwsError | None]] = OrderedDict()
_audiences: OrderedDict[tuple[Any, ...], _Audience] = OrderedDict()


@offer("Deliver")
async def deliver(ctx: Context, request: Mapping[str, Any]) -> list[Mapping[str, AwsError]]:
    """Put letters into queues, if the queues let the caller (`sqs:SendMessage`), as part of the caller's transaction.

    A letter: `Id` (UUID), `Body` (in which GAP stands for what is the copy's own), `Attributes`, `TraceHeader`,
    `GroupId`, `DeduplicationId`, `Finisher` (the service whose offer `Finish` makes of `Text` what a receiver reads)
    and `To`: pairs of queue ARN and the copy's own text, each queue once. Letters whose `To` is the same object share a
    statement; what is found out about the queues of a tuple is kept for when it comes again. `Alone` says that this is
    all that the transaction writes. Answers for each letter the queues that did not take it, with the reason.
    """
    letters: Sequence[Mapping[str, Any]] = request["Letters"]
    refused: list[Mapping[str, AwsError]] = [{} for _ in letters]
    alike: dict[int, list[int]] = {}
    for place, letter in enumerate(letters):
        alike.setdefault(id(letter["To"]), []).append(place)
    alone = bool(request.get("Alone")) and len(alike) == 1
    for places in alike.values():
        found = await _deliver_alike(ctx, [letters[place] for place in places], alone=alone)
        for place, no in zip(places, found, strict=True):
            refused[place] = no
    return refused


async def _deliver_alike(
    ctx: Context, letters: Sequence[Mapping[str, Any]], *, alone: bool
) -> Sequence[Mapping[str, AwsError]]:
    """Deliver letters that go to the same queues."""
    to = letters[0]["To"]
    for attempt in range(3):  # a queue may change between the look and the write
        audience = await _audience(ctx, to)
        fitting = [letter for letter in letters if _fits(letter["Body"], audience.largest)]
        own = bool(audience.single) or len(fitting) < len(letters)
        run = ctx.db.alone if alone and not own else ctx.db.fetch
        if not fitting or not audience.ids or await _fan_out(ctx, audience, fitting, run):
            break
        _forget(ctx, audience, last=attempt == 2)
    no: Sequence[Mapping[str, AwsError]] = [audience.refused] * len(letters)
    if own:
        no = await _singly(ctx, audience, letters)
    room, rung = sending.room_of(ctx), [*audience.ids, *(queue.id for queue, _ in audience.single)]
    ctx.db.after_commit(lambda: room.ring_all(rung))
    return no


def _fits(body: str, largest: int) -> bool:
    return len(body) <= largest // 4 or len(body.encode()) <= largest


async def _audience(ctx: Context, to: Sequence[tuple[str, str]]) -> _Audience:
    """What is known of some queues, or found out now."""
    decisions = _Decisions(ctx)
    name, moment = (id(to), decisions.caller), time.monotonic()
    kept = _audiences.get(name)
    if kept is not None and kept.to is to and kept.until > moment:
        return kept
    queues = await _find(ctx, {arn for arn, _ in to})
    made = _Audience(to, moment + _KNOWN_SECONDS)
    for arn, own in to:
        try:
            queue = queues.get(arn)
            if queue is None:
                raise QueueDoesNotExist
            await decisions.ask(queue)
            made.add(queue, own)
        except AwsError as error:
            made.refused[arn] = error
    if isinstance(to, tuple):
        _keep(_audiences, name, made, _MOST_AUDIENCES)
    return made


def _forget(ctx: Context, audience: _Audience, *, last: bool) -> None:
    """Look anew at queues that have changed. Raises ServiceUnavailable when they never stop."""
    for arn in audience.arns:
        _known.pop(arn, None)
    _audiences.pop((id(audience.to), _Decisions(ctx).caller), None)
    if last:
        raise ServiceUnavailable("Queues of this topic are being changed. Please try again.")


async def _fan_out(
    ctx: Context,
    audience: _Audience,
    letters: Sequence[Mapping[str, Any]],
    run: Callable[..., Awaitable[list[Any]]],
) -> bool:
    """Insert all copies; False, and nothing inserted, when a queue is no longer as it was."""
    if len(audience.ids) <= _FEW:
        return await _to_few(ctx, audience, letters, run)
    sealer = ctx.engine("sealing")
    rows = await run(
        _FAN_OUT,
        [letter["Id"] for letter in letters],
        [contents.pack(_content(letter, letter["Body"]), letter["Id"], sealer=sealer) for letter in letters],
        ctx.principal.user_id or ctx.principal.account_id,
        now(),
        audience.ids,
        audience.versions,
        audience.own,
        audience.delays,
        audience.retentions,
        [_group(letter) for letter in letters],
    )
    return rows[0]["ids"] is None


async def _to_few(
    ctx: Context,
    audience: _Audience,
    letters: Sequence[Mapping[str, Any]],
    run: Callable[..., Awaitable[list[Any]]],
) -> bool:
    sealer = ctx.engine("sealing")
    ids, packed = [], []
    for place, own in enumerate(audience.own):
        for letter in letters:
            ids.append(letter["Id"] if place == 0 else any_uuid())
            content = _content(letter, contents.filled(letter["Body"], own))
            packed.append(contents.pack(content, ids[-1], sealer=sealer))
    return bool(
        await run(
            _TO_FEW,
            ctx.principal.user_id or ctx.principal.account_id,
            now(),
            [id for id in audience.ids for _ in letters],
            ids,
            packed,
            [delay for delay in audience.delays for _ in letters],
            [retention for retention in audience.retentions for _ in letters],
            [_group(letter) for letter in letters] * len(audience.ids),
            audience.ids,
            audience.versions,
        )
    )


def _group(letter: Mapping[str, Any]) -> str | None:
    """A FIFO topic's group means nothing in a standard queue."""
    return letter.get("GroupId") if letter.get("DeduplicationId") is None else None


def _content(letter: Mapping[str, Any], body: str) -> Content:
    return Content(body, letter["Attributes"], letter.get("TraceHeader"), letter.get("Finisher"))


async def _singly(
    ctx: Context, audience: _Audience, letters: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, AwsError]]:
    """Send letters to the queues that get messages of their own, and large ones to all queues that take them."""
    refused: list[Mapping[str, AwsError]] = []
    plain, in_order = list[Outgoing](), list[Outgoing]()
    for letter in letters:
        no, pairs = dict(audience.refused), list(audience.single)
        if not _fits(letter["Body"], audience.largest):
            queues = await _find(ctx, set(audience.arns))
            pairs += [(queues[arn], own) for arn, own in audience.to if arn in queues]
        for queue, own in pairs:
            try:
                (in_order if queue.fifo else plain).append(await _outgoing(ctx, queue, letter, own))
            except AwsError as error:
                no[queue.arn] = error
        refused.append(no)
    if plain:
        await insert_all(ctx.db.fetch, plain)
    if in_order:
        await fifo.insert(ctx.db, in_order, now())
    return refused


async def _outgoing(ctx: Context, queue: Queue, letter: Mapping[str, Any], own: str) -> Outgoing:
    body = letter["Body"].replace(GAP, own, 1)
    group, deduplication = letter.get("GroupId"), letter.get("DeduplicationId")
    if not _fits(body, queue.largest):
        raise InvalidParameterValue(f"Message must be shorter than {queue.largest} bytes.")
    if queue.fifo and not group:
        raise MissingParameter("MessageGroupId")
    if queue.fifo and not deduplication and not queue.is_set("ContentBasedDeduplication"):
        raise InvalidParameterValue("The queue should have ContentBasedDeduplication enabled.")
    ids = {"MessageGroupId": group, "MessageDeduplicationId": deduplication} if queue.fifo else {}
    return await sending.outgoing(ctx, queue, ids, _content(letter, body))


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
        self.caller = ctx.principal.arn, ctx.facts.get("aws:SourceArn"), ctx.account_id
        self._now = time.monotonic()

    async def ask(self, queue: Queue) -> None:
        """Ask the queue's policy. Raises AccessDenied."""
        name = queue.id, queue.version, self.caller
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


def _keep(cache: OrderedDict[Any, Any], name: Any, value: Any, most: int = _MOST) -> None:
    cache.pop(name, None)
    if len(cache) >= most:
        cache.popitem(last=False)
    cache[name] = value

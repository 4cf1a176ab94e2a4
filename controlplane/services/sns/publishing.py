"""Publishing: one transaction puts a message into all queues that want it, and notes what is to be sent elsewhere.

So what was acknowledged is in each queue exactly once, or stands in the list of deliveries. Publications of the same
moment share the transaction.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

import orjson

from controlplane.core.context import Context, Unit
from controlplane.core.errors import AwsError
from controlplane.core.ids import any_uuid
from controlplane.services.sns import delivering, filters, messages, queries, reports, signing
from controlplane.services.sns.filters import Filter
from controlplane.services.sns.messages import Message
from controlplane.services.sns.reports import Result, Wanted
from controlplane.services.sns.subscriptions import Subscription, of_row
from controlplane.services.sns.topics import Topic
from controlplane.state.batching import Batcher
from controlplane.state.database import Database

SERVICE = "sns.amazonaws.com"
REMEMBERED = 5 * 60 * 1000
_PLANS = 1024
_PATIENCE = 0.001
_TURN_SECONDS = 0.01
_FIRST = 10_000_000_000_000_000_000
_LOCK = "SELECT pg_advisory_xact_lock(1397641984, id) FROM unnest($1::int[]) AS id ORDER BY id"
_FORGET = """
DELETE FROM sns_deduplications d USING unnest($1::bigint[], $2::text[]) AS named (topic_id, key)
WHERE d.topic_id = named.topic_id AND d.key = named.key AND d.expires_at <= $3
"""
_KNOWN = """
SELECT d.* FROM sns_deduplications d JOIN unnest($1::bigint[], $2::text[]) AS named (topic_id, key)
ON d.topic_id = named.topic_id AND d.key = named.key
"""
_REMEMBER = """
INSERT INTO sns_deduplications (topic_id, key, message_id, sequence, expires_at)
SELECT topic_id, key, message_id, nextval('sns_sequence'), $4
FROM unnest($1::bigint[], $2::text[], $3::uuid[]) WITH ORDINALITY AS new (topic_id, key, message_id, n) ORDER BY n
RETURNING topic_id, key, sequence
"""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a topic made of a message: its own ids, or those of the one that it repeats."""

    message_id: UUID
    sequence: str | None = None


@dataclass(frozen=True, slots=True)
class Publication:
    """A message on its way to a topic's subscribers. `ctx` is the publisher's."""

    ctx: Context
    topic: Topic
    message: Message

    @property
    def key(self) -> str:
        """Under which a FIFO topic knows it again."""
        scope = self.message.group_id if self.topic.own.get("FifoThroughputScope") == "MessageGroup" else ""
        return f"{scope}\n{deduplication_id(self.message)}"


@dataclass(frozen=True, slots=True)
class _Target:
    """A subscription, ready to be asked whether it wants a message."""

    subscription: Subscription
    filter: Filter | None
    to: tuple[str, str] | None
    """For a queue: its ARN, and what its copy has of its own."""

    def wants(self, message: Message) -> bool:
        return self.filter is None or self.filter.wants(message.body(self.subscription.protocol), message.attributes)


@dataclass(frozen=True, slots=True)
class _Plan:
    """A topic's subscriptions, sorted once. Queues without a filter get everything: `always`, by whether they get it
    raw. The same tuples serve all messages, so that nothing is worked out for a queue and a message."""

    version: int
    targets: list[_Target]
    others: list[_Target]
    always: Mapping[bool, tuple[tuple[str, str], ...]]


def deduplication_id(message: Message) -> str:
    """What a message was given, or the digest of its content."""
    return message.deduplication_id or hashlib.sha256(message.bodies["default"].encode()).hexdigest()


class Publisher:
    """The gathering of what this process's requests publish."""

    def __init__(self, database: Database, sealer: Any) -> None:
        self._database = database
        self._sealer = sealer
        self._standard = Batcher(self._publish, most=50, abreast=1, patience=_PATIENCE)
        self._in_order = Batcher(self._publish_in_order, most=50, abreast=1)
        self._plans: OrderedDict[int, _Plan] = OrderedDict()

    async def publish(self, publication: Publication) -> Accepted:
        """Hand a message to all subscriptions that want it."""
        topic = publication.topic
        if topic.fifo:
            return await self._in_order.submit(publication)
        if (await self._plan(publication.ctx.db, topic)).targets:
            return await self._standard.submit(publication)
        return Accepted(publication.message.id)

    async def publish_within(self, publication: Publication, endpoint: str) -> None:
        """Hand a message to a standard topic's subscriptions as part of the publisher's own transaction. `endpoint` is
        the cloud's address."""
        ctx, topic = replace(publication.ctx, endpoint=endpoint), publication.topic
        signer = await signing.signer(self._database, self._sealer)
        fan = _FanOut(ctx.db, topic, ctx, await self._plan(ctx.db, topic), signer)
        await fan.out([publication.message])

    async def learn(self, db: Unit, topic: Topic) -> None:
        """Read a topic's subscriptions, unless they are known."""
        await self._plan(db, topic)

    async def _plan(self, db: Unit, topic: Topic) -> _Plan:
        """The topic's subscriptions as of the topic's version."""
        kept = self._plans.get(topic.id)
        if kept is None or kept.version != topic.version:
            targets = [_target(of_row(row)) for row in await queries.confirmed(db, topic.id)]
            kept = _planned(topic.version, targets)
            self._plans.pop(topic.id, None)
            if len(self._plans) >= _PLANS:
                self._plans.popitem(last=False)
            self._plans[topic.id] = kept
        return kept

    async def _publish(self, publications: Sequence[Publication]) -> list[Accepted]:
        signer = await signing.signer(self._database, self._sealer)
        async with self._database.unit() as db:
            topics = _by_topic(publications)
            for topic, some in topics:
                plan = await self._plan(db, topic)
                fan = _FanOut(db, topic, some[0].ctx, plan, signer, alone=len(topics) == 1)
                await fan.out([publication.message for publication in some])
        return [Accepted(publication.message.id) for publication in publications]

    async def _publish_in_order(self, publications: Sequence[Publication]) -> list[Accepted]:
        signer = await signing.signer(self._database, self._sealer)
        async with self._database.unit() as db:
            await db.execute(_LOCK, sorted({publication.topic.id for publication in publications}))
            known, new = await _without_repeats(db, publications)
            for topic, some in _by_topic(new):
                fan = _FanOut(db, topic, some[0].ctx, await self._plan(db, topic), signer)
                sequences = [known[topic.id, publication.key].sequence for publication in some]
                await fan.out([publication.message for publication in some], sequences)
        return [known[publication.topic.id, publication.key] for publication in publications]


def _target(subscription: Subscription) -> _Target:
    text = subscription.own.get("FilterPolicy")
    scope = subscription.own.get("FilterPolicyScope", filters.ATTRIBUTES)
    to = (subscription.endpoint, "" if subscription.raw else subscription.arn)
    queue = subscription.protocol == "sqs"
    return _Target(subscription, filters.compiled(text, scope) if text else None, to if queue else None)


def _planned(version: int, targets: list[_Target]) -> _Plan:
    always = [target.to for target in targets if target.to is not None and target.filter is None]
    return _Plan(
        version,
        targets,
        [target for target in targets if target.to is None or target.filter is not None],
        {raw: tuple(to for to in always if (to[1] == "") is raw) for raw in (False, True)},
    )


def _by_topic(publications: Sequence[Publication]) -> list[tuple[Topic, list[Publication]]]:
    found: dict[int, tuple[Topic, list[Publication]]] = {}
    for publication in publications:
        found.setdefault(publication.topic.id, (publication.topic, []))[1].append(publication)
    return list(found.values())


async def _without_repeats(
    db: Unit, publications: Sequence[Publication]
) -> tuple[dict[tuple[int, str], Accepted], list[Publication]]:
    """What each message is known as by now, and which of them are new."""
    moment = time.time_ns() // 1_000_000
    topics, keys = [p.topic.id for p in publications], [p.key for p in publications]
    await db.execute(_FORGET, topics, keys, moment)
    known = {
        (row["topic_id"], row["key"]): Accepted(row["message_id"], str(_FIRST + row["sequence"]))
        for row in await db.fetch(_KNOWN, topics, keys)
    }
    new: dict[tuple[int, str], Publication] = {}
    for publication in publications:
        name = publication.topic.id, publication.key
        if name not in known:
            new.setdefault(name, publication)
    ids = {name: publication.message.id for name, publication in new.items()}
    rows = await db.fetch(
        _REMEMBER, [topic for topic, _ in new], [key for _, key in new], list(ids.values()), moment + REMEMBERED
    )
    for row in rows:
        name = row["topic_id"], row["key"]
        known[name] = Accepted(ids[name], str(_FIRST + row["sequence"]))
    return known, list(new.values())


class _FanOut:
    """The handing out of one topic's messages, in one unit of work."""

    def __init__(
        self, db: Unit, topic: Topic, ctx: Context, plan: _Plan, signer: signing.Signer, *, alone: bool = False
    ) -> None:
        self._topic = topic
        self._alone = alone
        self._plan = plan
        self._signer = signer
        self._endpoint = ctx.endpoint
        self._ctx = replace(ctx.as_service(SERVICE, topic.arn), db=db)

    async def out(self, published: Sequence[Message], sequences: Sequence[str | None] = ()) -> None:
        """Put messages into queues, and note those for other endpoints."""
        letters: list[dict[str, Any]] = []
        meant: list[Message] = []
        others: list[tuple[Subscription, Message, str]] = []
        for place, message in enumerate(published):
            wanted = await self._wanted(message)
            sequence = sequences[place] if sequences else None
            envelopes: dict[str, str] = {}
            for raw in (False, True):
                chosen = [target.to for target in wanted if target.to is not None and (target.to[1] == "") is raw]
                for to in (self._plan.always[raw], chosen):
                    if to:
                        letters.append(self._letter(message, raw, to, sequence, envelopes))
                        meant.append(message)
            for target in wanted:
                if target.to is None:
                    one = target.subscription
                    others.append((one, message, self._envelope(message, one.protocol, sequence, envelopes)))
        if letters:
            logged = reports.wanted(self._topic.own, "SQS", self._topic.log_group)
            alone = self._alone and not others and logged is None
            refused = await self._ctx.ask("sqs", "Deliver", {"Letters": letters, "Alone": alone})
            if logged is not None:
                await self._report(logged, meant, letters, refused)
            if any(refused):
                await self._bury(letters, refused)
        if others:
            await delivering.note(self._ctx, self._topic, others)

    async def _wanted(self, message: Message) -> list[_Target]:
        """Those of the plan's others whose filters let a message pass. Other requests have their turn meanwhile: a
        thousand filters may be asked about a body of 256 KiB."""
        wanted, since = [], time.monotonic()
        for target in self._plan.others:
            if target.filter is None or target.wants(message):
                wanted.append(target)
            if target.filter is not None and time.monotonic() - since > _TURN_SECONDS:
                await asyncio.sleep(0)
                since = time.monotonic()
        return wanted

    def _envelope(self, message: Message, protocol: str, sequence: str | None, made: dict[str, str]) -> str:
        """The signed envelope of a message; one for all protocols that get the same text."""
        body = message.body(protocol)
        if body not in made:
            fields = messages.notification(message, self._topic.arn, protocol, self._endpoint, sequence)
            if sequence is None:
                fields["SignatureVersion"] = self._topic.signature_version
                fields = self._signer.prepare(fields, self._endpoint)
            made[body] = messages.envelope(fields)
        return made[body]

    def _letter(
        self, message: Message, raw: bool, to: Sequence[tuple[str, str]], sequence: str | None, made: dict[str, str]
    ) -> dict[str, Any]:
        return {
            "Id": any_uuid(),
            "Body": message.body("sqs") if raw else self._envelope(message, "sqs", sequence, made),
            "Attributes": message.attributes if raw else {},
            "TraceHeader": message.trace,
            "GroupId": message.group_id,
            "DeduplicationId": deduplication_id(message) if self._topic.fifo else None,
            "Finisher": None if raw or sequence is not None else "sns",
            "To": to,
        }

    async def _report(
        self, wanted: Wanted, meant: Sequence[Message], letters: Sequence[Mapping[str, Any]], refused: Sequence[Any]
    ) -> None:
        """Log which queues took a message and which did not."""
        results = []
        for message, letter, no in zip(meant, letters, refused, strict=True):
            told = reports.notification(str(message.id), message.body("sqs"), message.at, self._topic.arn)
            for arn, _ in letter["To"]:
                error = no.get(arn)
                status, answer = (200, "OK") if error is None else (error.status, f"{error.code}: {error.message}")
                results.append((told, Result(arn, ok=error is None, status=status, answer=answer, attempts=1)))
        await reports.note(self._ctx, wanted, results)

    async def _bury(self, letters: Sequence[Mapping[str, Any]], refused: Sequence[Mapping[str, AwsError]]) -> None:
        """Put what queues refused into the dead-letter queues of their subscriptions, where they have one."""
        readers = {target.to[0]: target.subscription for target in self._plan.targets if target.to is not None}
        dead = []
        for letter, no in zip(letters, refused, strict=True):
            own = dict(letter["To"])
            for arn in no:
                target = dead_letters_of(readers[arn])
                if target is not None:
                    dead.append({**letter, "Id": any_uuid(), "To": [(target, own[arn])]})
        if dead:
            await self._ctx.ask("sqs", "Deliver", {"Letters": dead})


def dead_letters_of(subscription: Subscription) -> str | None:
    """The ARN of a subscription's dead-letter queue."""
    text = subscription.own.get("RedrivePolicy")
    return str(orjson.loads(text)["deadLetterTargetArn"]) if text else None


_PUBLISHERS: WeakKeyDictionary[Database, Publisher] = WeakKeyDictionary()


def publisher_of(ctx: Context) -> Publisher:
    """The publisher of this process."""
    database = ctx.engine("database")
    found = _PUBLISHERS.get(database)
    if found is None:
        found = _PUBLISHERS[database] = Publisher(database, ctx.engine("sealing"))
    return found


async def publish_all(ctx: Context, publications: Sequence[Publication]) -> list[Accepted | BaseException]:
    """Publish side by side; FIFO topics keep the order given."""
    publisher = publisher_of(ctx)
    for topic in {one.topic.id: one.topic for one in publications}.values():
        await publisher.learn(ctx.db, topic)  # what follows runs side by side, which a unit of work must not
    return await asyncio.gather(*(publisher.publish(one) for one in publications), return_exceptions=True)

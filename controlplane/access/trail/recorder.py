"""Writes down every call, behind the requests.

`note` costs microseconds: what repeated calls have in common is worked out once, and a call like one before is three
numbers. Everything waits in memory for a second, then goes to the database as one row an account and region.

Overload: at `READS_WAITING` calls that wait (or `BYTES_WAITING`), those that only read are no longer kept, at twice
that none; how many is counted by account, written with the next row and logged. While the database is away calls wait
within the same bounds. A killed process loses its last second.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import asyncpg
import orjson

from controlplane.access.trail import operations
from controlplane.access.trail.identity import identity_of, name_of
from controlplane.access.trail.masking import storable
from controlplane.access.trail.operations import Known
from controlplane.core.arn import Arn
from controlplane.core.errors import AwsError, ServiceUnavailable
from controlplane.core.operation import Resource
from controlplane.core.principal import Principal
from controlplane.state.database import Database

log = logging.getLogger("celaje.trail")

PAUSE_SECONDS = 1.0
READS_WAITING = 20_000
BYTES_WAITING = 32 * 1024 * 1024
_CALLS_A_CHUNK = 2_000
_KEEP_DAYS = 90
_FLUSHES_PER_CLEANING = 600
_LONGEST_AGENT = 512
_MOST_RESOURCES = 20
_LARGEST = 64 * 1024
USER = ""
"""Where templates keep the name that events are looked up by; it is no part of the event."""
_DENIALS = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"})

_INSERT = """
INSERT INTO access_trail_chunks
  (account_id, region, category, first_at, last_at, calls, dropped, terms, events)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
_CALLS = 5
"""Where a row has their number."""
_REFUSED = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    ValueError,  # asyncpg's own
)
_SELECTIONS = "SELECT account_id, resource_types FROM access_trail_selections"
_CLEAN = f"DELETE FROM access_trail_chunks WHERE last_at < now() - interval '{_KEEP_DAYS} days'"


@dataclass(slots=True)
class Call:
    """One call as the gateway knows it when it is over. `fingerprint` is equal for calls with equal parameters; None
    where they must be looked at. `invoked_by` is the service that forwarded the call."""

    principal: Principal
    account_id: str
    region: str
    model: str
    operation: str
    request_id: str
    source_ip: str = ""
    user_agent: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    result: Any = None
    error: AwsError | None = None
    resources: Sequence[Resource] = ()
    invoked_by: str = ""
    fingerprint: Any = None


class _Chunk:
    """Calls that wait to be written together."""

    __slots__ = ("calls", "common", "index", "places", "templates", "terms")

    def __init__(self) -> None:
        self.templates: list[tuple[int, bytes]] = []
        self.index: dict[Any, int] = {}
        self.calls: list[tuple[int, int, str]] = []
        self.terms: set[str] = set()
        self.common: list[bytes] = []
        self.places: dict[Any, int] = {}

    def place_of(self, key: Any, known: Known, call: Call, denied: bool) -> int:
        """Where that is which a call has in common with others like it; worked out once."""
        found = self.places.get(key)
        if found is None:
            event = _common(known, call, denied)
            found = self.places[key] = len(self.common)
            self.common.append(orjson.dumps(event))
            self.terms.update(_terms(event, call.principal))
        return found


class Trail:
    """One per process. `start` and `stop` by its owner; what waits is written at `stop`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._chunks: dict[tuple[str, str, str], _Chunk] = {}
        self._unwritten: list[tuple[Any, ...]] = []
        self._waiting = 0
        self._bytes = 0
        self._dropped: Counter[str] = Counter()
        self._selected: dict[str, frozenset[str]] = {}
        self._task: asyncio.Task[None] | None = None

    def wants(self, model: str, operation: str, account_id: str) -> bool:
        """Whether calls of an operation are kept: those on data only where a trail of the account selects them."""
        data_type = operations.known(model, operation).data_type
        return not data_type or data_type in self._selected.get(account_id, ())

    def note(self, call: Call) -> None:
        """Keep a call that is over."""
        if not self.wants(call.model, call.operation, call.account_id):
            return
        known = operations.known(call.model, call.operation)
        if self._waiting >= READS_WAITING or self._bytes >= BYTES_WAITING:
            full = self._waiting >= 2 * READS_WAITING or self._bytes >= 2 * BYTES_WAITING
            if known.read_only or full:
                self._dropped[call.account_id] += 1
                return
        self._waiting += 1
        moment = int(time.time() * 1000)
        place = call.account_id, call.region, known.category
        chunk = self._chunks.get(place)
        if chunk is None:
            chunk = self._chunks[place] = _Chunk()
        chunk.calls.append((self._template(chunk, known, call), moment, call.request_id))

    def _template(self, chunk: _Chunk, known: Known, call: Call) -> int:
        error = call.error
        denied = error is not None and error.code in _DENIALS
        who = call.principal.arn, call.principal.access_key_id, call.source_ip, call.user_agent, call.invoked_by
        like = call.model, call.operation, who, denied
        key = None
        if known.read_only and call.fingerprint is not None:
            key = like, call.fingerprint, (error.code, error.message) if error is not None else None
            found = chunk.index.get(key)
            if found is not None:
                return found
        common, own = chunk.place_of(like, known, call, denied), _own(known, call)
        written = orjson.dumps(own)
        if len(written) > _LARGEST:
            written = orjson.dumps(_shortened(own, len(written)))
        self._bytes += len(written)
        place = len(chunk.templates)
        chunk.templates.append((common, written))
        for resource in own.get("resources", ()):
            chunk.terms.update(_resource_terms(resource))
        if key is not None:
            chunk.index[key] = place
        return place

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self.flush()

    async def _run(self) -> None:
        flushes = 0
        while True:
            try:
                await self._learn()
                await self.flush()
                flushes += 1
                if flushes % _FLUSHES_PER_CLEANING == 0:
                    async with self._database.unit() as db:
                        await db.execute(_CLEAN)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, ServiceUnavailable) as error:
                log.warning("the trail waits for the database: %r", error)
            except Exception:
                log.exception("the trail could not be written")
            await asyncio.sleep(PAUSE_SECONDS)

    async def _learn(self) -> None:
        """What data events are wanted."""
        rows = await self._database.fetch(_SELECTIONS)
        self._selected = {row["account_id"]: frozenset(row["resource_types"]) for row in rows}

    async def flush(self) -> None:
        """Write what waits; what cannot be written goes on waiting."""
        chunks, self._chunks = self._chunks, {}
        for place, chunk in chunks.items():
            for start in range(0, len(chunk.calls), _CALLS_A_CHUNK):
                self._unwritten.append(self._row(place, chunk, chunk.calls[start : start + _CALLS_A_CHUNK]))
        if not self._unwritten:
            return
        try:
            await self._write(self._unwritten)
        except _REFUSED:
            await self._write_singly()
        self._unwritten, self._waiting, self._bytes = [], sum(len(c.calls) for c in self._chunks.values()), 0

    async def _write(self, rows: Sequence[tuple[Any, ...]]) -> None:
        async with self._database.unit() as db:
            await db.executemany(_INSERT, rows)

    async def _write_singly(self) -> None:
        """A row that Postgres refuses must not take others with it."""
        while self._unwritten:
            try:
                await self._write(self._unwritten[:1])
            except _REFUSED:
                log.exception("a row of the trail was refused: %d calls are lost", self._unwritten[0][_CALLS])
            del self._unwritten[0]

    def _row(self, place: tuple[str, str, str], chunk: _Chunk, calls: list[tuple[int, int, str]]) -> tuple[Any, ...]:
        dropped = self._dropped.pop(place[0], 0)
        if dropped:
            log.warning("%d calls of account %s came too fast to be recorded", dropped, place[0])
        used = sorted({number for number, _, _ in calls})
        shared = sorted({chunk.templates[number][0] for number in used})
        places, common = ({number: place for place, number in enumerate(numbers)} for numbers in (used, shared))
        templates = [chunk.templates[number] for number in used]
        events = {
            "c": [orjson.Fragment(chunk.common[number]) for number in shared],
            "t": [(common[number], orjson.Fragment(own)) for number, own in templates],
            "e": [(places[number], moment, id) for number, moment, id in calls],
        }
        times = [moment for _, moment, _ in calls]
        first, last = (datetime.fromtimestamp(moment / 1000, UTC) for moment in (min(times), max(times)))
        return (*place, first, last, len(calls), dropped, sorted(chunk.terms), orjson.dumps(events))


def _common(known: Known, call: Call, denied: bool) -> dict[str, Any]:
    """What the event of each call like this one says."""
    return {
        USER: storable(name_of(call.principal)),
        "userIdentity": identity_of(call.principal, call.invoked_by),
        "eventSource": known.source,
        "eventName": known.name,
        "awsRegion": call.region,
        "sourceIPAddress": call.invoked_by or storable(call.source_ip),
        "userAgent": call.invoked_by or storable(call.user_agent[:_LONGEST_AGENT]),
        "readOnly": known.read_only,
        "eventType": "AwsApiCall",
        "managementEvent": not known.data_type,
        "recipientAccountId": call.account_id,
        "eventCategory": known.category,
        "additionalEventData": {"decision": "denied" if denied else "allowed"},
    }


def _own(known: Known, call: Call) -> dict[str, Any]:
    """The rest of the event, without its time and ids."""
    error = call.error
    event: dict[str, Any] = {
        "requestParameters": known.parameters(call.parameters),
        "responseElements": None if known.read_only or error is not None else known.result(call.result),
    }
    if error is not None:
        event["errorCode"] = storable(error.code)
        event["errorMessage"] = storable(error.message[:1024])
    if resources := [item.arn for item in call.resources if item.arn.startswith("arn:")][:_MOST_RESOURCES]:
        event["resources"] = [_resource(arn) for arn in resources]
    return event


def _shortened(event: dict[str, Any], size: int) -> dict[str, Any]:
    """An event without the parameters and results that make it too large."""
    left_out = {"omitted": True, "originalSize": size, "reason": "SizeExceeded"}
    return event | {name: left_out for name in ("requestParameters", "responseElements") if event[name]}


def _resource(arn: str) -> dict[str, str]:
    text = storable(arn[:2048])
    try:
        parsed = Arn.parse(text)
    except ValueError:
        return {"ARN": text}
    kind = (
        parsed.resource.partition("/")[0].partition(":")[0] if "/" in parsed.resource or ":" in parsed.resource else ""
    )
    named = _TYPES.get((parsed.service, kind)) or _TYPES.get((parsed.service, ""))
    found = {"ARN": text, "accountId": parsed.account}
    return {**found, "type": named} if named else found


_TYPES = {
    ("kms", "key"): "AWS::KMS::Key",
    ("kms", "alias"): "AWS::KMS::Alias",
    ("iam", "user"): "AWS::IAM::User",
    ("iam", "role"): "AWS::IAM::Role",
    ("iam", "group"): "AWS::IAM::Group",
    ("iam", "policy"): "AWS::IAM::Policy",
    ("iam", "instance-profile"): "AWS::IAM::InstanceProfile",
    ("s3", ""): "AWS::S3::Bucket",
    ("sqs", ""): "AWS::SQS::Queue",
    ("sns", ""): "AWS::SNS::Topic",
    ("ec2", "instance"): "AWS::EC2::Instance",
    ("ec2", "vpc"): "AWS::EC2::VPC",
    ("ec2", "subnet"): "AWS::EC2::Subnet",
    ("ec2", "volume"): "AWS::EC2::Volume",
    ("ec2", "security-group"): "AWS::EC2::SecurityGroup",
    ("ec2", "network-interface"): "AWS::EC2::NetworkInterface",
    ("cloudtrail", "trail"): "AWS::CloudTrail::Trail",
    ("lambda", "function"): "AWS::Lambda::Function",
    ("dynamodb", "table"): "AWS::DynamoDB::Table",
}


def _terms(event: Mapping[str, Any], principal: Principal) -> list[str]:
    """What events of this kind are looked up by: a letter for the attribute, then its value."""
    found = [
        f"n:{event['eventName']}",
        f"s:{event['eventSource']}",
        f"o:{str(event['readOnly']).lower()}",
        f"u:{event[USER]}",
    ]
    if principal.access_key_id:
        found.append(f"k:{principal.access_key_id}")
    return found


def _resource_terms(resource: Mapping[str, str]) -> list[str]:
    """What the events of a resource are looked up by."""
    found = [f"r:{name}" for name in names_of(resource["ARN"])]
    if "type" in resource:
        found.append(f"t:{resource['type']}")
    return found


def names_of(arn: str) -> set[str]:
    """The names by which a resource may be asked for: its ARN, and its name or id."""
    return {arn, arn.rpartition(":")[2].rpartition("/")[2]}

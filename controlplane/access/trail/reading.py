"""Reading the trail back: chunks to events."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from controlplane.access.queries import Reader
from controlplane.access.trail.recorder import USER

VERSION = "1.11"

_CHUNKS = """
SELECT id, first_at, last_at, events FROM access_trail_chunks
WHERE account_id = $1 AND region = $2 AND category = 'Management' AND last_at >= $3 AND first_at <= $4
  AND ($5::text IS NULL OR $5 = ANY(terms))
ORDER BY last_at DESC, id DESC LIMIT $6 OFFSET $7
"""
_AFTER = """
SELECT id, category, region, events FROM access_trail_chunks
WHERE account_id = $1 AND id > $2 AND ($3::text IS NULL OR region = $3) AND last_at < now() - interval '10 seconds'
ORDER BY id LIMIT $4
"""


async def chunks(
    db: Reader, account_id: str, region: str, start: datetime, end: datetime, term: str | None, limit: int, skip: int
) -> list[Any]:
    """Chunks of management events that may hold what is looked for, those with the latest call first."""
    return await db.fetch(_CHUNKS, account_id, region, start, end, term, limit, skip)


async def chunks_after(db: Reader, account_id: str, id: int, region: str | None, limit: int) -> list[Any]:
    """Chunks in the order in which they were written, of one region or of all; only those of ten seconds ago, since
    processes that write at once may commit out of order."""
    return await db.fetch(_AFTER, account_id, id, region, limit)


@dataclass(frozen=True, slots=True)
class Found:
    """One call of a chunk; `order` sorts calls by time."""

    order: tuple[int, str]
    template: dict[str, Any]
    request_id: str

    @property
    def event(self) -> dict[str, Any]:
        """The event as CloudTrail writes it."""
        moment, id = self.order
        at = datetime.fromtimestamp(moment / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        common = {name: value for name, value in self.template.items() if name != USER}
        return {"eventVersion": VERSION, **common, "eventTime": at, "requestID": self.request_id, "eventID": id}


def calls(packed: bytes, wanted: Callable[[dict[str, Any]], bool]) -> Iterator[Found]:
    """The calls of a chunk whose template is wanted: what it has in common with others, and what is its own."""
    content = orjson.loads(packed)
    templates = [template if wanted(template) else None for template in _templates(content)]
    for number, moment, request_id in content["e"]:
        template = templates[number]
        if template is not None:
            yield Found((moment, event_id(moment, request_id, number)), template, request_id)


def _templates(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for template in content["t"]:
        if isinstance(template, dict):  # in chunks of before, which had it whole
            yield template
        else:
            yield {**content["c"][template[0]], **template[1]}


def event_id(moment: int, request_id: str, number: int) -> str:
    """The id of an event: always the same for the same call, and it tells when that was (a UUID of version 7)."""
    digest = bytearray(hashlib.sha256(f"{request_id}/{number}".encode()).digest()[:10])
    digest[0] = 0x70 | digest[0] & 0x0F
    digest[2] = 0x80 | digest[2] & 0x3F
    return str(uuid.UUID(bytes=moment.to_bytes(6, "big") + bytes(digest)))


def moment_of(id: str) -> datetime | None:
    """When the event of an id was; None for what is no id of ours."""
    try:
        found = uuid.UUID(id)
    except ValueError:
        return None
    if found.version != 7:
        return None
    return datetime.fromtimestamp(int.from_bytes(found.bytes[:6], "big") / 1000, UTC)

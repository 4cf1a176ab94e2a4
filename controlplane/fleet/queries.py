"""What guests asked the resolvers of their VPCs, from the agents' telling of it until it is logged."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from agents.contract.queries import Queries
from controlplane.core.context import Unit

_OURS = "SELECT id FROM fleet_desired WHERE host_id = $1 AND kind = 'vpc' AND id = ANY($2)"
_ADD = """
INSERT INTO fleet_dns_queries (vpc_id, document)
SELECT vpc, document FROM unnest($1::text[], $2::jsonb[]) WITH ORDINALITY AS t (vpc, document, place) ORDER BY place
"""
# A smaller number may still come from a transaction that has not committed: what is newer than this waits.
_SETTLED = "3 seconds"
_AFTER = f"""
SELECT id, vpc_id, document FROM fleet_dns_queries
WHERE vpc_id = $1 AND id > $2 AND noted_at >= $3 AND noted_at < now() - interval '{_SETTLED}' ORDER BY id LIMIT $4
"""
_LOGGED = "DELETE FROM fleet_dns_queries WHERE vpc_id = $1 AND id <= $2"
_BEYOND = "SELECT id FROM fleet_dns_queries WHERE vpc_id = $1 ORDER BY id DESC OFFSET $2 LIMIT 1"
_COUNT = "SELECT count(*) FROM fleet_dns_queries WHERE vpc_id = $1 AND id > $2 AND id <= $3"
_FORGET = "DELETE FROM fleet_dns_queries WHERE noted_at < now() - make_interval(secs => $1)"


async def note(db: Unit, host: str, told: Queries) -> None:
    """Keep what a host tells of VPCs that it has."""
    named = {query.vpc for query in told.queries}
    known = {row["id"] for row in await db.fetch(_OURS, host, sorted(named))}
    kept = [query for query in told.queries if query.vpc in known]
    if kept:
        documents = [query.model_dump(mode="json") for query in kept]
        await db.execute(_ADD, [query.vpc for query in kept], documents)


async def after(db: Unit, vpc: str, position: int, since: datetime, limit: int) -> Sequence[Any]:
    """Questions of a VPC that come after a position, oldest first: `id`, `document`."""
    return await db.fetch(_AFTER, vpc, position, since, limit)


async def logged(db: Unit, vpc: str, position: int) -> None:
    """Drop a VPC's questions up to a position."""
    await db.execute(_LOGGED, vpc, position)


async def beyond(db: Unit, vpc: str, most: int) -> int | None:
    """The position up to which a VPC has more questions than so many; None where it has not."""
    found: int | None = await db.fetchval(_BEYOND, vpc, most)
    return found


async def count(db: Unit, vpc: str, after: int, until: int) -> int:
    """How many questions of a VPC lie between two positions."""
    return int(await db.fetchval(_COUNT, vpc, after, until))


async def forget(db: Unit, seconds: float) -> None:
    """Drop what is older."""
    await db.execute(_FORGET, seconds)

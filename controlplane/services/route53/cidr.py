"""CIDR collections: what record sets that go by the asker's network need of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from controlplane.core.context import Context, Unit

_BLOCKS = """
SELECT collection_id, location, cidr FROM route53_cidr_blocks WHERE collection_id = ANY($1) ORDER BY 1, 2, 3
"""
_THERE = """
SELECT c.id, b.location FROM route53_cidr_collections c LEFT JOIN route53_cidr_blocks b ON b.collection_id = c.id
WHERE c.account_id = $1 AND c.id = ANY($2) FOR SHARE OF c
"""
_USING = """
SELECT DISTINCT zone_id FROM route53_record_sets
WHERE content -> 'CidrRoutingConfig' ->> 'CollectionId' = $1
    AND ($2::text[] IS NULL OR content -> 'CidrRoutingConfig' ->> 'LocationName' = ANY($2)) ORDER BY zone_id
"""


_COUNT = """
SELECT collection_id, count(*) AS blocks FROM route53_cidr_blocks WHERE collection_id = ANY($1) GROUP BY collection_id
"""
MOST_ANSWERS = 100_000
"""Names that go by a collection, times its blocks, in a zone: for each of these an answer is worked out."""


async def answers(db: Unit, contents: Iterable[Mapping[str, Any]]) -> int:
    """How many answers of a zone with these record sets go by blocks of collections."""
    names = _names_by_collection(contents)
    found = await db.fetch(_COUNT, sorted(names)) if names else ()
    return sum(row["blocks"] * names[row["collection_id"]] for row in found)


def _names_by_collection(contents: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """How many names go by each collection, by way of aliases too."""
    going: dict[str, set[tuple[str, str]]] = defaultdict(set)
    aliases: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for content in contents:
        key = content["Name"], content["Type"]
        if "CidrRoutingConfig" in content:
            going[content["CidrRoutingConfig"]["CollectionId"]].add(key)
        if "AliasTarget" in content:
            aliases[content["AliasTarget"]["DNSName"], content["Type"]].append(key)
    for seen in going.values():
        waiting = list(seen)
        while waiting:
            fresh = set(aliases[waiting.pop()]) - seen
            seen |= fresh
            waiting += fresh
    return Counter({collection: len(seen) for collection, seen in going.items()})


async def blocks_for(db: Unit, rows: Iterable[Any]) -> list[tuple[str, str, str]]:
    """Collection, location and network of all collections that records name."""
    named = {
        row["content"]["CidrRoutingConfig"]["CollectionId"] for row in rows if "CidrRoutingConfig" in row["content"]
    }
    found = await db.fetch(_BLOCKS, sorted(named)) if named else ()
    return [(row["collection_id"], row["location"], row["cidr"]) for row in found]


async def missing(ctx: Context, wanted: set[tuple[str, str]]) -> list[str]:
    """What is wrong with the collections and locations that records name. Those there are stay until the commit."""
    if not wanted:
        return []
    rows = await ctx.db.fetch(_THERE, ctx.account_id, sorted({collection for collection, _ in wanted}))
    collections = {row["id"] for row in rows}
    there = {(row["id"], row["location"]) for row in rows} | {(id, "*") for id in collections}
    absent = [f"CIDR collection {id} does not exist." for id in sorted({id for id, _ in wanted} - collections)]
    lost = sorted(pair for pair in wanted - there if pair[0] in collections)
    return absent + [f"CIDR collection {id} has no location {location}." for id, location in lost]


async def zones_using(db: Unit, collection: str, locations: list[str] | None = None) -> list[str]:
    """The zones with records that name a collection, or one of these locations of it."""
    return [row["zone_id"] for row in await db.fetch(_USING, collection, locations)]

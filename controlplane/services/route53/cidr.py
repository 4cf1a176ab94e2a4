"""CIDR collections: what record sets that go by the asker's network need of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from controlplane.core.context import Context, Unit
from controlplane.services.route53 import reach

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
_COUNT = "SELECT count(*) FROM route53_cidr_blocks WHERE collection_id = ANY($1)"


async def networks(db: Unit, contents: Iterable[Mapping[str, Any]]) -> int:
    """How many blocks the collections have that record sets name."""
    named = {content["CidrRoutingConfig"]["CollectionId"] for content in contents if "CidrRoutingConfig" in content}
    return int(await db.fetchval(_COUNT, sorted(named))) if named else 0


async def excess(ctx: Context, contents: Collection[Mapping[str, Any]]) -> str | None:
    """What is too much to be worked out, of a zone with these record sets."""
    blocks = await networks(ctx.db, contents)
    return reach.excess(reach.grouped(contents), blocks + len(ctx.cloud.dns_places))


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

"""The SQL of Route 53."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Unit

_COUNTED = """
SELECT z.*, (SELECT count(*) FROM route53_record_sets r WHERE r.zone_id = z.id) AS records FROM route53_zones z
"""
_ZONE = f"{_COUNTED} WHERE z.id = $1"
_LOCK = "SELECT * FROM route53_zones WHERE id = $1 FOR UPDATE"
_ZONES = f"""
{_COUNTED} WHERE z.account_id = $1 AND z.id >= $2 AND ($4::text IS NULL OR z.delegation_set = $4)
AND ($5::bool IS NULL OR z.private = $5) ORDER BY z.id LIMIT $3
"""
_BY_NAME = f"{_COUNTED} WHERE z.account_id = $1"
_RECORDS = "SELECT * FROM route53_record_sets WHERE zone_id = $1 ORDER BY sort_key, type, identifier"
_PAGE = """
SELECT * FROM route53_record_sets WHERE zone_id = $1 AND (sort_key, type, identifier) >= ($2::text COLLATE "C", $3, $4)
ORDER BY sort_key, type, identifier LIMIT $5
"""
_BUMP = "UPDATE route53_zones SET version = version + 1 WHERE id = $1 RETURNING version"
_SERVED = "UPDATE route53_zones SET served = $2 WHERE id = $1 AND served < $2"
_PUT = """
INSERT INTO route53_record_sets (zone_id, name, type, identifier, sort_key, health_check, content)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (zone_id, name, type, identifier)
DO UPDATE SET content = excluded.content, health_check = excluded.health_check
"""
_DROP = "DELETE FROM route53_record_sets WHERE zone_id = $1 AND name = $2 AND type = $3 AND identifier = $4"
# Zones of other accounts above this one that were there first. Top-level domains keep nobody out, nor does a zone of a
# name of which the account had one before.
_ABOVE = """
SELECT z.name, EXISTS (
    SELECT FROM route53_record_sets r WHERE r.zone_id = z.id AND r.name = $3 AND r.type = 'NS'
) AS delegates FROM route53_zones z
WHERE z.name = ANY($1) AND z.account_id <> $2 AND z.created_at < $4 AND NOT z.private
AND NOT EXISTS (
    SELECT FROM route53_zones own
    WHERE own.name = z.name AND own.account_id = $2 AND own.created_at < z.created_at AND NOT own.private
)
ORDER BY length(z.name) DESC LIMIT 1
"""
_DELEGATED = "SELECT id FROM route53_zones WHERE name = ANY($1) AND account_id <> $2 AND NOT private"
_VPCS = "SELECT * FROM route53_zone_vpcs WHERE zone_id = $1 ORDER BY created_at, vpc_id"
_CHANGE = """
SELECT c.*, z.served FROM route53_changes c LEFT JOIN route53_zones z ON z.id = c.zone_id
WHERE c.id = $1 AND c.account_id = $2
"""


async def zone(db: Unit, id: str) -> Any:
    """A zone with the number of its records."""
    return await db.fetchrow(_ZONE, id)


async def lock_zone(db: Unit, id: str) -> Any:
    """A zone, with nobody else at it until the end of the transaction."""
    return await db.fetchrow(_LOCK, id)


async def zones(
    db: Unit, account_id: str, first: str, limit: int, delegation_set: str | None, private: bool | None
) -> list[Any]:
    """Zones by id, from one on."""
    return await db.fetch(_ZONES, account_id, first, limit, delegation_set, private)


async def all_zones(db: Unit, account_id: str) -> list[Any]:
    return await db.fetch(_BY_NAME, account_id)


async def records(db: Unit, zone_id: str) -> list[Any]:
    """All records of a zone, in the order of listings."""
    return await db.fetch(_RECORDS, zone_id)


async def records_page(db: Unit, zone_id: str, key: str, type: str, identifier: str, limit: int) -> list[Any]:
    """Records from one on."""
    return await db.fetch(_PAGE, zone_id, key, type, identifier, limit)


async def put_record(db: Unit, zone_id: str, *values: Any) -> None:
    """Name, type, identifier, sort key, health check, content."""
    await db.execute(_PUT, zone_id, *values)


async def drop_record(db: Unit, zone_id: str, name: str, type: str, identifier: str) -> None:
    await db.execute(_DROP, zone_id, name, type, identifier)


async def bump(db: Unit, zone_id: str) -> int:
    """The zone's next version."""
    return int(await db.fetchval(_BUMP, zone_id))


async def served(db: Unit, zone_id: str, version: int) -> None:
    """From now on this version is answered."""
    await db.execute(_SERVED, zone_id, version)


async def may_serve(db: Unit, row: Any) -> bool:
    """Whether nobody else's zone lies above this one, or that one delegates to it. Else an account could answer for a
    part of what another one holds."""
    labels = row["name"][:-1].split(".")
    above = [".".join(labels[place:]) + "." for place in range(1, len(labels) - 1)]
    found = await db.fetchrow(_ABOVE, above, row["account_id"], row["name"], row["created_at"]) if above else None
    return found is None or bool(found["delegates"])


async def delegated(db: Unit, row: Any, names: list[str]) -> list[Any]:
    """Zones of other accounts that have these names."""
    return await db.fetch(_DELEGATED, names, row["account_id"])


async def vpcs(db: Unit, zone_id: str) -> list[Any]:
    """The VPCs in which a private zone answers."""
    return await db.fetch(_VPCS, zone_id)


async def change(db: Unit, id: str, account_id: str) -> Any:
    """A change with the version that its zone answers; None of a zone that is gone."""
    return await db.fetchrow(_CHANGE, id, account_id)

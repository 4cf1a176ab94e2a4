"""What the resolvers of VPCs know beside the names of machines: private zones, who is asked for other names, what is
blocked, whether questions are logged, and where else they answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from agents.contract.network import Firewall, Forward, Inbound, PrivateZone, QueryLog
from controlplane.core.context import Unit

Entry = PrivateZone | Forward | Firewall | QueryLog | Inbound

_KINDS: dict[str, tuple[str, type[Entry]]] = {
    "zone": ("zones", PrivateZone),
    "forward": ("forwards", Forward),
    "firewall": ("firewalls", Firewall),
    "log": ("query_logs", QueryLog),
    "inbound": ("inbounds", Inbound),
}
_PUT = """
INSERT INTO fleet_resolving (vpc_id, id, kind, document) VALUES ($1, $2, $3, $4)
ON CONFLICT (vpc_id, id) DO UPDATE SET document = excluded.document
"""
_DROP = "DELETE FROM fleet_resolving WHERE vpc_id = $1 AND id = $2"
_OF = "SELECT kind, document FROM fleet_resolving WHERE vpc_id = $1 ORDER BY id"
_FORGET = "DELETE FROM fleet_resolving WHERE vpc_id = $1"
# A host that is away answers nobody; waiting for it would keep a change pending for ever.
_PENDING = """
SELECT EXISTS (
    SELECT FROM fleet_desired d JOIN fleet_hosts h ON h.id = d.host_id
    WHERE d.kind = 'vpc' AND d.id = ANY($1) AND d.applied < d.generation AND h.seen_at > now() - interval '30 seconds'
)
"""


async def put(db: Unit, vpc: str, entry: Entry) -> None:
    """Have a VPC know something, once the VPC is published."""
    kind = next(kind for kind, (_, of) in _KINDS.items() if isinstance(entry, of))
    await db.execute(_PUT, vpc, entry.id, kind, entry.model_dump(mode="json"))


async def drop(db: Unit, vpc: str, id: str) -> None:
    await db.execute(_DROP, vpc, id)


async def forget(db: Unit, vpc: str) -> None:
    """Drop all that a VPC knew."""
    await db.execute(_FORGET, vpc)


async def of(db: Unit, vpc: str) -> dict[str, tuple[Any, ...]]:
    """All that a VPC knows, by the members of its document."""
    rows = await db.fetch(_OF, vpc)
    return {
        member: tuple(kept.model_validate(row["document"]) for row in rows if row["kind"] == kind)
        for kind, (member, kept) in _KINDS.items()
    }


async def pending(db: Unit, vpcs: Iterable[str]) -> bool:
    """Whether a host that is there has not done yet what was published last of one of these."""
    return bool(await db.fetchval(_PENDING, list(vpcs)))

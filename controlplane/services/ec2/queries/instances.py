"""SQL on instances and what hangs on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from controlplane.core.context import Context, Unit
from controlplane.metering import spans
from controlplane.services.ec2.tagging import column

_LIST = f"""
SELECT i.*, {column("i")} FROM ec2_instances i
WHERE i.account_id = $1 AND i.region = $2 AND ($3::text[] IS NULL OR i.id = ANY($3))
ORDER BY i.created_at, i.reservation_id, i.launch_index
"""
_INTERFACES = """
SELECT n.*, p.address AS public_address, p.allocation_id, p.association_id, p.account_id AS public_owner
FROM ec2_network_interfaces n LEFT JOIN ec2_public_addresses p ON p.network_interface_id = n.id
WHERE n.instance_id = ANY($1) ORDER BY n.device_index
"""
_VOLUMES = "SELECT * FROM ec2_volumes WHERE instance_id = ANY($1) ORDER BY root DESC, device"
_GROUPS = "SELECT id, name FROM ec2_security_groups WHERE id = ANY($1)"
_LOCK = """
SELECT * FROM ec2_instances WHERE account_id = $1 AND region = $2 AND id = ANY($3) ORDER BY id FOR UPDATE
"""

METER = "ec2.instances"
_METERED = f"SELECT i.id, i.account_id, i.region, i.type, i.zone, {column('i')} FROM ec2_instances i WHERE i.id = $1"
_ENDED = ("stopped", "terminated")


async def list_instances(ctx: Context, ids: Sequence[str] | None = None) -> list[Any]:
    """Instances of the caller's account and region, oldest first, with `tags`."""
    return await ctx.db.cached(_LIST, ctx.account_id, ctx.region, list(ids) if ids else None)


async def lock_instances(ctx: Context, ids: Sequence[str]) -> list[Any]:
    """The same rows, locked until the end of the transaction."""
    return await ctx.db.fetch(_LOCK, ctx.account_id, ctx.region, list(ids))


async def interfaces_of(db: Unit, instances: Sequence[str]) -> list[Any]:
    """Attached network interfaces with their public addresses, in order of device index."""
    return await db.cached(_INTERFACES, list(instances))


async def volumes_of(db: Unit, instances: Sequence[str]) -> list[Any]:
    """Attached volumes, the root first."""
    return await db.cached(_VOLUMES, list(instances))


async def group_names(db: Unit, ids: Sequence[str]) -> dict[str, str]:
    """Names of security groups by id."""
    return {row["id"]: row["name"] for row in await db.cached(_GROUPS, list(ids))}


async def lock_instance(db: Unit, id: str) -> Any:
    """One instance by id, whoever owns it, locked: for reconcilers."""
    return await db.fetchrow("SELECT * FROM ec2_instances WHERE id = $1 FOR UPDATE", id)


async def set_state(db: Unit, id: str, state: str, **columns: Any) -> None:
    """Move an instance to a state and set further columns; what it costs begins and ends with that."""
    await set_columns(db, id, state=state, **columns)
    if state == "running":
        row = await db.fetchrow(_METERED, id)
        await spans.begin(db, METER, row, 1, {"type": row["type"], "zone": row["zone"]}, row["tags"] or {})
    elif state in _ENDED:
        await spans.end(db, METER, id)


async def set_columns(db: Unit, id: str, **columns: Any) -> None:
    """Set columns of an instance."""
    places = ", ".join(f"{name} = ${place}" for place, name in enumerate(columns, 2))
    await db.execute(f"UPDATE ec2_instances SET {places} WHERE id = $1", id, *columns.values())

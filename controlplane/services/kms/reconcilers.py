"""What happens to keys when a time has come: deletion, rotation, the end of imported material."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from controlplane.core.context import Unit
from controlplane.services.kms import keys, rotating
from controlplane.services.kms.creating import ROTATION
from controlplane.services.kms.deleting import DELETION
from controlplane.services.kms.operations.imports import EXPIRY
from controlplane.services.kms.queries import keys as queries
from controlplane.state.sealing import Sealer
from controlplane.work.reconciler import GONE, Again, Outcome, Run, reconciler
from controlplane.work.wake import wake


def _left(at: datetime) -> float:
    return (at - datetime.now(UTC)).total_seconds()


@reconciler(DELETION)
async def delete_key(run: Run, name: str) -> Outcome:
    """Delete a key whose waiting time is over; the last replica starts the time of its primary."""
    region, id = name.split("/")
    async with run.step() as db:
        states = await queries.siblings(db, id)
        key = await keys.for_work(db, run.engine("sealing"), id, region)
        if key is None or key.state != "PendingDeletion" or key.deleted_at is None:
            return GONE
        if (left := _left(key.deleted_at)) > 0:
            return Again(left)
        await queries.delete(db, id, region)
        primary = key.primary_region
        if key.is_replica and primary and len(states) == 2 and states.get(primary) == "PendingReplicaDeletion":
            await _start_primary(db, run.engine("sealing"), id, primary)
    return GONE


async def _start_primary(db: Unit, sealer: Sealer, id: str, region: str) -> None:
    key = await keys.for_work(db, sealer, id, region)
    if key is None:
        return
    days = key.pending_days or 0
    at = datetime.now(UTC) + timedelta(days=days)
    await queries.set_state(db, id, region, "PendingDeletion", days, at)
    await wake(db, DELETION, f"{region}/{id}", _left(at))


@reconciler(ROTATION)
async def rotate_key(run: Run, name: str) -> Outcome:
    """Give a key new material every so many days."""
    region, id = name.split("/")
    async with run.step() as db:
        key = await keys.for_work(db, run.engine("sealing"), id, region)
        if key is None or key.rotation_days is None or key.rotates_at is None:
            return GONE
        if (left := _left(key.rotates_at)) > 0:
            return Again(left)
        if key.state == "Enabled":
            await rotating.rotate(db, run.engine("sealing"), key, "AUTOMATIC")
        after = datetime.now(UTC) + timedelta(days=key.rotation_days)
        await queries.set_rotation(db, id, region, key.rotation_days, after)
        return Again(_left(after))


@reconciler(EXPIRY)
async def expire_material(run: Run, name: str) -> Outcome:
    """Forget imported material that has expired. It is refused from that moment on; this removes the bytes."""
    region, id = name.split("/")
    async with run.step() as db:
        key = await keys.for_work(db, run.engine("sealing"), id, region)
        if key is None:
            return GONE
        if key.material_id in await queries.drop_expired(db, id, region) and key.state in ("Enabled", "Disabled"):
            await queries.set_state(db, id, region, "PendingImport")
        expiring = [m.valid_to for m in key.materials.values() if m.valid_to is not None and not m.expired]
    return Again(max(_left(min(expiring)), 1.0)) if expiring else GONE

"""New material for a key that keeps its old."""

from __future__ import annotations

from datetime import UTC, datetime

from controlplane.core.context import Unit
from controlplane.services.kms import material
from controlplane.services.kms.keys import Key
from controlplane.services.kms.queries import keys as queries
from controlplane.state.sealing import Sealer


async def rotate(db: Unit, sealer: Sealer, key: Key, kind: str) -> None:
    """Make new material and use it, in all regions of a multi-region key; `kind` is AUTOMATIC or ON_DEMAND."""
    made = await material.make(key.spec)
    id = material.id_of(sealer, key.id, made.secret)
    sealed = material.seal(sealer, key.id, id, made.secret)
    await queries.add_material(db, key.id, key.region, id, sealed, "NON_CURRENT", made.public)
    await use(db, key, id, kind)


async def use(db: Unit, key: Key, id: str, kind: str) -> None:
    """Let stored material be the current one, everywhere."""
    now = datetime.now(UTC)
    await queries.use_material(db, key.id, key.region, id, now, kind)
    for region in key.regions:
        if region != key.region:
            await queries.copy_materials(db, key.id, key.region, region)
            await queries.set_column(db, key.id, region, "material_id", id)

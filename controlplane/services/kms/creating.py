"""Writing a new key."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from controlplane.core.context import Context
from controlplane.services.kms import material
from controlplane.services.kms.queries import keys as queries
from controlplane.services.kms.specs import Spec

ROTATION = "kms.rotation"
"""The kind of work that rotates keys."""


async def insert(
    ctx: Context,
    id: str,
    *,
    spec: Spec,
    usage: str,
    policy: str,
    manager: str = "CUSTOMER",
    origin: str = "AWS_KMS",
    description: str = "",
    tags: Mapping[str, str] | None = None,
    multi_region: bool = False,
    rotation_days: int | None = None,
) -> None:
    """A key with its first material; one whose material is to be imported waits for it."""
    external = origin == "EXTERNAL"
    await ctx.db.insert(
        "kms_keys",
        id=id,
        region=ctx.region,
        account_id=ctx.account_id,
        description=description,
        manager=manager,
        spec=spec.name,
        usage=usage,
        origin=origin,
        state="PendingImport" if external else "Enabled",
        policy=policy,
        tags=dict(tags or {}),
        primary_region=ctx.region if multi_region else None,
    )
    if external:
        return
    made = await material.make(spec)
    await add(ctx, id, made.secret, made.public)
    if rotation_days is not None:
        await rotate_every(ctx, id, rotation_days, datetime.now(UTC))


async def add(ctx: Context, id: str, secret: bytes, public: bytes | None) -> str:
    """Store first material and use it; its id."""
    sealer = ctx.engine("sealing")
    material_id = material.id_of(sealer, id, secret)
    sealed = material.seal(sealer, id, material_id, secret)
    await queries.add_material(ctx.db, id, ctx.region, material_id, sealed, "CURRENT", public)
    await queries.use_material(ctx.db, id, ctx.region, material_id)
    return material_id


def now() -> datetime:
    return datetime.now(UTC)


async def rotate_every(ctx: Context, id: str, days: int, since: datetime) -> None:
    """Rotate automatically; the first time `days` after `since`."""
    at = since + timedelta(days=days)
    await queries.set_rotation(ctx.db, id, ctx.region, days, at)
    await ctx.wake(ROTATION, f"{ctx.region}/{id}", max(0.0, (at - datetime.now(UTC)).total_seconds()))

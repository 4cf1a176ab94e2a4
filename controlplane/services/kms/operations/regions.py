"""Multi-region keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from controlplane.core.arn import arn
from controlplane.core.context import Context
from controlplane.core.operation import operation
from controlplane.services.kms import keys, permissions, policies, shapes
from controlplane.services.kms.errors import (
    AlreadyExistsException,
    UnsupportedOperationException,
    ValidationException,
)
from controlplane.services.kms.keys import Key
from controlplane.services.kms.queries import keys as queries

if TYPE_CHECKING:
    from types_boto3_kms.type_defs import ReplicateKeyRequestTypeDef, UpdatePrimaryRegionRequestTypeDef


async def _primary(ctx: Context) -> Key:
    key = permissions.key_of(ctx)
    if key.primary_region != key.region:
        raise UnsupportedOperationException(f"{key.arn} is not a multi-region primary key.")
    return (await keys.fresh(ctx, key)).require_enabled()


@operation("ReplicateKey", on=permissions.on_key())
async def replicate_key(ctx: Context, request: ReplicateKeyRequestTypeDef) -> dict[str, Any]:
    """The same key in another region, with a policy, tags and a description of its own.

    Raises UnsupportedOperationException, AlreadyExistsException, MalformedPolicyDocumentException.
    """
    key = await _primary(ctx)
    region = request["ReplicaRegion"]
    if region not in ctx.cloud.regions or region == key.region:
        raise ValidationException(f"{region} is not a region that the key can be replicated to.")
    if region in key.regions:
        raise AlreadyExistsException(f"{arn('kms', region, key.account_id, f'key/{key.id}')} already exists.")
    policy = request.get("Policy") or policies.default(ctx.account_id)
    replica = arn("kms", region, key.account_id, f"key/{key.id}")
    if request.get("Policy"):
        bypass = bool(request.get("BypassPolicyLockoutSafetyCheck"))
        policy = await policies.check(ctx, policy, replica, bypass=bypass)
    tags = shapes.tags_of(request.get("Tags"), {})
    await ctx.db.insert(
        "kms_keys",
        id=key.id,
        region=region,
        account_id=key.account_id,
        description=request.get("Description") or "",
        manager=key.manager,
        spec=key.spec.name,
        usage=key.usage,
        origin=key.origin,
        state="PendingImport" if key.origin == keys.EXTERNAL else "Enabled",
        policy=policy,
        tags=tags,
        primary_region=key.primary_region,
        material_id=None if key.origin == keys.EXTERNAL else key.material_id,
    )
    if key.origin != keys.EXTERNAL:
        await queries.copy_materials(ctx.db, key.id, key.region, region)
    shown = keys.shown(await keys.in_region(ctx, key.id, region))
    # AWS answers before the replica is there; clients wait for it to become Enabled.
    shown |= {"Enabled": False, "KeyState": "Creating"}
    shown.pop("CurrentKeyMaterialId", None)
    told = orjson.dumps(orjson.loads(await policies.shown(ctx, policy))).decode()
    answer: dict[str, Any] = {"ReplicaKeyMetadata": shown, "ReplicaPolicy": told}
    if tags:
        answer["ReplicaTags"] = shapes.shown_tags(tags)
    return answer


@operation("UpdatePrimaryRegion", on=permissions.on_key())
async def update_primary_region(ctx: Context, request: UpdatePrimaryRegionRequestTypeDef) -> None:
    """Make a replica the primary, and the primary a replica. Raises UnsupportedOperationException."""
    key = await _primary(ctx)
    region = request["PrimaryRegion"]
    if region not in key.regions or region == key.region:
        raise UnsupportedOperationException(f"{region} has no replica of {key.arn}.")
    (await keys.in_region(ctx, key.id, region)).require_enabled()
    await queries.set_primary(ctx.db, key.id, region)
    if key.rotation_days is not None:
        await queries.set_rotation(ctx.db, key.id, key.region, None, None)
        await queries.set_rotation(ctx.db, key.id, region, key.rotation_days, key.rotates_at)
        await ctx.wake("kms.rotation", f"{region}/{key.id}")

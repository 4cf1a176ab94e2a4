"""Rotation, automatic and on demand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controlplane.core.context import Context
from controlplane.core.operation import operation
from controlplane.services.kms import creating, keys, permissions, rotating, shapes, specs
from controlplane.services.kms.errors import (
    KMSInvalidStateException,
    LimitExceededException,
    UnsupportedOperationException,
)
from controlplane.services.kms.keys import Key
from controlplane.services.kms.queries import keys as queries

if TYPE_CHECKING:
    from types_boto3_kms.type_defs import (
        DisableKeyRotationRequestTypeDef,
        EnableKeyRotationRequestTypeDef,
        GetKeyRotationStatusRequestTypeDef,
        ListKeyRotationsRequestTypeDef,
        RotateKeyOnDemandRequestTypeDef,
    )

_YEAR = 365
_MOST_ON_DEMAND = 25


async def _rotatable(ctx: Context, *, imported: bool = False) -> Key:
    """The key, if it is one that can be rotated; imported material only on demand."""
    key = (await keys.fresh(ctx, permissions.key_of(ctx))).require_enabled()
    if key.spec.name != specs.SYMMETRIC:
        raise UnsupportedOperationException
    if key.origin == keys.EXTERNAL and not imported:
        raise UnsupportedOperationException(f"{key.arn} origin is EXTERNAL which is not valid for this operation.")
    if key.is_replica:
        raise UnsupportedOperationException(f"{key.arn} is not a multi-region primary key.")
    return key


@operation("EnableKeyRotation", on=permissions.on_key())
async def enable_key_rotation(ctx: Context, request: EnableKeyRotationRequestTypeDef) -> None:
    """Rotate every so many days, counted from now. Raises UnsupportedOperationException, DisabledException."""
    key = await _rotatable(ctx)
    days = request.get("RotationPeriodInDays") or _YEAR
    if key.rotation_days != days:
        await creating.rotate_every(ctx, key.id, days, creating.now())


@operation("DisableKeyRotation", on=permissions.on_key())
async def disable_key_rotation(ctx: Context, request: DisableKeyRotationRequestTypeDef) -> None:
    """Rotate no more. Raises UnsupportedOperationException, DisabledException."""
    key = await _rotatable(ctx)
    await queries.set_rotation(ctx.db, key.id, key.region, None, None)


@operation("GetKeyRotationStatus", on=permissions.on_key(elsewhere=True))
async def get_key_rotation_status(ctx: Context, request: GetKeyRotationStatusRequestTypeDef) -> dict[str, Any]:
    """Whether and when a key is rotated; one that never is, or is to be deleted, is not."""
    key = permissions.key_of(ctx)
    rotated = key.rotation_days is not None and key.state not in ("PendingDeletion", "PendingReplicaDeletion")
    answer: dict[str, Any] = {"KeyId": key.arn, "KeyRotationEnabled": rotated}
    if rotated:
        answer |= {"RotationPeriodInDays": key.rotation_days, "NextRotationDate": key.rotates_at}
    return answer


@operation("RotateKeyOnDemand", on=permissions.on_key())
async def rotate_key_on_demand(ctx: Context, request: RotateKeyOnDemandRequestTypeDef) -> dict[str, Any]:
    """Rotate now: to new material, or to imported material that waits for it.

    Raises KMSInvalidStateException, LimitExceededException, UnsupportedOperationException.
    """
    key = await _rotatable(ctx, imported=True)
    if await queries.on_demand_rotations(ctx.db, key.id, key.region) >= _MOST_ON_DEMAND:
        raise LimitExceededException(
            "The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can be "
            f"performed for this key: {key.arn}"
        )
    if key.origin == keys.EXTERNAL:
        waiting = next((m for m in key.materials.values() if m.state == "PENDING_ROTATION"), None)
        if waiting is None:
            raise KMSInvalidStateException(f"No available key material pending rotation for the key: {key.arn}.")
        await rotating.use(ctx.db, key, waiting.id, "ON_DEMAND")
    else:
        await rotating.rotate(ctx.db, ctx.engine("sealing"), key, "ON_DEMAND")
    return {"KeyId": key.arn}


@operation("ListKeyRotations", on=permissions.on_key())
async def list_key_rotations(ctx: Context, request: ListKeyRotationsRequestTypeDef) -> dict[str, Any]:
    """The rotations so far, or all material with its states. Raises UnsupportedOperationException."""
    key = permissions.key_of(ctx)
    if key.spec.name != specs.SYMMETRIC:
        raise UnsupportedOperationException
    after, limit = shapes.asked(request, 100)
    everything = request.get("IncludeKeyMaterial") == "ALL_KEY_MATERIAL"
    rows = await queries.materials(ctx.db, key.id, key.region)
    if not everything:
        rows = [row for row in rows if row["rotated_at"] is not None]
    start = next((n for n, row in enumerate(rows, start=1) if row["id"] == after), 0)
    return shapes.page("Rotations", rows[start:], limit, lambda row: _shown(key, row), lambda row: str(row["id"]))


def _shown(key: Key, row: Any) -> dict[str, Any]:
    found = {"KeyId": key.arn, "KeyMaterialId": row["id"], "KeyMaterialState": row["state"]}
    if row["rotated_at"] is not None:
        found |= {"RotationDate": row["rotated_at"], "RotationType": row["rotation_type"]}
    if key.origin == keys.EXTERNAL:
        found["ImportState"] = "IMPORTED" if row["present"] else "PENDING_IMPORT"
        found["ExpirationModel"] = "KEY_MATERIAL_EXPIRES" if row["expires"] else "KEY_MATERIAL_DOES_NOT_EXPIRE"
        if row["expires"]:
            found["ValidTo"] = row["valid_to"]
        if row["description"]:
            found["KeyMaterialDescription"] = row["description"]
    return found

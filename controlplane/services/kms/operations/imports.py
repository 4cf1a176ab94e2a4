"""Importing key material."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from controlplane.core.context import Context
from controlplane.core.operation import operation
from controlplane.services.kms import importing, keys, material, permissions, specs
from controlplane.services.kms.errors import (
    IncorrectKeyMaterialException,
    KMSInvalidStateException,
    UnsupportedOperationException,
    ValidationException,
)
from controlplane.services.kms.keys import Key
from controlplane.services.kms.queries import keys as queries

if TYPE_CHECKING:
    from types_boto3_kms.type_defs import (
        DeleteImportedKeyMaterialRequestTypeDef,
        GetParametersForImportRequestTypeDef,
        ImportKeyMaterialRequestTypeDef,
    )

EXPIRY = "kms.expiry"
"""The kind of work that forgets imported material when its time is over."""

_RSA = ("RSA_2048", "RSA_3072", "RSA_4096")
_SMALL_ONLY = ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256")
_WITH_AES = ("RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256")


def _external(key: Key) -> Key:
    if key.origin != keys.EXTERNAL:
        raise UnsupportedOperationException(f"{key.arn} origin is {key.origin} which is not valid for this operation.")
    return key.require_not("PendingDeletion", "PendingReplicaDeletion")


@operation("GetParametersForImport", on=permissions.on_key())
async def get_parameters_for_import(ctx: Context, request: GetParametersForImportRequestTypeDef) -> dict[str, Any]:
    """A public key to wrap material with, and the token that must come back with it.

    Raises UnsupportedOperationException, KMSInvalidStateException.
    """
    key = _external(permissions.key_of(ctx))
    algorithm, spec = request["WrappingAlgorithm"], request["WrappingKeySpec"]
    allowed = _WITH_AES if key.spec.family == "rsa" else _SMALL_ONLY + _WITH_AES
    if spec not in _RSA or algorithm not in allowed:
        raise UnsupportedOperationException(
            f"Wrapping algorithm {algorithm} and wrapping key spec {spec} are not supported for {key.spec.name}."
        )
    made = await importing.parameters(ctx.engine("sealing"), key, algorithm, int(spec.removeprefix("RSA_")))
    return {
        "KeyId": key.arn,
        "ImportToken": made.token,
        "PublicKey": made.public_key,
        "ParametersValidTo": made.valid_to,
    }


@operation("ImportKeyMaterial", on=permissions.on_key())
async def import_key_material(ctx: Context, request: ImportKeyMaterialRequestTypeDef) -> dict[str, Any]:
    """Import material: a key's first, the same again, or (symmetric keys) further material to rotate to.

    Raises InvalidImportTokenException, InvalidCiphertextException, IncorrectKeyMaterialException.
    """
    key = _external(await keys.fresh(ctx, permissions.key_of(ctx)))
    valid_to = _valid_to(request)
    sealer = ctx.engine("sealing")
    made = await importing.unwrap(sealer, key, request["ImportToken"], request["EncryptedKeyMaterial"])
    id = material.id_of(sealer, key.id, made.secret)
    known = {row["id"]: row for row in await queries.materials(ctx.db, key.id, key.region)}
    first = not known
    if request.get("KeyMaterialId", id) != id:
        raise IncorrectKeyMaterialException("The key material does not match the key material id.")
    kind = request.get("ImportType") or ("NEW_KEY_MATERIAL" if first else "EXISTING_KEY_MATERIAL")
    if kind == "EXISTING_KEY_MATERIAL" and id not in known:
        raise IncorrectKeyMaterialException("The key material is not that which was imported before.")
    if kind == "NEW_KEY_MATERIAL" and not first:
        _check_further(key, id, known)
    sealed = material.seal(sealer, key.id, id, made.secret)
    state = "CURRENT" if first else known[id]["state"] if id in known else "PENDING_ROTATION"
    await queries.add_material(
        ctx.db, key.id, key.region, id, sealed, state, made.public, valid_to, request.get("KeyMaterialDescription")
    )
    if first:
        await queries.use_material(ctx.db, key.id, key.region, id)
    if key.state == "PendingImport" or key.shown_state == "PendingImport":
        await _enable_if_whole(ctx, key)
    if valid_to is not None:
        delay = (valid_to - datetime.now(UTC)).total_seconds()
        await ctx.wake(EXPIRY, f"{key.region}/{key.id}", max(0.0, delay))
    return {"KeyId": key.arn, **({"KeyMaterialId": id} if key.spec.name == specs.SYMMETRIC else {})}


def _check_further(key: Key, id: str, known: dict[str, Any]) -> None:
    if key.spec.name != specs.SYMMETRIC:
        raise IncorrectKeyMaterialException("The key material is not that which was imported before.")
    waiting = next((row["id"] for row in known.values() if row["state"] == "PENDING_ROTATION"), None)
    if waiting is not None and waiting != id:
        raise KMSInvalidStateException(
            f"New key material (id: {id}) cannot be imported into KMS key {key.arn}, because another key material "
            f"(id: {waiting}) is pending rotation."
        )


async def _enable_if_whole(ctx: Context, key: Key) -> None:
    """A key is usable when all that it ever encrypted with is there."""
    rows = await queries.materials(ctx.db, key.id, key.region)
    if all(row["present"] for row in rows if row["state"] != "PENDING_ROTATION"):
        await queries.set_state(ctx.db, key.id, key.region, "Enabled")


def _valid_to(request: ImportKeyMaterialRequestTypeDef) -> datetime | None:
    """When the material expires. Raises ValidationException."""
    given: Any = request.get("ValidTo")
    if (request.get("ExpirationModel") or "KEY_MATERIAL_EXPIRES") != "KEY_MATERIAL_EXPIRES":
        if given is not None:
            raise ValidationException(
                "A validTo date must not be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE"
            )
        return None
    if given is None:
        raise ValidationException("A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES")
    now = datetime.now(UTC)
    if not now < given <= now + timedelta(days=366):
        raise ValidationException("A validTo date must be in the future and within 365 days.")
    return given  # type: ignore[no-any-return]


@operation("DeleteImportedKeyMaterial", on=permissions.on_key())
async def delete_imported_key_material(
    ctx: Context, request: DeleteImportedKeyMaterialRequestTypeDef
) -> dict[str, Any]:
    """Forget imported material; the key waits for it to be imported again. Raises UnsupportedOperationException."""
    key = _external(await keys.fresh(ctx, permissions.key_of(ctx)))
    id = request.get("KeyMaterialId") or key.material_id
    if id is not None:
        await queries.drop_material(ctx.db, key.id, key.region, id)
        waiting = next((m for m in key.materials.values() if m.id == id and m.state == "PENDING_ROTATION"), None)
        if waiting is None:
            await queries.set_state(ctx.db, key.id, key.region, "PendingImport")
    answer: dict[str, Any] = {"KeyId": key.arn}
    if id is not None and key.spec.name == specs.SYMMETRIC:
        answer["KeyMaterialId"] = id
    return answer

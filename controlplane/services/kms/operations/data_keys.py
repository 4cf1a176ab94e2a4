"""Data keys, pairs of them, and random bytes."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from controlplane.core.context import Context
from controlplane.core.operation import ANY, operation
from controlplane.services.kms import material, permissions, using
from controlplane.services.kms.errors import (
    CustomKeyStoreNotFoundException,
    UnsupportedOperationException,
    ValidationException,
)
from controlplane.services.kms.specs import SPECS

if TYPE_CHECKING:
    from types_boto3_kms.type_defs import (
        GenerateDataKeyPairRequestTypeDef,
        GenerateDataKeyPairWithoutPlaintextRequestTypeDef,
        GenerateDataKeyRequestTypeDef,
        GenerateDataKeyWithoutPlaintextRequestTypeDef,
        GenerateRandomRequestTypeDef,
    )

_SIZES = {"AES_128": 16, "AES_256": 32}
_ON_KEY = permissions.on_key(elsewhere=True)


@operation("GenerateDataKey", on=_ON_KEY, own_dry_run=True)
async def generate_data_key(ctx: Context, request: GenerateDataKeyRequestTypeDef) -> dict[str, Any]:
    """A new symmetric key, plain and encrypted. Raises ValidationException, InvalidKeyUsageException."""
    using.refuse_recipient(request)
    plaintext, answer = _data_key(ctx, request)
    return {**answer, "Plaintext": plaintext}


@operation("GenerateDataKeyWithoutPlaintext", on=_ON_KEY, own_dry_run=True)
async def generate_data_key_without_plaintext(
    ctx: Context, request: GenerateDataKeyWithoutPlaintextRequestTypeDef
) -> dict[str, Any]:
    """A new symmetric key, encrypted only. Raises ValidationException, InvalidKeyUsageException."""
    return _data_key(ctx, request)[1]


def _data_key(ctx: Context, request: Mapping[str, Any]) -> tuple[bytes, dict[str, Any]]:
    key = permissions.key_of(ctx)
    spec, number = request.get("KeySpec"), request.get("NumberOfBytes")
    if (spec is None) == (number is None):
        raise ValidationException("Please specify either number of bytes or key spec.")
    using.check_symmetric(ctx, request, key)
    plaintext = secrets.token_bytes(_SIZES[spec] if spec else int(number or 0))
    blob = using.seal(key, plaintext, using.context_of(request))
    return plaintext, {"CiphertextBlob": blob, "KeyId": key.arn, "KeyMaterialId": key.in_use.id}


@operation("GenerateDataKeyPair", on=_ON_KEY, own_dry_run=True)
async def generate_data_key_pair(ctx: Context, request: GenerateDataKeyPairRequestTypeDef) -> dict[str, Any]:
    """A new key pair; the private half plain and encrypted. Raises UnsupportedOperationException."""
    using.refuse_recipient(request)
    private, answer = await _pair(ctx, request)
    return {**answer, "PrivateKeyPlaintext": private}


@operation("GenerateDataKeyPairWithoutPlaintext", on=_ON_KEY, own_dry_run=True)
async def generate_data_key_pair_without_plaintext(
    ctx: Context, request: GenerateDataKeyPairWithoutPlaintextRequestTypeDef
) -> dict[str, Any]:
    """A new key pair; the private half encrypted only. Raises UnsupportedOperationException."""
    return (await _pair(ctx, request))[1]


async def _pair(ctx: Context, request: Mapping[str, Any]) -> tuple[bytes, dict[str, Any]]:
    key = permissions.key_of(ctx)
    using.check_symmetric(ctx, request, key)
    context = using.context_of(request)
    spec = SPECS.get(request["KeyPairSpec"])
    if spec is None:
        raise UnsupportedOperationException(f"KeyPairSpec {request['KeyPairSpec']} is not supported in this region.")
    made = await material.make(spec)
    answer = {
        "PrivateKeyCiphertextBlob": using.seal(key, made.secret, context),
        "PublicKey": made.public,
        "KeyId": key.arn,
        "KeyPairSpec": spec.name,
        "KeyMaterialId": key.in_use.id,
    }
    return made.secret, answer


@operation("GenerateRandom", on=ANY)
async def generate_random(ctx: Context, request: GenerateRandomRequestTypeDef) -> dict[str, Any]:
    """Random bytes. Raises ValidationException."""
    using.refuse_recipient(request)
    if store := request.get("CustomKeyStoreId"):
        raise CustomKeyStoreNotFoundException(f"Custom key store {store} does not exist.")
    number = request.get("NumberOfBytes")
    if number is None:
        raise ValidationException("NumberOfBytes is required.")
    return {"Plaintext": secrets.token_bytes(number)}

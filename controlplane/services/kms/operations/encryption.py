"""Encrypt, Decrypt and ReEncrypt."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from controlplane.core.context import Context
from controlplane.core.operation import Resource, operation
from controlplane.services.kms import asymmetric, grants, permissions, shapes, specs, symmetric, using
from controlplane.services.kms.errors import (
    IncorrectKeyException,
    InvalidCiphertextException,
    InvalidKeyUsageException,
    ValidationException,
)
from controlplane.services.kms.keys import Key

if TYPE_CHECKING:
    from types_boto3_kms.type_defs import DecryptRequestTypeDef, EncryptRequestTypeDef, ReEncryptRequestTypeDef

_WRONG_KEY = "The key ID in the request does not identify a CMK that can perform this operation."
_TO = "ReEncryptTo"


@operation("Encrypt", on=permissions.on_key(elsewhere=True), own_dry_run=True)
async def encrypt(ctx: Context, request: EncryptRequestTypeDef) -> dict[str, Any]:
    """Encrypt at most 4 KB. Raises InvalidKeyUsageException, DisabledException, ValidationException."""
    key = permissions.key_of(ctx)
    algorithm = request.get("EncryptionAlgorithm") or specs.SYMMETRIC
    using.check(ctx, request, key, specs.ENCRYPT, algorithm)
    blob = await _sealed(key, algorithm, request["Plaintext"], using.context_of(request))
    return {"CiphertextBlob": blob, "KeyId": key.arn, "EncryptionAlgorithm": algorithm}


@operation("Decrypt", on=permissions.on_ciphertext, own_dry_run=True)
async def decrypt(ctx: Context, request: DecryptRequestTypeDef) -> dict[str, Any]:
    """Decrypt what Encrypt or GenerateDataKey gave. Raises InvalidCiphertextException, IncorrectKeyException."""
    using.refuse_recipient(request)
    algorithm = request.get("EncryptionAlgorithm") or specs.SYMMETRIC
    if algorithm != specs.SYMMETRIC and not request.get("KeyId"):
        raise ValidationException("The KeyId parameter is required for asymmetric encryption algorithms.")
    key = permissions.key_of(ctx)
    context = using.context_of(request)
    opened, material = await _opened(ctx, request, key, algorithm, context, bool(request.get("KeyId")))
    answer: dict[str, Any] = {"KeyId": key.arn, "Plaintext": opened, "EncryptionAlgorithm": algorithm}
    if material:
        answer["KeyMaterialId"] = material
    return answer


async def _to_be_reencrypted(ctx: Context, request: Any) -> list[Resource]:
    """The source; the destination is asked about by another action, so it waits among the facts."""
    name, source = await permissions.source(ctx, request, "SourceKeyId")
    to = request.get("DestinationKeyId") or ""
    target = await permissions.lookup(ctx, to)
    same = isinstance(source, Key) and isinstance(target, Key) and source.arn == target.arn
    facts = {"kms:ReEncryptOnSameKey": "true" if same else "false"}
    given = {**request, "EncryptionContext": request.get("DestinationEncryptionContext")}
    ctx.facts["destination"] = permissions.of(ctx, target, given, to, _TO, elsewhere=True, facts=facts)
    given = {**request, "EncryptionContext": request.get("SourceEncryptionContext")}
    return [permissions.of(ctx, source, given, name, "ReEncryptFrom", elsewhere=True, facts=facts)]


@operation("ReEncrypt", on=_to_be_reencrypted, action="kms:ReEncryptFrom", own_dry_run=True)
async def re_encrypt(ctx: Context, request: ReEncryptRequestTypeDef) -> dict[str, Any]:
    """Encrypt anew under another key; the plaintext does not leave. Raises what Decrypt and Encrypt raise."""
    target = ctx.facts["destination"]
    await ctx.authorize(f"kms:{_TO}", target)
    grants.check_tokens(ctx.engine("sealing"), request.get("GrantTokens"))
    source_algorithm = request.get("SourceEncryptionAlgorithm") or specs.SYMMETRIC
    algorithm = request.get("DestinationEncryptionAlgorithm") or specs.SYMMETRIC
    source = permissions.key_of(ctx)
    given = {**request, "DryRun": False}
    context = using.context_of(request, "SourceEncryptionContext")
    plaintext, _ = await _opened(ctx, given, source, source_algorithm, context, bool(request.get("SourceKeyId")))
    if not isinstance(target.row, Key):
        raise target.row
    destination: Key = target.row
    destination.require_enabled()
    if destination.usage != specs.ENCRYPT:
        raise InvalidKeyUsageException(
            f"{destination.arn} key usage is {destination.usage} which is not valid for {_TO}."
        )
    if algorithm not in destination.algorithms:
        raise InvalidKeyUsageException(f"Algorithm {algorithm} is incompatible with key spec {destination.spec.name}.")
    shapes.stop_dry_run(request)
    blob = await _sealed(destination, algorithm, plaintext, using.context_of(request, "DestinationEncryptionContext"))
    return {
        "CiphertextBlob": blob,
        "SourceKeyId": source.arn,
        "KeyId": destination.arn,
        "SourceEncryptionAlgorithm": source_algorithm,
        "DestinationEncryptionAlgorithm": algorithm,
    }


async def _sealed(key: Key, algorithm: str, plaintext: Any, context: Mapping[str, str]) -> bytes:
    if algorithm == specs.SYMMETRIC:
        return using.seal(key, plaintext, context)
    _refuse_context(context)
    longest = asymmetric.longest_plaintext(key.spec.size, algorithm)
    if len(plaintext) > longest:
        raise ValidationException(
            f"Algorithm {algorithm} and key spec {key.spec.name} cannot encrypt data larger than {longest} bytes."
        )
    return bytes(key.in_use.public_key.encrypt(plaintext, asymmetric.oaep(algorithm)))


async def _opened(
    ctx: Context, request: Mapping[str, Any], key: Key, algorithm: str, context: Mapping[str, str], named: bool
) -> tuple[bytes, str]:
    """Plaintext and, of symmetric keys, the id of the material."""
    blob = request.get("CiphertextBlob")
    if blob is None and not (request.get("DryRun") and request.get("DryRunModifiers")):
        raise ValidationException("CiphertextBlob is required.")
    if blob is not None and algorithm == specs.SYMMETRIC and named:
        try:
            own = symmetric.address(blob).key_id == key.id
        except symmetric.NotACiphertext as error:
            key.require_enabled()
            raise InvalidCiphertextException from error
        if not own:
            raise IncorrectKeyException(_WRONG_KEY)
    using.check(ctx, request, key, specs.ENCRYPT, algorithm)
    assert blob is not None
    if algorithm == specs.SYMMETRIC:
        return using.unseal(key, blob, context)
    _refuse_context(context)
    try:
        return await asyncio.to_thread(key.in_use.private_key.decrypt, blob, asymmetric.oaep(algorithm)), ""
    except ValueError as error:
        raise InvalidCiphertextException from error


def _refuse_context(context: Mapping[str, str]) -> None:
    if context:
        raise ValidationException("EncryptionContext is not supported for asymmetric encryption algorithms.")

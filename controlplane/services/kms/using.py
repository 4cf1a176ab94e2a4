"""The checks that come before a key computes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controlplane.core.context import Context
from controlplane.services.kms import grants, shapes, specs, symmetric
from controlplane.services.kms.errors import (
    InvalidCiphertextException,
    InvalidKeyUsageException,
    UnsupportedOperationException,
    ValidationException,
)
from controlplane.services.kms.keys import Key

_LONGEST_CONTEXT = 8192


def check(ctx: Context, request: Mapping[str, Any], key: Key, usage: str, algorithm: str | None = None) -> None:
    """Refuse a key that is disabled, is for something else, or lacks the algorithm; and end dry runs.

    Raises DisabledException, KMSInvalidStateException, InvalidKeyUsageException, InvalidGrantTokenException,
    DryRunOperationException.
    """
    if tokens := request.get("GrantTokens"):
        grants.check_tokens(ctx.engine("sealing"), tokens)
    key.require_enabled()
    if key.usage != usage:
        raise InvalidKeyUsageException(f"{key.arn} key usage is {key.usage} which is not valid for {ctx.operation}.")
    if algorithm is not None and algorithm not in key.algorithms:
        raise InvalidKeyUsageException(f"Algorithm {algorithm} is incompatible with key spec {key.spec.name}.")
    if request.get("DryRun"):
        shapes.stop_dry_run(request)


def check_symmetric(ctx: Context, request: Mapping[str, Any], key: Key) -> None:
    """The same for operations that need a symmetric key."""
    if key.usage == specs.ENCRYPT and key.spec.name != specs.SYMMETRIC:
        key.require_enabled()
        raise InvalidKeyUsageException(f"{key.arn} key spec is {key.spec.name} which is not valid for {ctx.operation}.")
    check(ctx, request, key, specs.ENCRYPT)


def context_of(request: Mapping[str, Any], member: str = "EncryptionContext") -> Mapping[str, str]:
    """The encryption context. Raises ValidationException when it is too long."""
    context: Mapping[str, str] = request.get(member) or {}
    if context and sum(len(key) + len(value) for key, value in context.items()) > _LONGEST_CONTEXT:
        raise ValidationException(f"Encryption context may not exceed {_LONGEST_CONTEXT} characters.")
    return context


def refuse_recipient(request: Mapping[str, Any]) -> None:
    """There are no Nitro enclaves here whose attestation could be checked. Raises UnsupportedOperationException."""
    if request.get("Recipient"):
        raise UnsupportedOperationException("Recipients with attestation documents are not supported.")


def seal(key: Key, plaintext: bytes, context: Mapping[str, str]) -> bytes:
    """Encrypt under a symmetric key."""
    material = key.in_use
    return symmetric.encrypt(key.id, material.id, material.secret, plaintext, context)


def unseal(key: Key, blob: bytes, context: Mapping[str, str]) -> tuple[bytes, str]:
    """Plaintext and id of the material. Raises InvalidCiphertextException, KMSInvalidStateException."""
    try:
        material = key.materials.get(symmetric.address(blob).material_id)
        if material is None:
            key.require_not("PendingImport")
            raise InvalidCiphertextException
        if material.expired:
            key.require_not("PendingImport")
            raise InvalidCiphertextException
        return symmetric.decrypt(material.secret, blob, context), material.id
    except symmetric.NotACiphertext as error:
        raise InvalidCiphertextException from error

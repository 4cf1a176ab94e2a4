"""Signatures, message authentication codes and what two keys agree on."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from controlplane.core.context import Context
from controlplane.core.operation import operation
from controlplane.services.kms import asymmetric, permissions, specs, using
from controlplane.services.kms.errors import (
    InvalidCiphertextException,
    KMSInvalidMacException,
    KMSInvalidSignatureException,
)
from controlplane.services.kms.keys import Key

if TYPE_CHECKING:
    from types_boto3_kms.type_defs import (
        DecapsulateRequestTypeDef,
        DeriveSharedSecretRequestTypeDef,
        EncapsulateRequestTypeDef,
        GenerateMacRequestTypeDef,
        SignRequestTypeDef,
        VerifyMacRequestTypeDef,
        VerifyRequestTypeDef,
    )

_ON_KEY = permissions.on_key(elsewhere=True)


async def _computed(key: Key, function: Callable[..., Any], *arguments: Any) -> Any:
    """Private RSA operations take milliseconds, outside the interpreter's lock: others are served meanwhile."""
    if key.spec.family == "rsa":
        return await asyncio.to_thread(function, *arguments)
    return function(*arguments)


@operation("Sign", on=_ON_KEY, own_dry_run=True)
async def sign(ctx: Context, request: SignRequestTypeDef) -> dict[str, Any]:
    """Sign a message or its digest. Raises InvalidKeyUsageException, ValidationException."""
    key, algorithm = permissions.key_of(ctx), request["SigningAlgorithm"]
    using.check(ctx, request, key, specs.SIGN, algorithm)
    kind = request.get("MessageType") or "RAW"
    private = key.in_use.private_key
    signature = await _computed(key, asymmetric.sign, private, algorithm, request["Message"], kind)
    return {"KeyId": key.arn, "Signature": signature, "SigningAlgorithm": algorithm}


@operation("Verify", on=_ON_KEY, own_dry_run=True)
async def verify(ctx: Context, request: VerifyRequestTypeDef) -> dict[str, Any]:
    """Check a signature. Raises KMSInvalidSignatureException when it is not the key's."""
    key, algorithm = permissions.key_of(ctx), request["SigningAlgorithm"]
    using.check(ctx, request, key, specs.SIGN, algorithm)
    kind = request.get("MessageType") or "RAW"
    public = key.in_use.public_key
    if not asymmetric.verify(public, algorithm, request["Message"], kind, request["Signature"]):
        raise KMSInvalidSignatureException
    return {"KeyId": key.arn, "SignatureValid": True, "SigningAlgorithm": algorithm}


@operation("GenerateMac", on=_ON_KEY, own_dry_run=True)
async def generate_mac(ctx: Context, request: GenerateMacRequestTypeDef) -> dict[str, Any]:
    """An HMAC. Raises InvalidKeyUsageException."""
    key, algorithm = permissions.key_of(ctx), request["MacAlgorithm"]
    using.check(ctx, request, key, specs.MAC, algorithm)
    return {"KeyId": key.arn, "Mac": _mac(key, algorithm, request["Message"]), "MacAlgorithm": algorithm}


@operation("VerifyMac", on=_ON_KEY, own_dry_run=True)
async def verify_mac(ctx: Context, request: VerifyMacRequestTypeDef) -> dict[str, Any]:
    """Check an HMAC, in constant time. Raises KMSInvalidMacException."""
    key, algorithm = permissions.key_of(ctx), request["MacAlgorithm"]
    using.check(ctx, request, key, specs.MAC, algorithm)
    given: Any = request["Mac"]
    if not hmac.compare_digest(_mac(key, algorithm, request["Message"]), given):
        raise KMSInvalidMacException
    return {"KeyId": key.arn, "MacValid": True, "MacAlgorithm": algorithm}


def _mac(key: Key, algorithm: str, message: Any) -> bytes:
    return hmac.digest(key.in_use.secret, message, getattr(hashlib, f"sha{algorithm.rpartition('_')[2]}"))


@operation("DeriveSharedSecret", on=_ON_KEY, own_dry_run=True)
async def derive_shared_secret(ctx: Context, request: DeriveSharedSecretRequestTypeDef) -> dict[str, Any]:
    """ECDH with somebody's public key. Raises ValidationException for a key of another curve."""
    using.refuse_recipient(request)
    key, algorithm = permissions.key_of(ctx), request["KeyAgreementAlgorithm"]
    using.check(ctx, request, key, specs.AGREE, algorithm)
    secret = asymmetric.shared_secret(key.in_use.private_key, request["PublicKey"])
    return {"KeyId": key.arn, "SharedSecret": secret, "KeyAgreementAlgorithm": algorithm, "KeyOrigin": key.origin}


@operation("Encapsulate", on=_ON_KEY, own_dry_run=True)
async def encapsulate(ctx: Context, request: EncapsulateRequestTypeDef) -> dict[str, Any]:
    """A new shared secret, plain and for the key alone. Raises InvalidKeyUsageException."""
    key, algorithm = permissions.key_of(ctx), request["EncapsulationAlgorithm"]
    using.check(ctx, request, key, specs.ENCAPSULATE, algorithm)
    secret, blob = key.in_use.public_key.encapsulate()
    return {
        "KeyId": key.arn,
        "SharedSecret": secret,
        "SharedSecretCiphertextBlob": blob,
        "EncapsulationAlgorithm": algorithm,
    }


@operation("Decapsulate", on=_ON_KEY, own_dry_run=True)
async def decapsulate(ctx: Context, request: DecapsulateRequestTypeDef) -> dict[str, Any]:
    """The shared secret that Encapsulate gave. Raises InvalidCiphertextException."""
    key, algorithm = permissions.key_of(ctx), request["EncapsulationAlgorithm"]
    using.check(ctx, request, key, specs.ENCAPSULATE, algorithm)
    try:
        secret = key.in_use.private_key.decapsulate(request["SharedSecretCiphertextBlob"])
    except ValueError as error:
        raise InvalidCiphertextException from error
    return {"KeyId": key.arn, "SharedSecret": secret, "EncapsulationAlgorithm": algorithm}

"""Bringing one's own material: the wrapping key that is given out, its token, and unwrapping.

Nothing is stored between GetParametersForImport and ImportKeyMaterial: the token holds the wrapping key, sealed.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap_with_padding

from controlplane.services.kms import asymmetric, material
from controlplane.services.kms.errors import (
    ExpiredImportTokenException,
    IncorrectKeyMaterialException,
    InvalidCiphertextException,
    InvalidImportTokenException,
)
from controlplane.services.kms.keys import Key
from controlplane.services.kms.material import CURVES, Made
from controlplane.state.sealing import Sealer, SealError

PURPOSE = "kms-import-token"
VALID = timedelta(hours=24)
_SEPARATOR = b"\n"


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a client wraps its material with."""

    public_key: bytes
    token: bytes
    valid_to: datetime


async def parameters(sealer: Sealer, key: Key, algorithm: str, bits: int) -> Parameters:
    """A new wrapping key, good for a day."""
    wrapping = await asyncio.to_thread(rsa.generate_private_key, 65537, bits)
    valid_to = datetime.now(UTC) + VALID
    facts = orjson.dumps({"algorithm": algorithm, "valid_to": valid_to.timestamp()})
    sealed = sealer.seal(PURPOSE, facts + _SEPARATOR + material.private_bytes(wrapping), key.arn)
    return Parameters(material.public_bytes(wrapping.public_key()), sealed, valid_to)


async def unwrap(sealer: Sealer, key: Key, token: Any, wrapped: Any) -> Made:
    """The material that was sent. Raises InvalidImportTokenException, ExpiredImportTokenException,
    InvalidCiphertextException, IncorrectKeyMaterialException."""
    try:
        facts, _, private = sealer.open(PURPOSE, token, key.arn).partition(_SEPARATOR)
    except SealError as error:
        raise InvalidImportTokenException from error
    said = orjson.loads(facts)
    if said["valid_to"] < datetime.now(UTC).timestamp():
        raise ExpiredImportTokenException
    wrapping = serialization.load_der_private_key(private, None, unsafe_skip_rsa_key_validation=True)
    try:
        secret = await asyncio.to_thread(_unwrapped, wrapping, said["algorithm"], wrapped)
    except (ValueError, InvalidUnwrap) as error:
        raise InvalidCiphertextException from error
    return await asyncio.to_thread(_made, key, secret)


def _unwrapped(wrapping: Any, algorithm: str, wrapped: bytes) -> bytes:
    padding = asymmetric.oaep(algorithm)
    if not algorithm.startswith("RSA_AES_KEY_WRAP"):
        return bytes(wrapping.decrypt(wrapped, padding))
    size = wrapping.key_size // 8
    return aes_key_unwrap_with_padding(wrapping.decrypt(wrapped[:size], padding), wrapped[size:])


def _made(key: Key, secret: bytes) -> Made:
    """The material, if it is of the key's spec. Raises IncorrectKeyMaterialException."""
    if key.spec.family in ("symmetric", "hmac"):
        if len(secret) != key.spec.size // 8:
            raise IncorrectKeyMaterialException("Key material is of the wrong length.")
        return Made(secret)
    try:
        private: Any = serialization.load_der_private_key(secret, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise IncorrectKeyMaterialException("Key material is not a PKCS #8 private key.") from error
    if not _fits(key, private):
        raise IncorrectKeyMaterialException(f"Key material is not of spec {key.spec.name}.")
    return material.of_private_key(private)


def _fits(key: Key, private: Any) -> bool:
    if key.spec.family == "rsa":
        return (
            isinstance(private, rsa.RSAPrivateKey)
            and private.key_size == key.spec.size
            and private.public_key().public_numbers().e == 65537
        )
    if key.spec.family == "edwards":
        return isinstance(private, ed25519.Ed25519PrivateKey)
    return isinstance(private, ec.EllipticCurvePrivateKey) and private.curve.name == CURVES[key.spec.name].name

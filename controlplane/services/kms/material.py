"""Key material: making it, sealing it under the root key, and the objects that compute with it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, mlkem, rsa

from controlplane.services.kms.specs import Spec
from controlplane.state.sealing import Sealer

PURPOSE = "kms-material"
_ID_PURPOSE = "kms-material-id"

CURVES: dict[str, ec.EllipticCurve] = {
    "ECC_NIST_P256": ec.SECP256R1(),
    "ECC_NIST_P384": ec.SECP384R1(),
    "ECC_NIST_P521": ec.SECP521R1(),
    "ECC_SECG_P256K1": ec.SECP256K1(),
}
_ML_DSA: dict[int, Any] = {44: mldsa.MLDSA44PrivateKey, 65: mldsa.MLDSA65PrivateKey, 87: mldsa.MLDSA87PrivateKey}
_ML_KEM: dict[int, Any] = {768: mlkem.MLKEM768PrivateKey, 1024: mlkem.MLKEM1024PrivateKey}


@dataclass(slots=True)
class Made:
    """New material: the secret bytes (PKCS #8 for key pairs) and the public half, if any."""

    secret: bytes
    public: bytes | None = None


@dataclass
class Material:
    """One opened version of a key's material."""

    id: str
    secret: bytes
    state: str
    valid_to: datetime | None = None

    @cached_property
    def private_key(self) -> Any:
        """The private key of a pair."""
        # It was checked when it was made or imported; to check an RSA key again costs tens of milliseconds.
        return serialization.load_der_private_key(self.secret, None, unsafe_skip_rsa_key_validation=True)

    @cached_property
    def public_key(self) -> Any:
        return self.private_key.public_key()

    @cached_property
    def public_bytes(self) -> bytes:
        """The public key as SubjectPublicKeyInfo."""
        return public_bytes(self.public_key)

    @property
    def expired(self) -> bool:
        """Whether imported material is past its time."""
        return self.valid_to is not None and self.valid_to <= datetime.now(UTC)


async def make(spec: Spec) -> Made:
    """New random material. RSA keys take up to a second: they are made in a thread."""
    if spec.family in ("symmetric", "hmac"):
        return Made(secrets.token_bytes(spec.size // 8))
    if spec.family == "rsa":
        return of_private_key(await asyncio.to_thread(rsa.generate_private_key, 65537, spec.size))
    return of_private_key(_small_key(spec))


def _small_key(spec: Spec) -> Any:
    if spec.family == "ecc":
        return ec.generate_private_key(CURVES[spec.name])
    if spec.family == "edwards":
        return ed25519.Ed25519PrivateKey.generate()
    return (_ML_DSA if spec.family == "ml-dsa" else _ML_KEM)[spec.size].generate()


def of_private_key(key: Any) -> Made:
    """The material of a key pair."""
    return Made(private_bytes(key), public_bytes(key.public_key()))


def private_bytes(key: Any) -> bytes:
    """PKCS #8, unencrypted."""
    encoding, none = serialization.Encoding.DER, serialization.NoEncryption()
    return bytes(key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, none))


def public_bytes(key: Any) -> bytes:
    """SubjectPublicKeyInfo."""
    return bytes(key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))


def id_of(sealer: Sealer, key_id: str, secret: bytes) -> str:
    """64 hexadecimal digits that tell material from other material of the key, and nothing about it."""
    return hmac.new(sealer.derive(_ID_PURPOSE), key_id.encode() + b"\0" + secret, hashlib.sha256).hexdigest()


def seal(sealer: Sealer, key_id: str, material_id: str, secret: bytes) -> bytes:
    """Wrap material for the database. The context binds it to its key: rows cannot be swapped."""
    return sealer.seal(PURPOSE, secret, f"{key_id}/{material_id}")


def open_sealed(sealer: Sealer, key_id: str, material_id: str, sealed: bytes) -> bytes:
    """Unwrap. Raises SealError."""
    return sealer.open(PURPOSE, sealed, f"{key_id}/{material_id}")

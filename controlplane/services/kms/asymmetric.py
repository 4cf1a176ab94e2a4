"""What key pairs compute. Functions take `cryptography`'s objects; sizes are bytes."""

from __future__ import annotations

from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from controlplane.services.kms.errors import UnsupportedOperationException, ValidationException

HASHES: dict[str, hashes.HashAlgorithm] = {
    "SHA_1": hashes.SHA1(),  # noqa: S303 (OAEP with SHA-1 is one of AWS's algorithms)
    "SHA_256": hashes.SHA256(),
    "SHA_384": hashes.SHA384(),
    "SHA_512": hashes.SHA512(),
}
_MU = 64


def hash_of(algorithm: str) -> hashes.HashAlgorithm:
    """The hash that an algorithm's name ends in."""
    return HASHES["SHA_" + algorithm.rpartition("_")[2]]


def oaep(algorithm: str) -> padding.OAEP:
    """The padding of RSAES_OAEP_…."""
    digest = hash_of(algorithm)
    return padding.OAEP(padding.MGF1(digest), digest, None)


def longest_plaintext(bits: int, algorithm: str) -> int:
    """The most that OAEP encrypts."""
    return bits // 8 - 2 * hash_of(algorithm).digest_size - 2


def sign(key: Any, algorithm: str, message: bytes, kind: str) -> bytes:
    """A signature of a message (RAW), of its digest (DIGEST), or of ML-DSA's mu. Raises ValidationException."""
    if algorithm == "ML_DSA_SHAKE_256":
        return bytes(key.sign_mu(_mu(message)) if kind == "EXTERNAL_MU" else key.sign(_raw(message, kind)))
    if algorithm.startswith("ED25519"):
        return bytes(key.sign(_edwards(algorithm, message, kind)))
    return bytes(key.sign(message, *_scheme(algorithm, message, kind)))


def verify(key: Any, algorithm: str, message: Any, kind: str, signature: Any) -> bool:
    """Whether a signature is the key's. Raises ValidationException."""
    try:
        if algorithm == "ML_DSA_SHAKE_256":
            if kind == "EXTERNAL_MU":
                key.verify_mu(signature, _mu(message))
            else:
                key.verify(signature, _raw(message, kind))
        elif algorithm.startswith("ED25519"):
            key.verify(signature, _edwards(algorithm, message, kind))
        else:
            key.verify(signature, message, *_scheme(algorithm, message, kind))
    except InvalidSignature:
        return False
    return True


def _scheme(algorithm: str, message: bytes, kind: str) -> tuple[Any, ...]:
    digest = hash_of(algorithm)
    if kind == "EXTERNAL_MU":
        raise ValidationException(f"Message type EXTERNAL_MU is not valid for algorithm {algorithm}.")
    if kind == "DIGEST" and len(message) != digest.digest_size:
        raise ValidationException(f"Digest is invalid length for algorithm {algorithm}.")
    hashed: Any = Prehashed(digest) if kind == "DIGEST" else digest
    if algorithm.startswith("ECDSA"):
        return (ec.ECDSA(hashed),)
    if algorithm.startswith("RSASSA_PSS"):
        return padding.PSS(padding.MGF1(digest), digest.digest_size), hashed
    return padding.PKCS1v15(), hashed


def _raw(message: bytes, kind: str) -> bytes:
    if kind != "RAW":
        raise ValidationException(f"Message type {kind} is not valid for this signing algorithm.")
    return message


def _mu(message: bytes) -> bytes:
    if len(message) != _MU:
        raise ValidationException("EXTERNAL_MU is invalid length for algorithm ML_DSA_SHAKE_256.")
    return message


def _edwards(algorithm: str, message: bytes, kind: str) -> bytes:
    if algorithm == "ED25519_PH_SHA_512":
        raise UnsupportedOperationException(f"Algorithm {algorithm} is not supported.")
    return _raw(message, kind)


def shared_secret(key: Any, peer: Any) -> bytes:
    """ECDH with a public key (SubjectPublicKeyInfo) of the same curve. Raises ValidationException without words."""
    try:
        public = serialization.load_der_public_key(peer)
        if not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name != key.curve.name:
            raise ValidationException
        return bytes(key.exchange(ec.ECDH(), public))
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValidationException from error

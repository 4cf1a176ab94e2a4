"""SSH keys: making pairs, reading public halves, fingerprints as AWS computes them."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from controlplane.services.ec2.errors import InvalidKeyFormat, InvalidParameterValue

_RSA_BITS = 2048
_IMPORTABLE_BITS = (1024, 2048, 4096)

PrivateKey = rsa.RSAPrivateKey | Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The public half in OpenSSH's form, its type (rsa, ed25519) and fingerprint."""

    type: str
    openssh: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A new pair; `private` is PEM text."""

    private: str
    public: PublicKey


def generate(type: str, format: str) -> KeyPair:
    """Make a pair. Raises InvalidParameterValue for a format that is not offered."""
    if format != "pem":
        raise InvalidParameterValue(f"The key format {format} is not offered by this cloud; use pem.")
    key: PrivateKey
    if type == "ed25519":
        key = Ed25519PrivateKey.generate()
        private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    else:
        key = rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    openssh = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return KeyPair(private.decode(), PublicKey(type, openssh, _created_fingerprint(key, openssh)))


def _created_fingerprint(key: PrivateKey, openssh: str) -> str:
    """AWS takes SHA-1 over the PKCS#8 private key of RSA pairs that it makes, SHA-256 over the public key of others."""
    if isinstance(key, Ed25519PrivateKey):
        return _sha256(openssh)
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return _colons(hashlib.sha1(der, usedforsecurity=False).hexdigest())


def parse_public(material: bytes) -> PublicKey:
    """Read a public key in OpenSSH's, DER's (Base64) or PEM's form. Raises InvalidKey.Format."""
    text = material.strip()
    try:
        key = _load(text)
    except (ValueError, binascii.Error, TypeError) as error:
        raise InvalidKeyFormat("Key is not in valid OpenSSH public key format") from error
    if isinstance(key, Ed25519PublicKey):
        openssh = _openssh(key)
        return PublicKey("ed25519", openssh, _sha256(openssh))
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size not in _IMPORTABLE_BITS:
        raise InvalidKeyFormat("Key is not in valid OpenSSH public key format")
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return PublicKey("rsa", _openssh(key), _colons(hashlib.md5(der, usedforsecurity=False).hexdigest()))


def _load(text: bytes) -> object:
    if text.startswith((b"ssh-", b"ecdsa-")):
        return serialization.load_ssh_public_key(text)
    if text.startswith(b"-----BEGIN"):
        return serialization.load_pem_public_key(text)
    return serialization.load_der_public_key(base64.b64decode(text, validate=True))


def _openssh(key: rsa.RSAPublicKey | Ed25519PublicKey) -> str:
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def _sha256(openssh: str) -> str:
    digest = hashlib.sha256(base64.b64decode(openssh.split()[1])).digest()
    return base64.b64encode(digest).decode()


def _colons(digits: str) -> str:
    return ":".join(digits[place : place + 2] for place in range(0, len(digits), 2))

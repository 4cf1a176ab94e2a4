"""Signatures of notifications, and the certificate by which anybody can check them.

The key pair is made once a cloud, at its first notification, and lies sealed in the database.
"""

from __future__ import annotations

import base64
import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.x509.oid import NameOID

from controlplane.core.context import Unit
from controlplane.services.sns.messages import UNSIGNED, signed_text
from controlplane.state.database import Database
from controlplane.state.sealing import Sealer

_NAME = "notifications"
_PURPOSE = "sns-signing-key"
_YEARS = 20
_MOST_MADE = 4096
_READ = "SELECT sealed_key, certificate FROM sns_signing_keys WHERE name = $1"
_INSERT = """
INSERT INTO sns_signing_keys (name, sealed_key, certificate) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
"""
_HASHES: dict[str, hashes.HashAlgorithm] = {"1": hashes.SHA1(), "2": hashes.SHA256()}  # noqa: S303 (version 1 is SHA-1)


class Signer:
    """Signs with the cloud's key."""

    def __init__(self, key: rsa.RSAPrivateKey, certificate: str) -> None:
        self._key = key
        self._made: OrderedDict[tuple[str, bytes], str] = OrderedDict()
        self.certificate = certificate
        self.file = f"SimpleNotificationService-{hashlib.sha256(certificate.encode()).hexdigest()[:32]}.pem"

    def sign(self, fields: Mapping[str, Any], endpoint: str) -> dict[str, Any]:
        """The fields of an envelope, which name the version, with their signature."""
        return {**self.prepare(fields, endpoint), "Signature": self._signature(fields)}

    def prepare(self, fields: Mapping[str, Any], endpoint: str) -> dict[str, Any]:
        """The same with UNSIGNED for the signature: it costs more than all else, and is made at delivery."""
        return {**fields, "Signature": UNSIGNED, "SigningCertURL": f"{endpoint}/_celaje/sns/{self.file}"}

    def finish(self, envelope: str) -> str:
        """The text of an envelope with its signature."""
        before, unsigned, after = envelope.partition(UNSIGNED)
        return before + self._signature(orjson.loads(before + after)) + after if unsigned else envelope

    def _signature(self, fields: Mapping[str, Any]) -> str:
        """Always the same for the same text, so that copies of a message need one only."""
        text, version = signed_text(fields).encode(), fields["SignatureVersion"]
        digest = hashlib.new(_HASHES[version].name, text, usedforsecurity=False).digest()
        made = self._made.get((version, digest))
        if made is None:
            signature = self._key.sign(digest, padding.PKCS1v15(), Prehashed(_HASHES[version]))
            if len(self._made) >= _MOST_MADE:
                self._made.popitem(last=False)
            made = self._made[version, digest] = base64.b64encode(signature).decode()
        return made


_signers: dict[int, Signer] = {}


async def signer(database: Database, sealer: Sealer) -> Signer:
    """The cloud's signer."""
    kept = _signers.get(id(database))
    if kept is None:
        async with database.unit() as db:
            kept = _signers[id(database)] = await _load(db, sealer)
    return kept


async def _load(db: Unit, sealer: Sealer) -> Signer:
    row = await db.fetchrow(_READ, _NAME)
    if row is None:
        made, certificate = _make()
        await db.execute(_INSERT, _NAME, sealer.seal(_PURPOSE, made, _NAME), certificate)
        row = await db.fetchrow(_READ, _NAME)
    plain = sealer.open(_PURPOSE, row["sealed_key"], _NAME)
    key = serialization.load_der_private_key(plain, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return Signer(key, row["certificate"])


def _make() -> tuple[bytes, str]:
    """A new key in DER, and a certificate that it has signed itself."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365 * _YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8
    der = key.private_bytes(serialization.Encoding.DER, form, serialization.NoEncryption())
    return der, certificate.public_bytes(serialization.Encoding.PEM).decode()

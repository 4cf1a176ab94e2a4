"""Reading X.509 certificates and keys as IAM takes them: PEM, checked for what they are."""

from __future__ import annotations

from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from controlplane.services.iam.errors import KeyPairMismatch, MalformedCertificate

LONGEST_CHAIN = 10


def certificate(pem: str) -> x509.Certificate:
    """The one certificate of a PEM text. Raises MalformedCertificate."""
    found = _read(pem, "certificate")
    if len(found) != 1:
        raise MalformedCertificate("Unable to parse certificate. Please ensure the certificate is in PEM format.")
    return found[0]


def _read(pem: str, word: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise MalformedCertificate(f"Unable to parse {word}. Please ensure the {word} is in PEM format.") from error


def check_chain(leaf: x509.Certificate, pem: str) -> None:
    """Refuse a chain whose certificates do not each sign the one before. Raises MalformedCertificate."""
    chain = _read(pem, "certificate chain")
    if len(chain) > LONGEST_CHAIN:
        raise MalformedCertificate(f"A certificate chain has at most {LONGEST_CHAIN} certificates.")
    for below, issuer in zip([leaf, *chain], chain, strict=False):
        try:
            below.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
            raise MalformedCertificate(
                "Unable to validate certificate chain. The certificate chain must start with the immediate signing "
                "certificate, followed by any intermediaries in order."
            ) from error


def check_key(leaf: x509.Certificate, pem: str) -> None:
    """Refuse a private key that is not the certificate's. Raises MalformedCertificate, KeyPairMismatch."""
    try:
        key = load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise MalformedCertificate(
            "Unable to parse private key. Please ensure the private key is in PEM format and not encrypted."
        ) from error
    if _public(key.public_key()) != _public(leaf.public_key()):
        raise KeyPairMismatch("The private key does not match the certificate.")


def _public(key: Any) -> bytes:
    return bytes(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))

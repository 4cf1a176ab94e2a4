"""Requests signed with the key of an X.509 certificate, as IAM Roles Anywhere takes them.

Signature version 4 in form, but the string to sign is signed by the certificate's own key: RSA (PKCS #1 v1.5) or ECDSA
over SHA-256. That the key is the certificate's is all that is checked here; who believes the certificate is not.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from controlplane.access import sigv4
from controlplane.access.sigv4 import Signature, SignatureProblem
from controlplane.core.http import HttpRequest

CERTIFICATE = "x-amz-x509"
CHAIN = "x-amz-x509-chain"
LONGEST_CHAIN = 5
_SMALLEST_RSA = 2048
_HEADER = re.compile(
    r"AWS4-X509-(RSA|ECDSA)-SHA256 Credential=(\d{1,64})/(\d{8})/([a-z0-9-]{1,64})/([a-z0-9-]{1,64})/(aws4_request), "
    r"SignedHeaders=([!-~]{1,4096}), Signature=([0-9a-f]{16,2048})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Proof:
    """A signature with the certificates that came with it, the signer's own first."""

    algorithm: str
    signature: Signature
    certificates: tuple[x509.Certificate, ...]


def read(request: HttpRequest) -> Proof:
    """The signature of a request. Raises SignatureProblem."""
    found = _HEADER.fullmatch(request.headers.get("authorization", ""))
    if found is None:
        raise SignatureProblem(
            "Authorization header must be an AWS4-X509-RSA-SHA256 or AWS4-X509-ECDSA-SHA256 signature."
        )
    algorithm, serial, date, region, service, terminator, names, signature = found.groups()
    read = Signature(
        serial, date, region, service, terminator, request.headers.get("x-amz-date", ""), tuple(names.split(";")),
        signature, None,
    )  # fmt: skip
    certificates = _certificates(request)
    if str(certificates[0].serial_number) != serial:
        raise SignatureProblem("The credential must name the serial number of the certificate.")
    return Proof(algorithm, read, certificates)


def _certificates(request: HttpRequest) -> tuple[x509.Certificate, ...]:
    chain = request.headers.get(CHAIN)
    texts = [request.headers.get(CERTIFICATE, ""), *(chain.split(",") if chain else ())]
    if len(texts) > 1 + LONGEST_CHAIN:
        raise SignatureProblem(f"A certificate chain has at most {LONGEST_CHAIN} certificates.")
    try:
        return tuple(x509.load_der_x509_certificate(base64.b64decode(text, validate=True)) for text in texts)
    except (ValueError, binascii.Error) as error:
        raise SignatureProblem("The certificate could not be read: base64 of DER is expected.") from error


def is_right(request: HttpRequest, proof: Proof) -> bool:
    """Whether the certificate's key signed this request."""
    signature = proof.signature
    payload = hashlib.sha256(request.body).hexdigest()
    canonical = sigv4.canonical_request(request, signature, payload)
    text = (
        f"AWS4-X509-{proof.algorithm}-SHA256\n{signature.timestamp}\n{signature.scope}\n"
        f"{hashlib.sha256(canonical).hexdigest()}"
    ).encode("latin-1")
    try:
        key = proof.certificates[0].public_key()
        given = bytes.fromhex(signature.signature)
        if proof.algorithm == "RSA" and isinstance(key, rsa.RSAPublicKey) and key.key_size >= _SMALLEST_RSA:
            key.verify(given, text, padding.PKCS1v15(), SHA256())
        elif proof.algorithm == "ECDSA" and isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(given, text, ec.ECDSA(SHA256()))
        else:
            return False
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True

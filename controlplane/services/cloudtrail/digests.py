"""Digests: hourly lists of the delivered files with their hashes, chained and signed, so that changes are noticed.

The format is that which `aws cloudtrail validate-logs` reads.
"""

from __future__ import annotations

import asyncio
import hashlib
from datetime import datetime
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from controlplane.core.context import Unit
from controlplane.services.cloudtrail import queries
from controlplane.state.sealing import Sealer

PURPOSE = "cloudtrail-digest"
ALGORITHM = "SHA256withRSA"
_BITS = 2048


async def signing_key(db: Unit, sealer: Sealer, region: str) -> tuple[str, Any]:
    """Fingerprint and private key of a region, made at its first digest."""
    row = await queries.digest_key(db, region)
    if row is None:
        made = await asyncio.to_thread(rsa.generate_private_key, 65537, _BITS)
        public = made.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
        fingerprint = hashlib.md5(public, usedforsecurity=False).hexdigest()
        secret = made.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        sealed = sealer.seal(PURPOSE, secret, fingerprint)
        await queries.insert_digest_key(db, fingerprint=fingerprint, region=region, public=public, sealed=sealed)
        return fingerprint, made
    secret = sealer.open(PURPOSE, row["sealed"], row["fingerprint"])
    return row["fingerprint"], load_der_private_key(secret, None, unsafe_skip_rsa_key_validation=True)


def compose(row: Any, key: str, fingerprint: str, start: datetime, end: datetime) -> bytes:
    """The digest of the files since the last one, whose place and signature it repeats."""
    chain = row["digest"]
    files = chain.get("files", [])
    times = [file[name] for file in files for name in ("oldestEventTime", "newestEventTime")]
    last = chain.get("last")
    return orjson.dumps(
        {
            "awsAccountId": row["account_id"],
            "digestStartTime": _stamp(start),
            "digestEndTime": _stamp(end),
            "digestS3Bucket": row["settings"]["S3BucketName"],
            "digestS3Object": key,
            "digestPublicKeyFingerprint": fingerprint,
            "digestSignatureAlgorithm": ALGORITHM,
            "newestEventTime": max(times, default=None),
            "oldestEventTime": min(times, default=None),
            "previousDigestS3Bucket": last and last["bucket"],
            "previousDigestS3Object": last and last["object"],
            "previousDigestHashValue": last and last["hash"],
            "previousDigestHashAlgorithm": last and "SHA-256",
            "previousDigestSignature": last and last["signature"],
            "logFiles": files,
        }
    )


def signature(private: Any, row: Any, key: str, end: datetime, content: bytes) -> str:
    """The signature, in hexadecimal, of a digest at its place in the chain."""
    last = row["digest"].get("last")
    bucket = row["settings"]["S3BucketName"]
    previous = last["signature"] if last else "null"
    text = f"{_stamp(end)}\n{bucket}/{key}\n{hashlib.sha256(content).hexdigest()}\n{previous}"
    return bytes(private.sign(text.encode(), padding.PKCS1v15(), SHA256())).hex()


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

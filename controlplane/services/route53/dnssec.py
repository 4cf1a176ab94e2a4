"""DNSSEC: key-signing keys, whose private halves stay in KMS, and the signature that they make over a zone's keys."""

from __future__ import annotations

import base64
import logging
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import dns.dnssec
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from controlplane.core.arn import Arn
from controlplane.core.context import Context, Unit
from controlplane.core.errors import AwsError
from controlplane.services.route53 import names
from controlplane.services.route53.errors import InvalidKMSArn
from controlplane.services.route53.zones import arn
from controlplane.work.reconciler import Run

log = logging.getLogger(__name__)

SERVICE = "dnssec-route53.amazonaws.com"
"""Key policies name this principal."""
ALGORITHM, DIGEST, FLAG = 13, 2, 257
ACTIVE, INACTIVE, ACTION_NEEDED = "ACTIVE", "INACTIVE", "ACTION_NEEDED"
_TTL = 3600
_LASTS, _RENEWED = 14 * 86400, 12 * 86400
"""Seconds for which a signature holds, and with fewer of them left it is made anew."""
_EARLIER = 3600
"""Seconds by which clocks may be behind ours."""
_KEYS = "SELECT * FROM route53_signing_keys WHERE zone_id = $1 ORDER BY created_at, name"
_STATUS = "UPDATE route53_signing_keys SET status = $3, message = $4 WHERE zone_id = $1 AND name = $2 AND status <> $3"
_KEEP = "UPDATE route53_zones SET dnskeys = $2 WHERE id = $1"


async def keys(db: Unit, zone_id: str) -> list[Any]:
    """The key-signing keys of a zone, oldest first."""
    return await db.fetch(_KEYS, zone_id)


def dnskey(flag: int, public: bytes) -> str:
    """A DNSKEY's value for a point on the curve."""
    return f"{flag} 3 {ALGORITHM} {base64.b64encode(public).decode()}"


def facts(zone: Mapping[str, Any], public: bytes) -> dict[str, Any]:
    """What the parent zone's owner must know of a key, in the API's shape."""
    name, value = _name(zone), dnskey(FLAG, public)
    key: Any = dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.DNSKEY, value)
    tag, digest = dns.dnssec.key_id(key), dns.dnssec.make_ds(name, key, "SHA256").digest.hex().upper()
    return {
        "Flag": FLAG,
        "SigningAlgorithmMnemonic": "ECDSAP256SHA256",
        "SigningAlgorithmType": ALGORITHM,
        "DigestAlgorithmMnemonic": "SHA-256",
        "DigestAlgorithmType": DIGEST,
        "KeyTag": tag,
        "DigestValue": digest,
        "PublicKey": base64.b64encode(public).decode(),
        "DSRecord": f"{tag} {ALGORITHM} {DIGEST} {digest}",
        "DNSKEYRecord": value,
    }


def shown(zone: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """A KeySigningKey."""
    shown = {
        "Name": row["name"],
        "KmsArn": row["kms_arn"],
        **facts(zone, row["public_key"]),
        "Status": row["status"],
        "CreatedDate": row["created_at"],
        "LastModifiedDate": row["modified_at"],
    }
    return {**shown, "StatusMessage": row["message"]} if row["message"] else shown


def _name(zone: Mapping[str, Any]) -> dns.name.Name:
    return dns.name.from_text(f"{names.served(zone['name'])}.")


async def public_half(ctx: Context, zone: Mapping[str, Any], key: str) -> bytes:
    """The point of a KMS key that may sign for a zone: its policy must let `SERVICE` use it. Raises InvalidKMSArn."""
    try:
        where = Arn.parse(key)
    except ValueError as error:
        raise InvalidKMSArn("The KeyManagementServiceArn is not an ARN.") from error
    if where.service != "kms" or not where.resource.startswith("key/"):
        raise InvalidKMSArn("The KeyManagementServiceArn is not the ARN of a customer managed key.")
    if where.region != ctx.cloud.regions[0] or where.account != zone["account_id"]:
        raise InvalidKMSArn(f"The key must be in {ctx.cloud.regions[0]} and of the hosted zone's account.")
    acting = replace(ctx.as_service(SERVICE, arn(zone["id"]), zone["account_id"]), region=where.region)
    try:
        told = (await acting.call("kms", "DescribeKey", {"KeyId": key}))["KeyMetadata"]
        kind = (told["KeySpec"], told["KeyUsage"], told["KeyState"], told["MultiRegion"])
        if kind != ("ECC_NIST_P256", "SIGN_VERIFY", "Enabled", False):
            raise InvalidKMSArn(
                "The customer managed key must be enabled, asymmetric, for signing and verifying, of the key spec "
                "ECC_NIST_P256, and in a single region."
            )
        found = (await acting.call("kms", "GetPublicKey", {"KeyId": key}))["PublicKey"]
        await _sign(acting, key, b"")  # that it may, too
    except AwsError as error:
        if isinstance(error, InvalidKMSArn) or error.status >= 500:
            raise
        raise InvalidKMSArn(f"The customer managed key cannot be used: {error.message}") from error
    public: Any = load_der_public_key(found)
    return bytes(public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:])


async def _sign(acting: Context, key: str, message: bytes) -> bytes:
    """A signature as DNSSEC writes it: both numbers, one after the other."""
    request = {"KeyId": key, "Message": message or b"\0", "MessageType": "RAW", "SigningAlgorithm": "ECDSA_SHA_256"}
    signature = (await acting.call("kms", "Sign", request))["Signature"]
    return b"".join(number.to_bytes(32, "big") for number in decode_dss_signature(signature))


async def published(run: Run, db: Unit, zone: Any) -> list[str]:
    """What a zone answers for its keys, for the engine: the keys, and KMS's signatures over them, which are made anew
    when the keys are others or the signatures grow old. A zone that is not signed answers nothing."""
    engine, name = run.engine("dns"), names.served(zone["name"])
    if not zone["signing"]:
        await engine.unsign(db, name, zone["id"])
        return []
    own = await engine.sign(db, name, zone["id"])
    usable = [row for row in await keys(db, zone["id"]) if row["status"] in (ACTIVE, ACTION_NEEDED)]
    values = [own, *(dnskey(FLAG, row["public_key"]) for row in usable)]
    kept = zone["dnskeys"] or {}
    now = int(time.time())
    if kept.get("keys") == values and kept["until"] > now + _RENEWED:
        return list(kept["records"])
    signatures = [text for row in usable if (text := await _signature(run, db, zone, row, values, now)) is not None]
    if not signatures:
        return list(kept.get("records") or ())  # the older ones hold for days
    records = [*(f"DNSKEY {_TTL} {value}" for value in values), *(f"RRSIG {_TTL} {text}" for text in signatures)]
    whole = len(signatures) == len(usable)
    await db.execute(_KEEP, zone["id"], {"keys": values, "until": now + _LASTS if whole else 0, "records": records})
    return records


async def _signature(run: Run, db: Unit, zone: Any, row: Any, values: Sequence[str], now: int) -> str | None:
    """The RRSIG over the keys by one of them; None when KMS does not let us sign, which is noted."""
    key: Any = dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.DNSKEY, dnskey(FLAG, row["public_key"]))
    signer = _name(zone)
    first, last, tag = now - _EARLIER, now + _LASTS, dns.dnssec.key_id(key)
    head = (ALGORITHM, len(signer.labels) - 1, _TTL, last, first, tag)
    message = struct.pack("!HBBIIIH", dns.rdatatype.DNSKEY, *head) + signer.to_digestable()
    message += _canonical(signer, values)
    where = Arn.parse(row["kms_arn"])
    acting = run.acting(db, SERVICE, arn(zone["id"]), region=where.region, account_id=zone["account_id"])
    try:
        signature = await _sign(acting, row["kms_arn"], message)
    except AwsError as error:
        if error.status >= 500:
            raise
        log.info("a zone's key was not let sign: %s", error.code)
        await db.execute(_STATUS, zone["id"], row["name"], ACTION_NEEDED, f"KMS: {error.code}")
        return None
    await db.execute(_STATUS, zone["id"], row["name"], ACTIVE, None)
    told = " ".join(map(str, ("DNSKEY", *head, signer)))
    return f"{told} {base64.b64encode(signature).decode()}"


def _canonical(name: dns.name.Name, values: Sequence[str]) -> bytes:
    """A set of DNSKEYs as it is signed (RFC 4034, 6.3)."""
    wires = [dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.DNSKEY, value).to_digestable() for value in values]
    head = name.to_digestable() + struct.pack("!HHI", dns.rdatatype.DNSKEY, dns.rdataclass.IN, _TTL)
    return b"".join(head + struct.pack("!H", len(wire)) + wire for wire in sorted(wires))

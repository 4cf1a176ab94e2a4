"""DNSSEC signing of public hosted zones and their key-signing keys."""

from __future__ import annotations

import re
from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import operation
from controlplane.services.route53 import dnssec, queries, zones
from controlplane.services.route53.errors import (
    DNSSECNotFound,
    HostedZonePartiallyDelegated,
    InvalidArgument,
    InvalidInput,
    InvalidKeySigningKeyName,
    InvalidKeySigningKeyStatus,
    KeySigningKeyAlreadyExists,
    KeySigningKeyInParentDSRecord,
    KeySigningKeyInUse,
    KeySigningKeyWithActiveStatusNotFound,
    NoSuchKeySigningKey,
    TooManyKeySigningKeys,
)
from controlplane.services.route53.zones import existing, locked, on_zone

_MOST = 2
_NAME = re.compile(r"[A-Za-z0-9_]{3,128}")
_URL = "https://route53.amazonaws.com/2013-04-01"
_INSERT = """
INSERT INTO route53_signing_keys (zone_id, name, caller_reference, kms_arn, public_key, status)
VALUES ($1, $2, $3, $4, $5, $6) RETURNING *
"""
_STATUS = """
UPDATE route53_signing_keys SET status = $3, message = NULL, modified_at = now() WHERE zone_id = $1 AND name = $2
"""
_DELETE = "DELETE FROM route53_signing_keys WHERE zone_id = $1 AND name = $2"
_SIGNING = "UPDATE route53_zones SET signing = $2, dnskeys = NULL WHERE id = $1"
# What a zone of the same account says above of this one: who its name servers are, and by which key it is known.
_ABOVE = """
SELECT r.type, r.content FROM route53_record_sets r JOIN route53_zones z ON z.id = r.zone_id
WHERE z.account_id = $1 AND NOT z.private AND r.name = $2 AND r.type IN ('NS', 'DS') AND z.name <> $2
"""


async def _public(ctx: Context, request: Any) -> Any:
    """The zone, locked. Raises NoSuchHostedZone, InvalidArgument."""
    row = await locked(ctx, request)
    if row["private"]:
        raise InvalidArgument("DNSSEC signing is for public hosted zones only.")
    return row


async def _key(ctx: Context, zone: Any, request: Any) -> Any:
    found = next((row for row in await dnssec.keys(ctx.db, zone["id"]) if row["name"] == request["Name"]), None)
    if found is None:
        raise NoSuchKeySigningKey(
            f"The key-signing key (KSK) {request['Name'][:128]} does not exist for the hosted zone {zone['id']}."
        )
    return found


async def _values_above(ctx: Context, zone: Any, type: str) -> list[str]:
    rows = await ctx.db.fetch(_ABOVE, zone["account_id"], zone["name"])
    return [item["Value"] for row in rows if row["type"] == type for item in row["content"].get("ResourceRecords", ())]


async def _check_trusted(ctx: Context, zone: Any, rows: list[Any]) -> None:
    """Nobody could resolve the zone any longer. Raises KeySigningKeyInParentDSRecord."""
    known = {" ".join(value.split()).upper() for value in await _values_above(ctx, zone, "DS")}
    for row in rows:
        if dnssec.facts(zone, row["public_key"])["DSRecord"] in known:
            raise KeySigningKeyInParentDSRecord(
                f"The key-signing key (KSK) {row['name']} is specified in a DS record of the parent zone."
            )


async def _changed(ctx: Context, zone: Any) -> dict[str, Any]:
    return await zones.changed(ctx, zone, await queries.bump(ctx.db, zone["id"]))


@operation("CreateKeySigningKey", on=on_zone)
async def create_key_signing_key(ctx: Context, request: Any) -> dict[str, Any]:
    """Have a key in KMS sign for a zone, which that key's policy must let Route 53 do.

    Raises NoSuchHostedZone, InvalidKMSArn, InvalidKeySigningKeyName, InvalidInput, KeySigningKeyAlreadyExists,
    TooManyKeySigningKeys, InvalidArgument.
    """
    zone, name, key = await _public(ctx, request), request["Name"], request["KeyManagementServiceArn"]
    if not _NAME.fullmatch(name):
        raise InvalidKeySigningKeyName("A name has 3 to 128 letters, digits and underscores.")
    if request["Status"] not in (dnssec.ACTIVE, dnssec.INACTIVE):
        raise InvalidInput("Invalid request: Status must be ACTIVE or INACTIVE.")
    there = await dnssec.keys(ctx.db, zone["id"])
    if any(name == row["name"] or key == row["kms_arn"] for row in there):
        raise KeySigningKeyAlreadyExists("The hosted zone has a key-signing key (KSK) with this name or KMS key.")
    if len(there) >= _MOST:
        raise TooManyKeySigningKeys(f"A hosted zone has at most {_MOST} key-signing keys (KSKs).")
    public = await dnssec.public_half(ctx, zone, key)
    row = await ctx.db.fetchrow(_INSERT, zone["id"], name, request["CallerReference"], key, public, request["Status"])
    return {
        **await _changed(ctx, zone),
        "KeySigningKey": dnssec.shown(zone, row),
        "Location": f"{_URL}/keysigningkey/{zone['id']}/{name}",
    }


@operation("ActivateKeySigningKey", on=on_zone)
async def activate_key_signing_key(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NoSuchHostedZone, NoSuchKeySigningKey, InvalidKMSArn."""
    zone = await _public(ctx, request)
    row = await _key(ctx, zone, request)
    await dnssec.public_half(ctx, zone, row["kms_arn"])
    await ctx.db.execute(_STATUS, zone["id"], row["name"], dnssec.ACTIVE)
    return await _changed(ctx, zone)


@operation("DeactivateKeySigningKey", on=on_zone)
async def deactivate_key_signing_key(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NoSuchHostedZone, NoSuchKeySigningKey, KeySigningKeyInUse, KeySigningKeyInParentDSRecord."""
    zone = await _public(ctx, request)
    row = await _key(ctx, zone, request)
    others = [other for other in await dnssec.keys(ctx.db, zone["id"]) if other["name"] != row["name"]]
    if zone["signing"] and all(other["status"] != dnssec.ACTIVE for other in others):
        raise KeySigningKeyInUse(
            "The key-signing key (KSK) is the only one that is active while DNSSEC signing is enabled."
        )
    await _check_trusted(ctx, zone, [row])
    await ctx.db.execute(_STATUS, zone["id"], row["name"], dnssec.INACTIVE)
    return await _changed(ctx, zone)


@operation("DeleteKeySigningKey", on=on_zone)
async def delete_key_signing_key(ctx: Context, request: Any) -> dict[str, Any]:
    """One that is not active. Raises NoSuchHostedZone, NoSuchKeySigningKey, InvalidKeySigningKeyStatus."""
    zone = await _public(ctx, request)
    row = await _key(ctx, zone, request)
    if row["status"] != dnssec.INACTIVE:
        raise InvalidKeySigningKeyStatus(f"The key-signing key (KSK) {row['name']} must be inactive to be deleted.")
    await ctx.db.execute(_DELETE, zone["id"], row["name"])
    return await _changed(ctx, zone)


@operation("EnableHostedZoneDNSSEC", on=on_zone)
async def enable_hosted_zone_dnssec(ctx: Context, request: Any) -> dict[str, Any]:
    """Answer with signatures. Raises NoSuchHostedZone, KeySigningKeyWithActiveStatusNotFound, InvalidArgument,
    HostedZonePartiallyDelegated, InvalidKMSArn."""
    zone = await _public(ctx, request)
    active = [row for row in await dnssec.keys(ctx.db, zone["id"]) if row["status"] == dnssec.ACTIVE]
    if not active:
        raise KeySigningKeyWithActiveStatusNotFound("The hosted zone has no active key-signing key (KSK).")
    told = {value.rstrip(".").lower() for value in await _values_above(ctx, zone, "NS")}
    if told and told != set(zone["name_servers"]):
        raise HostedZonePartiallyDelegated("The parent zone names other name servers than the hosted zone has.")
    for row in active:
        await dnssec.public_half(ctx, zone, row["kms_arn"])
    await ctx.db.execute(_SIGNING, zone["id"], True)
    return await _changed(ctx, zone)


@operation("DisableHostedZoneDNSSEC", on=on_zone)
async def disable_hosted_zone_dnssec(ctx: Context, request: Any) -> dict[str, Any]:
    """Answer without signatures. Raises NoSuchHostedZone, DNSSECNotFound, KeySigningKeyInParentDSRecord."""
    zone = await _public(ctx, request)
    if not zone["signing"]:
        raise DNSSECNotFound("DNSSEC signing is not enabled for the hosted zone.")
    await _check_trusted(ctx, zone, await dnssec.keys(ctx.db, zone["id"]))
    await ctx.db.execute(_SIGNING, zone["id"], False)
    return await _changed(ctx, zone)


@operation("GetDNSSEC", on=on_zone)
async def get_dnssec(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NoSuchHostedZone, InvalidArgument."""
    zone = existing(ctx, request)
    if zone["private"]:
        raise InvalidArgument("DNSSEC signing is for public hosted zones only.")
    rows = await dnssec.keys(ctx.db, zone["id"])
    status = {"ServeSignature": "SIGNING" if zone["signing"] else "NOT_SIGNING"}
    if zone["signing"] and any(row["status"] == dnssec.ACTION_NEEDED for row in rows):
        status = {
            "ServeSignature": dnssec.ACTION_NEEDED,
            "StatusMessage": "A key-signing key (KSK) cannot sign. Check its key in KMS and that key's policy.",
        }
    return {"Status": status, "KeySigningKeys": [dnssec.shown(zone, row) for row in rows]}

"""Hosted zones."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import ANY, operation
from controlplane.services.route53 import dnssec, names, queries, query_logs, vpcs, zones
from controlplane.services.route53.errors import (
    HostedZoneAlreadyExists,
    HostedZoneNotEmpty,
    InvalidDomainName,
    InvalidInput,
    NoSuchDelegationSet,
    TooManyHostedZones,
)
from controlplane.services.route53.zones import existing, locked, on_zone
from controlplane.work.reconciler import STANDING

_QUOTA = "route53/L-4EA4796A"
_COUNT = "SELECT count(*) FROM route53_zones WHERE account_id = $1"
_SERVERS = "SELECT name_servers FROM route53_delegation_sets WHERE id = $1 AND account_id = $2"
_INSERT = """
INSERT INTO route53_zones (id, account_id, name, comment, caller_reference, private, delegation_set, name_servers)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING true
"""
_OWN = "SELECT count(*) FROM route53_record_sets WHERE zone_id = $1 AND NOT (name = $2 AND type IN ('NS', 'SOA'))"
_URL = "https://route53.amazonaws.com/2013-04-01"


@operation("CreateHostedZone", on=ANY)
async def create_hosted_zone(ctx: Context, request: Any) -> dict[str, Any]:
    """With a VPC a private zone, else a public one. Raises InvalidDomainName, HostedZoneAlreadyExists,
    TooManyHostedZones, NoSuchDelegationSet, InvalidVPCId, ConflictingDomainExists, InvalidInput."""
    config, vpc = request.get("HostedZoneConfig") or {}, request.get("VPC")
    if config.get("PrivateZone") and not vpc:
        raise InvalidInput(
            "When you're creating a private hosted zone, you must specify values for VPCId and VPCRegion."
        )
    name = names.normal(request["Name"])
    if name == "." or any(char in name for char in "\\"):
        raise InvalidDomainName(f"{request['Name'][:100]} is not a valid domain name")
    owned = await vpcs.own(ctx, vpc) if vpc else None
    await _check_room(ctx)
    if owned and request.get("DelegationSetId"):
        raise InvalidInput("Reusable delegation sets are for public hosted zones only.")
    set_id, servers = await _delegation(ctx, request.get("DelegationSetId"))
    id = zones.new_id("Z")
    reference, comment = request["CallerReference"], config.get("Comment")
    if owned:
        servers = zones.private_name_servers()
    values = (id, ctx.account_id, name, comment, reference, owned is not None, set_id, servers)
    if not await ctx.db.fetchval(_INSERT, *values):
        raise HostedZoneAlreadyExists(
            f"A hosted zone has already been created with the specified caller reference: {reference}"
        )
    await zones.fill(ctx.db, id, name, servers)
    row = await queries.zone(ctx.db, id)
    if owned:
        await vpcs.associate(ctx, row, owned)
    return {
        "HostedZone": zones.shown(row),
        **await zones.changed(ctx, row, row["version"]),
        **({"VPC": owned.shown()} if owned else {"DelegationSet": zones.delegation_set(row)}),
        "Location": f"{_URL}/hostedzone/{id}",
    }


async def _check_room(ctx: Context) -> None:
    async def used() -> float:
        return float(await ctx.db.fetchval(_COUNT, ctx.account_id))

    def error(limit: int) -> TooManyHostedZones:
        return TooManyHostedZones(f"You have reached the limit of {limit} hosted zones.")

    await ctx.within_quota(_QUOTA, used, error)


async def _delegation(ctx: Context, id: str | None) -> tuple[str | None, list[str]]:
    if not id:
        return None, zones.name_servers()
    servers = await ctx.db.fetchval(_SERVERS, zones.bare(id), ctx.account_id)
    if servers is None:
        raise NoSuchDelegationSet(f"The specified delegation set does not exist: {zones.bare(id)}")
    return zones.bare(id), servers


@operation("GetHostedZone", on=on_zone)
async def get_hosted_zone(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NoSuchHostedZone."""
    row = existing(ctx, request)
    if not row["private"]:
        return {"HostedZone": zones.shown(row), "DelegationSet": zones.delegation_set(row)}
    found = await queries.vpcs(ctx.db, row["id"])
    return {"HostedZone": zones.shown(row), "VPCs": [vpcs.shown(item) for item in found]}


@operation("UpdateHostedZoneComment", on=on_zone)
async def update_hosted_zone_comment(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NoSuchHostedZone."""
    row = await locked(ctx, request)
    await ctx.db.execute("UPDATE route53_zones SET comment = $2 WHERE id = $1", row["id"], request.get("Comment"))
    return {"HostedZone": zones.shown(await queries.zone(ctx.db, row["id"]))}


@operation("DeleteHostedZone", on=on_zone)
async def delete_hosted_zone(ctx: Context, request: Any) -> dict[str, Any]:
    """Delete a zone that has nothing but what it began with. Raises NoSuchHostedZone, HostedZoneNotEmpty."""
    row = await locked(ctx, request)
    if await ctx.db.fetchval(_OWN, row["id"], row["name"]):
        raise HostedZoneNotEmpty(
            "The specified hosted zone contains non-required resource record sets and so cannot be deleted."
        )
    if await dnssec.keys(ctx.db, row["id"]):
        raise HostedZoneNotEmpty("The specified hosted zone contains DNSSEC Key Signing Keys and so cannot be deleted.")
    version = await queries.bump(ctx.db, row["id"])
    answer = await zones.changed(ctx, row, version)
    if row["private"]:
        for vpc in await queries.vpcs(ctx.db, row["id"]):
            await vpcs.withdraw(ctx, row["id"], vpc["vpc_id"])
        await ctx.db.execute("DELETE FROM route53_zones WHERE id = $1", row["id"])
        return answer
    await ctx.engine("dns").remove(ctx.db, names.served(row["name"]), row["id"])
    await ctx.wake(zones.GONE_ZONE, names.served(row["name"]))
    await ctx.wake(query_logs.WATCH, STANDING)
    await ctx.db.execute("DELETE FROM route53_zones WHERE id = $1", row["id"])
    for other in await ctx.db.fetch("SELECT id FROM route53_zones WHERE name = $1 AND NOT private", row["name"]):
        await ctx.wake(zones.ZONE, other["id"])
    return answer


@operation("ListHostedZones", on=ANY)
async def list_hosted_zones(ctx: Context, request: Any) -> dict[str, Any]:
    """By id. Raises InvalidInput, NoSuchDelegationSet."""
    limit, marker = zones.limit(request), request.get("Marker") or ""
    delegation = request.get("DelegationSetId")
    if delegation:
        delegation, _ = await _delegation(ctx, delegation)
    private = True if request.get("HostedZoneType") else None
    rows = await queries.zones(ctx.db, ctx.account_id, zones.bare(marker), limit + 1, delegation, private)
    answer = {
        "HostedZones": [zones.shown(row) for row in rows[:limit]],
        "IsTruncated": len(rows) > limit,
        "MaxItems": str(limit),
        "Marker": marker,
    }
    return {**answer, "NextMarker": rows[limit]["id"]} if len(rows) > limit else answer


@operation("ListHostedZonesByName", on=ANY)
async def list_hosted_zones_by_name(ctx: Context, request: Any) -> dict[str, Any]:
    """By name, from its last label on. Raises InvalidInput, InvalidDomainName."""
    limit, asked, id = zones.limit(request), request.get("DNSName"), request.get("HostedZoneId")
    if id and not asked:
        raise InvalidInput("The request must contain a DNSName with a HostedZoneId.")
    first = (names.sort_key(names.normal(asked)) if asked else "", zones.bare(id or ""))
    rows = sorted(await queries.all_zones(ctx.db, ctx.account_id), key=_place)
    found = [row for row in rows if _place(row) >= first]
    answer: dict[str, Any] = {
        "HostedZones": [zones.shown(row) for row in found[:limit]],
        "IsTruncated": len(found) > limit,
        "MaxItems": str(limit),
    }
    if asked:
        answer["DNSName"] = names.normal(asked)
    if id:
        answer["HostedZoneId"] = zones.bare(id)
    if len(found) > limit:
        answer |= {"NextDNSName": found[limit]["name"], "NextHostedZoneId": found[limit]["id"]}
    return answer


def _place(row: Any) -> tuple[str, str]:
    return names.sort_key(row["name"]), row["id"]


@operation("GetHostedZoneCount", on=ANY)
async def get_hosted_zone_count(ctx: Context, request: Any) -> dict[str, Any]:
    """How many zones the account has."""
    return {"HostedZoneCount": await ctx.db.fetchval(_COUNT, ctx.account_id)}

"""Records, and whether a change is answered yet."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import Resource, operation
from controlplane.services.route53 import changes, names, queries, zones
from controlplane.services.route53.errors import InvalidInput, NoSuchChange
from controlplane.services.route53.zones import existing, locked, on_zone

_MOST_LISTED = 300


@operation("ChangeResourceRecordSets", on=on_zone)
async def change_resource_record_sets(ctx: Context, request: Any) -> dict[str, Any]:
    """Do all of a batch or nothing. Raises InvalidChangeBatch, InvalidInput, NoSuchHostedZone, NoSuchHealthCheck."""
    row = await locked(ctx, request)
    batch = changes.Batch(row, await queries.records(ctx.db, row["id"]))
    await batch.look_up(ctx, request["ChangeBatch"]["Changes"])
    batch.apply(request["ChangeBatch"]["Changes"])
    await batch.write(ctx)
    version = await queries.bump(ctx.db, row["id"])
    return await zones.changed(ctx, row, version, request["ChangeBatch"].get("Comment"))


@operation("ListResourceRecordSets", on=on_zone)
async def list_resource_record_sets(ctx: Context, request: Any) -> dict[str, Any]:
    """From a name (type, identifier) on. Raises InvalidInput, NoSuchHostedZone."""
    row, limit = existing(ctx, request), zones.limit(request, _MOST_LISTED)
    name, type = request.get("StartRecordName"), request.get("StartRecordType")
    identifier = request.get("StartRecordIdentifier")
    if type and not name:
        raise InvalidInput("The input is not valid: StartRecordType needs a StartRecordName.")
    if identifier and not type:
        raise InvalidInput("The input is not valid: StartRecordIdentifier needs a StartRecordType.")
    key = names.sort_key(names.normal(name)) if name else ""
    rows = await queries.records_page(ctx.db, row["id"], key, type or "", identifier or "", limit + 1)
    answer: dict[str, Any] = {
        "ResourceRecordSets": [item["content"] for item in rows[:limit]],
        "IsTruncated": len(rows) > limit,
        "MaxItems": str(limit),
    }
    if len(rows) > limit:
        following = rows[limit]
        answer |= {"NextRecordName": following["name"], "NextRecordType": following["type"]}
        if following["identifier"]:
            answer["NextRecordIdentifier"] = following["identifier"]
    return answer


async def on_change(ctx: Context, request: Any) -> list[Resource]:
    """The change that a request names; those of others are not found."""
    id = zones.bare(request["Id"])
    conditions = {"aws:ResourceAccount": ctx.account_id}
    return [Resource(f"arn:aws:route53:::change/{id}", conditions=conditions)]


@operation("GetChange", on=on_change)
async def get_change(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NoSuchChange."""
    id = zones.bare(request["Id"])
    row = await queries.change(ctx.db, id, ctx.account_id)
    if row is None:
        raise NoSuchChange(f"Could not find resource with ID: {id}")
    return {"ChangeInfo": zones.change(row)}


@operation("TestDNSAnswer", on=on_zone)
async def test_dns_answer(ctx: Context, request: Any) -> dict[str, Any]:
    """What the name servers answer now, to somebody at `EDNS0ClientSubnetIP`, else behind a resolver at `ResolverIP`.

    Raises NoSuchHostedZone, InvalidInput.
    """
    row, name = existing(ctx, request), names.normal(request["RecordName"])
    if row["private"]:
        raise InvalidInput("TestDNSAnswer is for public hosted zones only.")
    if not names.within(name, row["name"]):
        raise InvalidInput(f"The record name {name} is not in the hosted zone {row['name']}")
    code, values = await ctx.engine("dns").ask(f"{names.served(name)}.", request["RecordType"], _asker(request))
    return {
        "Nameserver": row["name_servers"][0],
        "RecordName": name,
        "RecordType": request["RecordType"],
        "RecordData": values,
        "ResponseCode": code,
        "Protocol": "UDP",
    }


def _asker(request: Any) -> str:
    """The network of whoever is said to ask; empty: nobody in particular. Raises InvalidInput."""
    subnet, mask = request.get("EDNS0ClientSubnetIP"), request.get("EDNS0ClientSubnetMask")
    if mask and not subnet:
        raise InvalidInput("EDNS0ClientSubnetMask needs an EDNS0ClientSubnetIP.")
    text = subnet or request.get("ResolverIP")
    if not text:
        return ""
    try:
        if "%" in text:  # a scope
            raise ValueError(text)
        address = ip_address(text)
        length = int(mask) if mask else (24 if address.version == 4 else 64) if subnet else address.max_prefixlen
        return str(ip_network(f"{address}/{length}", strict=False))
    except ValueError as error:
        raise InvalidInput(f"{text[:100]} is not an IP address or has no such mask.") from error

"""CIDR collections: networks under names, for IP-based routing."""

from __future__ import annotations

import uuid
from ipaddress import ip_network
from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import ANY, Resource, operation
from controlplane.core.paging import decode_token, encode_token
from controlplane.services.route53 import cidr, queries, zones
from controlplane.services.route53.errors import (
    CidrBlockInUseException,
    CidrCollectionAlreadyExistsException,
    CidrCollectionInUseException,
    CidrCollectionVersionMismatchException,
    InvalidInput,
    LimitsExceeded,
    NoSuchCidrCollectionException,
    NoSuchCidrLocationException,
)

_MOST, _MOST_BLOCKS = 5, 1000
_LONGEST = {4: 24, 6: 48}
_URL = "https://route53.amazonaws.com/2013-04-01"
_FIND = "SELECT * FROM route53_cidr_collections WHERE id = $1 AND account_id = $2"
_LIST = "SELECT * FROM route53_cidr_collections WHERE account_id = $1 ORDER BY id"
_INSERT = """
INSERT INTO route53_cidr_collections (id, account_id, name, caller_reference) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING RETURNING *
"""
_BUMP = "UPDATE route53_cidr_collections SET version = version + 1 WHERE id = $1"
_BLOCKS = "SELECT cidr, location FROM route53_cidr_blocks WHERE collection_id = $1 ORDER BY location, cidr"
_PUT = """
INSERT INTO route53_cidr_blocks (collection_id, cidr, location) VALUES ($1, $2, $3)
ON CONFLICT (collection_id, cidr) DO UPDATE SET location = excluded.location
"""
_DROP = "DELETE FROM route53_cidr_blocks WHERE collection_id = $1 AND cidr = $2 AND location = $3"


def _arn(id: str) -> str:
    return f"arn:aws:route53:::cidrcollection/{id}"


async def on_collection(ctx: Context, request: Any) -> list[Resource]:
    """The collection that a request names; those of others are not found."""
    id = request.get("Id") or request.get("CollectionId")
    return [Resource(_arn(str(id)), conditions={"aws:ResourceAccount": ctx.account_id})]


async def _find(ctx: Context, id: str, *, lock: bool = False) -> Any:
    row = await ctx.db.fetchrow(f"{_FIND} FOR UPDATE" if lock else _FIND, id, ctx.account_id)
    if row is None:
        raise NoSuchCidrCollectionException(f"No CIDR collection found with ID: {id[:36]}")
    return row


def _shown(row: Any) -> dict[str, Any]:
    return {"Arn": _arn(row["id"]), "Id": row["id"], "Name": row["name"], "Version": row["version"]}


@operation("CreateCidrCollection", on=ANY)
async def create_cidr_collection(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises CidrCollectionAlreadyExistsException, LimitsExceeded."""
    rows = await ctx.db.fetch(_LIST, ctx.account_id)
    there = next((row for row in rows if row["name"] == request["Name"]), None)
    if there is None and len(rows) >= _MOST:
        raise LimitsExceeded(f"An account has at most {_MOST} CIDR collections.")
    reference = request["CallerReference"]
    row = there or await ctx.db.fetchrow(_INSERT, str(uuid.uuid4()), ctx.account_id, request["Name"], reference)
    if row is None or row["caller_reference"] != reference:
        raise CidrCollectionAlreadyExistsException(f"A CIDR collection named {request['Name']} already exists.")
    return {"Collection": _shown(row), "Location": f"{_URL}/cidrcollection/{row['id']}"}


@operation("ChangeCidrCollection", on=on_collection)
async def change_cidr_collection(ctx: Context, request: Any) -> dict[str, Any]:
    """Put networks into locations, or take them away, all or none. Raises NoSuchCidrCollectionException,
    CidrCollectionVersionMismatchException, CidrBlockInUseException, InvalidInput, LimitsExceeded."""
    row = await _find(ctx, request["Id"], lock=True)
    if request.get("CollectionVersion") not in (None, row["version"]):
        raise CidrCollectionVersionMismatchException(f"The CIDR collection has version {row['version']} by now.")
    there = await ctx.db.fetch(_BLOCKS, row["id"])
    before = {block["location"] for block in there}
    for change in request["Changes"]:
        for block in sorted({_network(text) for text in change["CidrList"]}):
            sql = _PUT if change["Action"] == "PUT" else _DROP
            await ctx.db.execute(sql, row["id"], block, change["LocationName"])
    after = await ctx.db.fetch(_BLOCKS, row["id"])
    if len(after) > _MOST_BLOCKS:
        raise LimitsExceeded(f"A CIDR collection has at most {_MOST_BLOCKS} CIDR blocks.")
    if len(after) > len(there):
        await _check_answers(ctx, row["id"])
    emptied = sorted(before - {block["location"] for block in after})
    if emptied and await cidr.zones_using(ctx.db, row["id"], emptied):
        raise CidrBlockInUseException(f"Records use the location {emptied[0]}, of which nothing would be left.")
    await ctx.db.execute(_BUMP, row["id"])
    return {"Id": await _have_answered(ctx, row["id"])}


async def _check_answers(ctx: Context, collection: str) -> None:
    """Raises LimitsExceeded."""
    for zone in await cidr.zones_using(ctx.db, collection):
        contents = [record["content"] for record in await queries.records(ctx.db, zone)]
        if excess := await cidr.excess(ctx, contents):
            raise LimitsExceeded(f"{excess} It is hosted zone {zone} that would answer so much.")


async def _have_answered(ctx: Context, collection: str) -> str:
    """Have all zones that use a collection worked out anew; GetChange then tells of the last of them."""
    using = await cidr.zones_using(ctx.db, collection)
    if not using:  # in sync at once
        id = zones.new_id("C")
        await ctx.db.insert("route53_changes", id=id, account_id=ctx.account_id, zone_id="", version=0)
    for zone in using:
        changed = await zones.changed(ctx, await queries.lock_zone(ctx.db, zone), await queries.bump(ctx.db, zone))
        id = zones.bare(changed["ChangeInfo"]["Id"])
    return id


def _network(text: str) -> str:
    try:
        network = ip_network(text)
    except ValueError as error:
        raise InvalidInput(f"{text[:50]} is not a CIDR block.") from error
    if "%" in text:  # Python takes the scope of an IPv6 address, which is any text
        raise InvalidInput(f"{text[:50]} is not a CIDR block.")
    if not 0 < network.prefixlen <= _LONGEST[network.version]:
        raise InvalidInput(f"The CIDR block {text[:50]} must be /1 to /{_LONGEST[network.version]}.")
    return str(network)


@operation("DeleteCidrCollection", on=on_collection)
async def delete_cidr_collection(ctx: Context, request: Any) -> dict[str, Any]:
    """An empty one. Raises NoSuchCidrCollectionException, CidrCollectionInUseException."""
    row = await _find(ctx, request["Id"], lock=True)
    if await ctx.db.fetch(_BLOCKS, row["id"]) or await cidr.zones_using(ctx.db, row["id"]):
        raise CidrCollectionInUseException("The CIDR collection has CIDR blocks or is used by records.")
    await ctx.db.execute("DELETE FROM route53_cidr_collections WHERE id = $1", row["id"])
    return {}


def _page(request: Any, items: list[dict[str, Any]], member: str, key: str) -> dict[str, Any]:
    limit, token = zones.limit({"MaxItems": request.get("MaxResults")}), request.get("NextToken")
    try:
        after = str(decode_token(token)) if token else ""
    except ValueError as error:
        raise InvalidInput("The pagination token is not one of ours.") from error
    found = [item for item in items if item[key] > after]
    answer = {member: found[:limit]}
    return {**answer, "NextToken": encode_token(found[limit - 1][key])} if len(found) > limit else answer


@operation("ListCidrCollections", on=ANY)
async def list_cidr_collections(ctx: Context, request: Any) -> dict[str, Any]:
    """By id. Raises InvalidInput."""
    rows = await ctx.db.fetch(_LIST, ctx.account_id)
    return _page(request, [_shown(row) for row in rows], "CidrCollections", "Id")


@operation("ListCidrLocations", on=on_collection)
async def list_cidr_locations(ctx: Context, request: Any) -> dict[str, Any]:
    """By name. Raises NoSuchCidrCollectionException, InvalidInput."""
    row = await _find(ctx, request["CollectionId"])
    names = sorted({block["location"] for block in await ctx.db.fetch(_BLOCKS, row["id"])})
    return _page(request, [{"LocationName": name} for name in names], "CidrLocations", "LocationName")


@operation("ListCidrBlocks", on=on_collection)
async def list_cidr_blocks(ctx: Context, request: Any) -> dict[str, Any]:
    """Of a location, or all. Raises NoSuchCidrCollectionException, NoSuchCidrLocationException, InvalidInput."""
    row, location = await _find(ctx, request["CollectionId"]), request.get("LocationName")
    blocks = await ctx.db.fetch(_BLOCKS, row["id"])
    found = [block for block in blocks if location in (None, block["location"])]
    if location is not None and not found:
        raise NoSuchCidrLocationException(f"The CIDR collection has no location {location[:16]}.")
    shown = [{"CidrBlock": block["cidr"], "LocationName": block["location"]} for block in found]
    return _page(request, sorted(shown, key=lambda item: item["CidrBlock"]), "CidrBlocks", "CidrBlock")

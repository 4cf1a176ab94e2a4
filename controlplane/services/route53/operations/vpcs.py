"""In which VPCs private zones answer, also in those of other accounts."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import ANY, Resource, operation
from controlplane.core.paging import decode_token, encode_token
from controlplane.services.route53 import queries, vpcs, zones
from controlplane.services.route53.errors import (
    InvalidPaginationToken,
    LastVPCAssociation,
    NotAuthorizedException,
    PublicZoneVPCAssociation,
    TooManyVPCAssociationAuthorizations,
    VPCAssociationAuthorizationNotFound,
    VPCAssociationNotFound,
)
from controlplane.services.route53.zones import existing, on_zone

_MOST_AUTHORIZATIONS = 1000
_MAY = "SELECT true FROM route53_vpc_authorizations WHERE zone_id = $1 AND vpc_id = $2"
_PERMIT = """
INSERT INTO route53_vpc_authorizations (zone_id, vpc_id, vpc_region) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
"""
_FORBID = "DELETE FROM route53_vpc_authorizations WHERE zone_id = $1 AND vpc_id = $2 RETURNING true"
_COUNT = "SELECT count(*) FROM route53_vpc_authorizations WHERE zone_id = $1"
_PERMITTED = """
SELECT * FROM route53_vpc_authorizations WHERE zone_id = $1 AND vpc_id > $2 ORDER BY vpc_id LIMIT $3
"""
_IN_VPC = """
SELECT z.id, z.name, z.account_id FROM route53_zone_vpcs v JOIN route53_zones z ON z.id = v.zone_id
WHERE v.vpc_id = $1 AND v.vpc_region = $2 AND v.account_id = $3 AND z.id > $4 ORDER BY z.id LIMIT $5
"""


async def on_association(ctx: Context, request: Any) -> list[Resource]:
    """The zone. The owner of a VPC asks about it too: whether the zone's owner lets it is the operation's question."""
    (resource,) = await on_zone(ctx, request)
    return [Resource(resource.arn, resource.tags, conditions={"aws:ResourceAccount": ctx.account_id}, row=resource.row)]


async def _zone(ctx: Context, request: Any) -> Any:
    """The zone, locked. Raises NoSuchHostedZone, PublicZoneVPCAssociation."""
    row = ctx.resources[0].row
    row = await queries.lock_zone(ctx.db, row["id"]) if row is not None else None
    if row is None:
        raise zones.missing(request)
    if not row["private"]:
        if row["account_id"] != ctx.account_id:
            raise NotAuthorizedException("The hosted zone is not yours.")
        raise PublicZoneVPCAssociation(f"The hosted zone {row['id']} is a public hosted zone.")
    return row


@operation("AssociateVPCWithHostedZone", on=on_association)
async def associate_vpc_with_hosted_zone(ctx: Context, request: Any) -> dict[str, Any]:
    """Have a private zone answer in a further VPC of the caller's; another account's zone with its authorization.

    Raises NoSuchHostedZone, InvalidVPCId, NotAuthorizedException, PublicZoneVPCAssociation, ConflictingDomainExists.
    """
    row, vpc = await _zone(ctx, request), await vpcs.named(ctx, request["VPC"])
    permitted = bool(await ctx.db.fetchval(_MAY, row["id"], vpc.id))
    if vpc.owner != ctx.account_id or (row["account_id"] != ctx.account_id and not permitted):
        raise NotAuthorizedException(
            f"The VPC: {vpc.id} has not authorized to associate with your hosted zone."
            if vpc.owner != ctx.account_id
            else f"The VPC {vpc.id} is not authorized to be associated with the hosted zone {row['id']}."
        )
    await vpcs.associate(ctx, row, vpc)
    return await zones.changed(ctx, row, await queries.bump(ctx.db, row["id"]), request.get("Comment"))


@operation("DisassociateVPCFromHostedZone", on=on_association)
async def disassociate_vpc_from_hosted_zone(ctx: Context, request: Any) -> dict[str, Any]:
    """By the zone's owner or the VPC's. Raises NoSuchHostedZone, VPCAssociationNotFound, LastVPCAssociation."""
    row, id = await _zone(ctx, request), request["VPC"].get("VPCId") or ""
    found = await queries.vpcs(ctx.db, row["id"])
    there = next((item for item in found if item["vpc_id"] == id), None)
    if there is None or ctx.account_id not in (row["account_id"], there["account_id"]):
        if row["account_id"] != ctx.account_id:
            raise NotAuthorizedException("Neither the hosted zone nor the VPC is yours.")
        raise VPCAssociationNotFound(f"The VPC {id[:100]} and the hosted zone {row['id']} are not associated.")
    if len(found) == 1:
        raise LastVPCAssociation("The last VPC of a private hosted zone cannot be taken from it.")
    await vpcs.withdraw(ctx, row["id"], id)
    return await zones.changed(ctx, row, await queries.bump(ctx.db, row["id"]), request.get("Comment"))


@operation("CreateVPCAssociationAuthorization", on=on_zone)
async def create_vpc_association_authorization(ctx: Context, request: Any) -> dict[str, Any]:
    """Let another account have the zone answer in its VPC. Raises NoSuchHostedZone, InvalidVPCId,
    PublicZoneVPCAssociation, TooManyVPCAssociationAuthorizations."""
    row = existing(ctx, request)
    if not row["private"]:
        raise PublicZoneVPCAssociation(f"The hosted zone {row['id']} is a public hosted zone.")
    vpc = await vpcs.named(ctx, request["VPC"])
    if await ctx.db.fetchval(_COUNT, row["id"]) >= _MOST_AUTHORIZATIONS:
        raise TooManyVPCAssociationAuthorizations("The hosted zone has as many authorizations as it may have.")
    await ctx.db.execute(_PERMIT, row["id"], vpc.id, vpc.region)
    return {"HostedZoneId": row["id"], "VPC": vpc.shown()}


@operation("DeleteVPCAssociationAuthorization", on=on_zone)
async def delete_vpc_association_authorization(ctx: Context, request: Any) -> dict[str, Any]:
    """An association that was made stays. Raises NoSuchHostedZone, VPCAssociationAuthorizationNotFound."""
    row, id = existing(ctx, request), request["VPC"].get("VPCId") or ""
    if not await ctx.db.fetchval(_FORBID, row["id"], id):
        raise VPCAssociationAuthorizationNotFound(f"The VPC {id[:100]} has no authorization for the hosted zone.")
    return {}


@operation("ListVPCAssociationAuthorizations", on=on_zone)
async def list_vpc_association_authorizations(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NoSuchHostedZone, InvalidPaginationToken."""
    row, limit = existing(ctx, request), zones.limit({"MaxItems": request.get("MaxResults")}, 50)
    rows = await ctx.db.fetch(_PERMITTED, row["id"], _after(request), limit + 1)
    answer = {"HostedZoneId": row["id"], "VPCs": [vpcs.shown(item) for item in rows[:limit]]}
    return {**answer, "NextToken": encode_token(rows[limit - 1]["vpc_id"])} if len(rows) > limit else answer


@operation("ListHostedZonesByVPC", on=ANY)
async def list_hosted_zones_by_vpc(ctx: Context, request: Any) -> dict[str, Any]:
    """The private zones that answer in a VPC of the caller's. Raises InvalidVPCId, InvalidPaginationToken."""
    limit = zones.limit(request)
    vpc = await vpcs.own(ctx, {"VPCId": request["VPCId"], "VPCRegion": request["VPCRegion"]})
    rows = await ctx.db.fetch(_IN_VPC, vpc.id, vpc.region, ctx.account_id, _after(request), limit + 1)
    told = [
        {"HostedZoneId": row["id"], "Name": row["name"], "Owner": {"OwningAccount": row["account_id"]}}
        for row in rows[:limit]
    ]
    answer = {"HostedZoneSummaries": told, "MaxItems": str(limit)}
    return {**answer, "NextToken": encode_token(rows[limit - 1]["id"])} if len(rows) > limit else answer


def _after(request: Any) -> str:
    token = request.get("NextToken")
    try:
        return str(decode_token(token)) if token else ""
    except ValueError as error:
        raise InvalidPaginationToken("The pagination token is not one of ours.") from error

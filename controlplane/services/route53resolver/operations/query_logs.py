"""Where the questions of VPCs are logged."""

from __future__ import annotations

from typing import Any

from agents.contract.network import QueryLog
from controlplane.core.arn import Arn
from controlplane.core.context import Context
from controlplane.core.errors import NotImplementedByCelaje
from controlplane.core.operation import ANY, operation
from controlplane.fleet import resolving
from controlplane.services.route53resolver import query_logs, vpcs
from controlplane.services.route53resolver.errors import (
    InvalidParameterException,
    InvalidRequestException,
    LimitExceededException,
    ResourceExistsException,
    ResourceNotFoundException,
)
from controlplane.services.route53resolver.listing import arn, fits, listed, new_id, on, tags, time

_MOST = 20
_COUNTED = """
SELECT c.*, (SELECT count(*) FROM route53resolver_query_log_vpcs a WHERE a.config_id = c.id) AS vpcs
FROM route53resolver_query_logs c
"""
_FIND = f"{_COUNTED} WHERE c.id = $1 AND c.account_id = $2 AND c.region = $3"
_LIST = f"{_COUNTED} WHERE c.account_id = $1 AND c.region = $2 ORDER BY c.id"
_LOCK = "SELECT id FROM route53resolver_query_logs WHERE id = $1 FOR UPDATE"
_INSERT = """
INSERT INTO route53resolver_query_logs (id, account_id, region, request_id, name, destination, tags)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING id
"""
_ASSOCIATE = """
INSERT INTO route53resolver_query_log_vpcs (id, account_id, region, config_id, vpc_id) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING RETURNING *
"""
_ASSOCIATIONS = "SELECT * FROM route53resolver_query_log_vpcs WHERE account_id = $1 AND region = $2 ORDER BY id"
_ASSOCIATION = "SELECT * FROM route53resolver_query_log_vpcs WHERE id = $1 AND account_id = $2 AND region = $3"
_DISASSOCIATE = "DELETE FROM route53resolver_query_log_vpcs WHERE config_id = $1 AND vpc_id = $2 RETURNING *"
_on = on("resolver-query-log-config", "ResolverQueryLogConfigId")


async def _find(ctx: Context, id: str, *, lock: bool = False) -> Any:
    if lock:
        await ctx.db.fetchval(_LOCK, id)
    row = await ctx.db.fetchrow(_FIND, id, ctx.account_id, ctx.region)
    if row is None:
        raise ResourceNotFoundException(
            f'[RSLVR-01601] The specified query logging configuration doesn\'t exist. Trace Id: "{ctx.request_id}"'
        )
    return row


def _shown(ctx: Context, row: Any, status: str = "CREATED") -> dict[str, Any]:
    return {
        "Id": row["id"],
        "OwnerId": row["account_id"],
        "Status": status,
        "ShareStatus": "NOT_SHARED",
        "AssociationCount": row["vpcs"],
        "Arn": arn(ctx, "resolver-query-log-config", row["id"]),
        "Name": row["name"],
        "DestinationArn": row["destination"],
        "CreatorRequestId": row["request_id"],
        "CreationTime": time(row["created_at"]),
    }


@operation("CreateResolverQueryLogConfig", on=ANY)
async def create_resolver_query_log_config(ctx: Context, request: Any) -> dict[str, Any]:
    """Log into a bucket or a log group. Raises InvalidParameterException, InvalidRequestException,
    ResourceExistsException, LimitExceededException."""
    destination = request["DestinationArn"]
    try:
        where = Arn.parse(destination)
    except ValueError as error:
        raise InvalidParameterException("[RSLVR-01602] The DestinationArn is not an ARN.") from error
    if where.service == "firehose":
        raise NotImplementedByCelaje("Query logs go into S3 buckets and log groups: this cloud has no Firehose yet.")
    if where.service not in ("s3", "logs"):
        raise InvalidParameterException("[RSLVR-01603] The DestinationArn names no destination of query logs.")
    await query_logs.check(ctx, destination)
    if len(await ctx.db.fetch(_LIST, ctx.account_id, ctx.region)) >= _MOST:
        raise LimitExceededException(f"[RSLVR-01604] There are at most {_MOST} query logging configurations.")
    id = f"rqlc-{new_id('').rpartition('-')[2]}"
    own = (id, ctx.account_id, ctx.region, request["CreatorRequestId"], request["Name"], destination)
    if await ctx.db.fetchval(_INSERT, *own, tags(request.get("Tags"))) is None:
        raise ResourceExistsException(
            f"[RSLVR-01605] A query logging configuration with creator request ID {own[3]} already exists."
        )
    return {"ResolverQueryLogConfig": _shown(ctx, await _find(ctx, id), "CREATING")}


@operation("GetResolverQueryLogConfig", on=_on)
async def get_resolver_query_log_config(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourceNotFoundException."""
    return {"ResolverQueryLogConfig": _shown(ctx, await _find(ctx, request["ResolverQueryLogConfigId"]))}


@operation("DeleteResolverQueryLogConfig", on=_on)
async def delete_resolver_query_log_config(ctx: Context, request: Any) -> dict[str, Any]:
    """One that no VPC has any longer. Raises ResourceNotFoundException, InvalidRequestException."""
    row = await _find(ctx, request["ResolverQueryLogConfigId"], lock=True)
    if row["vpcs"]:
        raise InvalidRequestException("[RSLVR-01606] The query logging configuration is associated with VPCs.")
    await ctx.db.execute("DELETE FROM route53resolver_query_logs WHERE id = $1", row["id"])
    return {"ResolverQueryLogConfig": _shown(ctx, row, "DELETING")}


@operation("ListResolverQueryLogConfigs", on=ANY)
async def list_resolver_query_log_configs(ctx: Context, request: Any) -> dict[str, Any]:
    """By id. Raises InvalidNextTokenException."""
    rows = await ctx.db.fetch(_LIST, ctx.account_id, ctx.region)
    return _counted(request, [_shown(ctx, row) for row in rows], "ResolverQueryLogConfigs")


def _counted(request: Any, items: list[dict[str, Any]], member: str) -> dict[str, Any]:
    found = [item for item in items if fits(item, request.get("Filters") or ())]
    return {**listed(request, found, member), "TotalCount": len(items), "TotalFilteredCount": len(found)}


def _association(row: Any, status: str = "") -> dict[str, Any]:
    shown = {
        "Id": row["id"],
        "ResolverQueryLogConfigId": row["config_id"],
        "ResourceId": row["vpc_id"],
        "Status": status or ("ACTIVE" if row["error"] == "NONE" else "ACTION_NEEDED"),
        "Error": row["error"],
        "CreationTime": time(row["created_at"]),
    }
    if row["dropped"]:
        lost = f"{row['dropped']} questions that were not taken in time were dropped"
        shown["ErrorMessage"] = f"{row['message']}; {lost}" if row["message"] else lost
    elif row["message"]:
        shown["ErrorMessage"] = row["message"]
    return shown


@operation("AssociateResolverQueryLogConfig", on=_on)
async def associate_resolver_query_log_config(ctx: Context, request: Any) -> dict[str, Any]:
    """Log what guests of a VPC of the caller's ask. Raises ResourceNotFoundException, InvalidParameterException,
    ResourceExistsException."""
    config, vpc = await _find(ctx, request["ResolverQueryLogConfigId"], lock=True), request["ResourceId"]
    await vpcs.check_own(ctx, vpc, InvalidParameterException(f"[RSLVR-01607] The VPC {vpc[:64]} does not exist."))
    id = f"rqlca-{new_id('').rpartition('-')[2]}"
    row = await ctx.db.fetchrow(_ASSOCIATE, id, ctx.account_id, ctx.region, config["id"], vpc)
    if row is None:
        raise ResourceExistsException(f"[RSLVR-01608] {config['id']} is associated with {vpc} already.")
    await resolving.put(ctx.db, vpc, QueryLog(id=id))
    await vpcs.publish(ctx, vpc)
    await ctx.wake(query_logs.DELIVER, id)
    return {"ResolverQueryLogConfigAssociation": _association(row, "CREATING")}


@operation("DisassociateResolverQueryLogConfig", on=_on)
async def disassociate_resolver_query_log_config(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourceNotFoundException."""
    config, vpc = await _find(ctx, request["ResolverQueryLogConfigId"], lock=True), request["ResourceId"]
    row = await ctx.db.fetchrow(_DISASSOCIATE, config["id"], vpc)
    if row is None:
        raise ResourceNotFoundException(f"[RSLVR-01609] {config['id']} is not associated with {vpc[:64]}.")
    await resolving.drop(ctx.db, vpc, row["id"])
    await vpcs.publish(ctx, vpc)
    return {"ResolverQueryLogConfigAssociation": _association(row, "DELETING")}


@operation("GetResolverQueryLogConfigAssociation", on=ANY)
async def get_resolver_query_log_config_association(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourceNotFoundException."""
    id = request["ResolverQueryLogConfigAssociationId"]
    row = await ctx.db.fetchrow(_ASSOCIATION, id, ctx.account_id, ctx.region)
    if row is None:
        raise ResourceNotFoundException(f"[RSLVR-01610] The association {id[:64]} does not exist.")
    return {"ResolverQueryLogConfigAssociation": _association(row)}


@operation("ListResolverQueryLogConfigAssociations", on=ANY)
async def list_resolver_query_log_config_associations(ctx: Context, request: Any) -> dict[str, Any]:
    """By id. Raises InvalidNextTokenException."""
    rows = await ctx.db.fetch(_ASSOCIATIONS, ctx.account_id, ctx.region)
    return _counted(request, [_association(row) for row in rows], "ResolverQueryLogConfigAssociations")

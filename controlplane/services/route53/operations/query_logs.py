"""Configurations of query logging."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from controlplane.core.context import Context
from controlplane.core.ids import any_uuid
from controlplane.core.operation import Resource, operation
from controlplane.core.paging import decode_token, encode_token
from controlplane.services.route53 import query_logs, zones
from controlplane.services.route53.errors import (
    InvalidInput,
    InvalidPaginationToken,
    NoSuchQueryLoggingConfig,
    QueryLoggingConfigAlreadyExists,
)
from controlplane.services.route53.zones import existing, locked, on_zone
from controlplane.work.reconciler import STANDING

_URL = "https://route53.amazonaws.com/2013-04-01/queryloggingconfig"
_FIND = "SELECT * FROM route53_query_logs WHERE id = $1"
_INSERT = """
INSERT INTO route53_query_logs (id, zone_id, account_id, group_arn) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING RETURNING *
"""
_DELETE = "DELETE FROM route53_query_logs WHERE id = $1 AND account_id = $2 RETURNING true"
_LIST = """
SELECT * FROM route53_query_logs WHERE account_id = $1 AND ($2::text IS NULL OR zone_id = $2) AND id > $3
ORDER BY id LIMIT $4
"""


def _shown(row: Any) -> dict[str, Any]:
    return {"Id": row["id"], "HostedZoneId": row["zone_id"], "CloudWatchLogsLogGroupArn": row["group_arn"]}


async def on_config(ctx: Context, request: Any) -> list[Resource]:
    """The configuration that a request names."""
    row = await ctx.db.fetchrow(_FIND, request["Id"])
    owner = row["account_id"] if row is not None else ctx.account_id
    where = f"arn:aws:route53:::queryloggingconfig/{request['Id']}"
    return [Resource(where, conditions={"aws:ResourceAccount": owner}, row=row)]


@operation("CreateQueryLoggingConfig", on=on_zone)
async def create_query_logging_config(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NoSuchHostedZone, InvalidInput, QueryLoggingConfigAlreadyExists, NoSuchCloudWatchLogsLogGroup,
    InsufficientCloudWatchLogsResourcePolicy."""
    zone, arn = await locked(ctx, request), request["CloudWatchLogsLogGroupArn"]
    if zone["private"]:
        raise InvalidInput("Query logging is for public hosted zones only.")
    if not ctx.engine("dns").watches():
        raise InvalidInput("Query logging needs dnsdist, which is not installed on the cloud's machine.")
    group = query_logs.group(ctx, arn)
    row = await ctx.db.fetchrow(_INSERT, any_uuid(), zone["id"], ctx.account_id, arn)
    if row is None:
        raise QueryLoggingConfigAlreadyExists(
            f"A query logging configuration already exists for the hosted zone {zone['id']}."
        )
    acting = ctx.as_service(query_logs.SERVICE, zones.arn(zone["id"]), ctx.account_id)
    await query_logs.prepare(ctx, replace(acting, region=ctx.cloud.regions[0]), group, zone["id"])
    await ctx.wake(query_logs.WATCH, STANDING)
    return {"QueryLoggingConfig": _shown(row), "Location": f"{_URL}/{row['id']}"}


@operation("GetQueryLoggingConfig", on=on_config)
async def get_query_logging_config(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NoSuchQueryLoggingConfig."""
    return {"QueryLoggingConfig": _shown(_existing(ctx))}


@operation("DeleteQueryLoggingConfig", on=on_config)
async def delete_query_logging_config(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NoSuchQueryLoggingConfig."""
    _existing(ctx)
    if not await ctx.db.fetchval(_DELETE, request["Id"], ctx.account_id):
        raise NoSuchQueryLoggingConfig("The specified query logging configuration does not exist.")
    await ctx.wake(query_logs.WATCH, STANDING)
    return {}


def _existing(ctx: Context) -> Any:
    row = ctx.resources[0].row
    if row is None or row["account_id"] != ctx.account_id:
        raise NoSuchQueryLoggingConfig("The specified query logging configuration does not exist.")
    return row


@operation("ListQueryLoggingConfigs", on=on_zone)
async def list_query_logging_configs(ctx: Context, request: Any) -> dict[str, Any]:
    """By id; of one zone, or of all. Raises NoSuchHostedZone, InvalidInput, InvalidPaginationToken."""
    zone = existing(ctx, request)["id"] if request.get("HostedZoneId") else None
    limit, token = zones.limit({"MaxItems": request.get("MaxResults")}), request.get("NextToken")
    try:
        after = decode_token(token) if token else ""
    except ValueError:
        after = None
    if not isinstance(after, str) or "\x00" in after:
        raise InvalidPaginationToken("The pagination token is not one of ours.")
    rows = await ctx.db.fetch(_LIST, ctx.account_id, zone, after, limit + 1)
    answer = {"QueryLoggingConfigs": [_shown(row) for row in rows[:limit]]}
    return {**answer, "NextToken": encode_token(rows[limit - 1]["id"])} if len(rows) > limit else answer

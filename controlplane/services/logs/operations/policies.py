"""Resource policies of an account: which services may write into its groups."""

from __future__ import annotations

from typing import Any

from controlplane.access import named_principals
from controlplane.core.context import Context
from controlplane.core.errors import NotImplementedByCelaje
from controlplane.core.operation import ANY, operation
from controlplane.core.paging import encode_token
from controlplane.services.logs import policies
from controlplane.services.logs.errors import (
    InvalidParameterException,
    LimitExceededException,
    ResourceNotFoundException,
)
from controlplane.services.logs.operations.groups import after

_MOST = 10
_LONGEST = 5120
_PAGE = 50
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('logs policies ' || $1 || $2))"
_NAMES = "SELECT name FROM logs_resource_policies WHERE account_id = $1 AND region = $2"
_PUT = """
INSERT INTO logs_resource_policies (account_id, region, name, document) VALUES ($1, $2, $3, $4)
ON CONFLICT (account_id, region, name) DO UPDATE SET document = excluded.document, updated_at = clock_timestamp()
RETURNING *
"""
_DELETE = "DELETE FROM logs_resource_policies WHERE account_id = $1 AND region = $2 AND name = $3 RETURNING name"
_LIST = """
SELECT * FROM logs_resource_policies WHERE account_id = $1 AND region = $2 AND name > $3 ORDER BY name LIMIT $4
"""


def _name(request: Any) -> str:
    """The policy that a request names. Raises InvalidParameterException."""
    if any(request.get(member) for member in ("resourceArn", "expectedRevisionId")):
        raise NotImplementedByCelaje("Policies of single log groups are not built.")
    name = request.get("policyName") or ""
    if not name or "\x00" in name:
        raise InvalidParameterException("The name of a resource policy must be given.")
    return str(name)


@operation("PutResourcePolicy", on=ANY)
async def put_resource_policy(ctx: Context, request: Any) -> dict[str, Any]:
    """Make or replace a policy. Raises InvalidParameterException, LimitExceededException."""
    name, document = _name(request), request.get("policyDocument") or ""
    if len(document) > _LONGEST:
        raise InvalidParameterException(f"A resource policy has at most {_LONGEST} characters.")
    kept = await policies.bound(ctx, document)
    await ctx.db.fetch(_LOCK, ctx.account_id, ctx.region)
    names = {row["name"] for row in await ctx.db.fetch(_NAMES, ctx.account_id, ctx.region)}
    if len(names | {name}) > _MOST:
        raise LimitExceededException("Resource limit exceeded.")
    row = await ctx.db.fetchrow(_PUT, ctx.account_id, ctx.region, name, kept)
    return {"resourcePolicy": _shown(row, document)}


@operation("DescribeResourcePolicies", on=ANY)
async def describe_resource_policies(ctx: Context, request: Any) -> dict[str, Any]:
    """Policies by name. Raises InvalidParameterException."""
    if request.get("policyScope") == "RESOURCE" or request.get("resourceArn"):
        raise NotImplementedByCelaje("Policies of single log groups are not built.")
    size = request.get("limit") or _PAGE
    rows = await ctx.db.fetch(_LIST, ctx.account_id, ctx.region, after(request), size + 1)
    told = await named_principals.show(ctx.db, [row["document"] for row in rows])
    shown = [_shown(row, document) for row, document in zip(rows, told, strict=True)]
    more = {"nextToken": encode_token(rows[size - 1]["name"])} if len(rows) > size else {}
    return {"resourcePolicies": shown[:size], **more}


def _shown(row: Any, document: str) -> dict[str, Any]:
    return {
        "policyName": row["name"],
        "policyDocument": document,
        "lastUpdatedTime": int(row["updated_at"].timestamp() * 1000),
        "policyScope": "ACCOUNT",
    }


@operation("DeleteResourcePolicy", on=ANY)
async def delete_resource_policy(ctx: Context, request: Any) -> None:
    """Delete a policy. Raises ResourceNotFoundException, InvalidParameterException."""
    name = _name(request)
    if await ctx.db.fetchval(_DELETE, ctx.account_id, ctx.region, name) is None:
        raise ResourceNotFoundException(f"Policy with name [{name}] does not exist.")

"""Tags of whatever has any."""

from __future__ import annotations

from typing import Any

from controlplane.core.arn import Arn
from controlplane.core.context import Context
from controlplane.core.operation import Resource, operation
from controlplane.services.route53resolver.errors import InvalidParameterException, ResourceNotFoundException
from controlplane.services.route53resolver.listing import arn, tags

_TABLES = {
    "resolver-endpoint": "route53resolver_endpoints",
    "resolver-rule": "route53resolver_rules",
    "resolver-query-log-config": "route53resolver_query_logs",
    "firewall-domain-list": "route53resolver_domain_lists",
    "firewall-rule-group": "route53resolver_rule_groups",
    "firewall-rule-group-association": "route53resolver_group_vpcs",
}


def _on(ctx: Context, request: Any) -> Resource:
    return Resource(request["ResourceArn"])


async def _find(ctx: Context, request: Any) -> tuple[str, str, dict[str, str]]:
    """Table, id and tags. Raises ResourceNotFoundException, InvalidParameterException."""
    text = request["ResourceArn"]
    try:
        found = Arn.parse(text)
    except ValueError as error:
        raise InvalidParameterException(f"[RSLVR-01000] {text[:200]} is not an ARN.") from error
    kind, _, id = found.resource.partition("/")
    table = _TABLES.get(kind)
    sql = f"SELECT tags FROM {table} WHERE id = $1 AND account_id = $2 AND region = $3"
    own = table is not None and text == arn(ctx, kind, id)
    row = await ctx.db.fetchrow(sql, id, ctx.account_id, ctx.region) if own else None
    if row is None or table is None:
        raise ResourceNotFoundException(f'[RSLVR-01001] The resource "{text[:200]}" does not exist.')
    return table, id, dict(row["tags"])


async def _keep(ctx: Context, table: str, id: str, kept: dict[str, str]) -> None:
    await ctx.db.execute(f"UPDATE {table} SET tags = $2 WHERE id = $1", id, kept)


@operation("TagResource", on=_on)
async def tag_resource(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourceNotFoundException."""
    table, id, kept = await _find(ctx, request)
    await _keep(ctx, table, id, {**kept, **tags(request["Tags"])})
    return {}


@operation("UntagResource", on=_on)
async def untag_resource(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourceNotFoundException."""
    table, id, kept = await _find(ctx, request)
    await _keep(ctx, table, id, {key: value for key, value in kept.items() if key not in request["TagKeys"]})
    return {}


@operation("ListTagsForResource", on=_on)
async def list_tags_for_resource(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourceNotFoundException."""
    _, _, kept = await _find(ctx, request)
    return {"Tags": [{"Key": key, "Value": value} for key, value in sorted(kept.items())]}

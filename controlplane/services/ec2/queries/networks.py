"""SQL on VPCs, subnets, route tables and security groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from controlplane.core.context import Context, Unit
from controlplane.services.ec2.tagging import column


async def one(ctx: Context, table: str, id: str) -> Any:
    """One row of the caller's account and region by id, or None. Table names come from `nouns`."""
    return await ctx.db.fetchrow(
        f"SELECT * FROM {table} WHERE id = $1 AND account_id = $2 AND region = $3",
        id,
        ctx.account_id,
        ctx.region,
    )


async def lock(ctx: Context, table: str, id: str, strength: str = "UPDATE") -> Any:
    """The same, locked until the end of the transaction: what waited for the lock sees the row as it is then.

    `strength` is a row lock of Postgres: `KEY SHARE` keeps a row from going, `NO KEY UPDATE` puts its changes in order.
    """
    return await ctx.db.fetchrow(
        f"SELECT * FROM {table} WHERE id = $1 AND account_id = $2 AND region = $3 FOR {strength}",
        id,
        ctx.account_id,
        ctx.region,
    )


async def listing(ctx: Context, table: str, ids: Sequence[str] | None = None) -> list[Any]:
    """All rows of a table that belong to the caller's account and region, oldest first, with `tags`."""
    return await ctx.db.cached(
        f"SELECT x.*, {column('x')} FROM {table} x WHERE x.account_id = $1 AND x.region = $2 "
        "AND ($3::text[] IS NULL OR x.id = ANY($3)) ORDER BY x.created_at, x.id",
        ctx.account_id,
        ctx.region,
        list(ids) if ids else None,
    )


_DEFAULT_SUBNETS = """
SELECT s.* FROM ec2_subnets s JOIN ec2_vpcs v ON v.id = s.vpc_id
WHERE v.account_id = $1 AND v.region = $2 AND v.is_default AND s.is_default ORDER BY s.zone
"""
_DEFAULT_GROUP = "SELECT id FROM ec2_security_groups WHERE vpc_id = $1 AND name = 'default'"


async def default_subnets(ctx: Context) -> list[Any]:
    """The default subnets of the account's default VPC, by zone."""
    return await ctx.db.fetch(_DEFAULT_SUBNETS, ctx.account_id, ctx.region)


async def default_group(db: Unit, vpc: str) -> str:
    """The id of a VPC's default security group."""
    return str(await db.fetchval(_DEFAULT_GROUP, vpc))


_RULES = "SELECT * FROM ec2_security_group_rules WHERE group_id = ANY($1) ORDER BY sequence"


async def rules_of(db: Unit, groups: Sequence[str]) -> list[Any]:
    """The rules of security groups, in the order they were made."""
    return await db.cached(_RULES, list(groups))


_ROUTES = "SELECT * FROM ec2_routes WHERE route_table_id = ANY($1) ORDER BY cidr"
_ASSOCIATIONS = "SELECT * FROM ec2_route_table_associations WHERE route_table_id = ANY($1) ORDER BY id"


async def routes_of(db: Unit, tables: Sequence[str]) -> list[Any]:
    """The routes of route tables, beside the local ones."""
    return await db.cached(_ROUTES, list(tables))


async def associations_of(db: Unit, tables: Sequence[str]) -> list[Any]:
    """The explicit associations of route tables with subnets."""
    return await db.cached(_ASSOCIATIONS, list(tables))

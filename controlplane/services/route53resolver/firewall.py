"""DNS Firewall: how rules come to the VPCs in which they hold."""

from __future__ import annotations

from typing import Any

from agents.contract import network
from controlplane.core.context import Context
from controlplane.fleet import resolving
from controlplane.services.route53resolver import vpcs
from controlplane.services.route53resolver.errors import ResourceNotFoundException

_RULES = "SELECT * FROM route53resolver_firewall_rules WHERE group_id = $1 ORDER BY priority"
_LISTS = "SELECT id, domains FROM route53resolver_domain_lists WHERE id = ANY($1)"
_ASSOCIATIONS = "SELECT * FROM route53resolver_group_vpcs WHERE group_id = $1 ORDER BY vpc_id"
_USING = "SELECT DISTINCT group_id FROM route53resolver_firewall_rules WHERE list_id = $1 ORDER BY group_id"


def missing(ctx: Context, id: str) -> ResourceNotFoundException:
    return ResourceNotFoundException(
        f'[RSLVR-02025] Can\u2019t find the resource with ID "{id[:64]}". Trace Id: "{ctx.request_id}"'
    )


async def publish_group(ctx: Context, group: str) -> None:
    """Bring a group's rules to all VPCs that it is associated with."""
    for row in await ctx.db.fetch(_ASSOCIATIONS, group):
        await publish(ctx, row)


async def publish_list(ctx: Context, list_id: str) -> None:
    """Bring a list's names to wherever rules use it."""
    for row in await ctx.db.fetch(_USING, list_id):
        await publish_group(ctx, row["group_id"])


async def publish(ctx: Context, association: Any) -> None:
    """Bring a group's rules to one VPC."""
    rows = await ctx.db.fetch(_RULES, association["group_id"])
    lists = await ctx.db.fetch(_LISTS, list({row["list_id"] for row in rows}))
    entry = network.Firewall(
        id=association["id"],
        priority=association["priority"],
        group=association["group_id"],
        rules=tuple(_rule(row) for row in rows),
        lists={row["id"]: tuple(domain.rstrip(".") for domain in row["domains"]) for row in lists},
    )
    await resolving.put(ctx.db, association["vpc_id"], entry)
    await vpcs.publish(ctx, association["vpc_id"])


async def withdraw(ctx: Context, association: Any) -> None:
    """Take a group's rules from one VPC."""
    await resolving.drop(ctx.db, association["vpc_id"], association["id"])
    await vpcs.publish(ctx, association["vpc_id"])


def _rule(row: Any) -> network.FirewallRule:
    settings = row["settings"]
    return network.FirewallRule(
        action=row["action"],
        domain_list=row["list_id"],
        type=row["qtype"],
        response=settings.get("BlockResponse") or "",
        override=(settings.get("BlockOverrideDomain") or "").rstrip("."),
        ttl=settings.get("BlockOverrideTtl") or 0,
        inspects=settings["FirewallDomainRedirectionAction"] == "INSPECT_REDIRECTION_DOMAIN",
    )

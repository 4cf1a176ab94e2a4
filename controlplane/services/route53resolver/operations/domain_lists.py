"""Lists of names for DNS Firewall."""

from __future__ import annotations

import re
from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import ANY, operation
from controlplane.services.route53resolver import firewall
from controlplane.services.route53resolver.errors import ConflictException, LimitExceededException, ValidationException
from controlplane.services.route53resolver.listing import arn, listed, new_id, on, tags, time, told

_DOMAIN = re.compile(r"(?=.{1,255}\Z)(\*|(\*\.)?([a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63})\.?")
_MOST, _MOST_LISTS = 100_000, 1000
_OTHERS = """
SELECT coalesce(sum(jsonb_array_length(domains)), 0) FROM route53resolver_domain_lists
WHERE account_id = $1 AND region = $2 AND id <> $3
"""
_FIND = "SELECT * FROM route53resolver_domain_lists WHERE id = $1 AND account_id = $2 AND region = $3"
_LIST = "SELECT * FROM route53resolver_domain_lists WHERE account_id = $1 AND region = $2 ORDER BY id"
_INSERT = """
INSERT INTO route53resolver_domain_lists (id, account_id, region, request_id, name, tags)
VALUES ($1, $2, $3, $4, $5, $6) RETURNING *
"""
_KEEP = "UPDATE route53resolver_domain_lists SET domains = $2, modified_at = now() WHERE id = $1"
_USED = "SELECT EXISTS (SELECT FROM route53resolver_firewall_rules WHERE list_id = $1)"
_on = on("firewall-domain-list", "FirewallDomainListId")


async def find(ctx: Context, id: str, *, lock: bool = False) -> Any:
    """Raises ResourceNotFoundException."""
    row = await ctx.db.fetchrow(f"{_FIND} FOR UPDATE" if lock else _FIND, id, ctx.account_id, ctx.region)
    if row is None:
        raise firewall.missing(ctx, id)
    return row


def _metadata(ctx: Context, row: Any) -> dict[str, Any]:
    id = row["id"]
    shown = {"Id": id, "Arn": arn(ctx, "firewall-domain-list", id), "Name": row["name"]}
    return {**shown, "CreatorRequestId": row["request_id"]}


def _shown(ctx: Context, row: Any, status: str = "COMPLETE") -> dict[str, Any]:
    return {
        **_metadata(ctx, row),
        "DomainCount": len(row["domains"]),
        "Status": status,
        "StatusMessage": told(ctx, "Firewall domain list"),
        "CreationTime": time(row["created_at"]),
        "ModificationTime": time(row["modified_at"]),
    }


@operation("CreateFirewallDomainList", on=ANY)
async def create_firewall_domain_list(ctx: Context, request: Any) -> dict[str, Any]:
    """An empty list. Raises LimitExceededException."""
    rows = await ctx.db.fetch(_LIST, ctx.account_id, ctx.region)
    same = next((row for row in rows if row["request_id"] == request["CreatorRequestId"]), None)
    if same is not None and same["name"] == request["Name"]:
        return {"FirewallDomainList": _shown(ctx, same)}
    if len(rows) >= _MOST_LISTS:
        raise LimitExceededException(f"[RSLVR-02001] There are at most {_MOST_LISTS} lists of domains.")
    own = (new_id("fdl"), ctx.account_id, ctx.region, request["CreatorRequestId"], request["Name"])
    row = await ctx.db.fetchrow(_INSERT, *own, tags(request.get("Tags")))
    return {"FirewallDomainList": _shown(ctx, row)}


@operation("GetFirewallDomainList", on=_on)
async def get_firewall_domain_list(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourceNotFoundException."""
    return {"FirewallDomainList": _shown(ctx, await find(ctx, request["FirewallDomainListId"]))}


@operation("ListFirewallDomainLists", on=ANY)
async def list_firewall_domain_lists(ctx: Context, request: Any) -> dict[str, Any]:
    """By id."""
    rows = await ctx.db.fetch(_LIST, ctx.account_id, ctx.region)
    return listed(request, [_metadata(ctx, row) for row in rows], "FirewallDomainLists")


@operation("DeleteFirewallDomainList", on=_on)
async def delete_firewall_domain_list(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourceNotFoundException, ConflictException."""
    row = await find(ctx, request["FirewallDomainListId"], lock=True)
    if await ctx.db.fetchval(_USED, row["id"]):
        raise ConflictException(f"[RSLVR-02003] The list of domains {row['id']} is used by rules.")
    await ctx.db.execute("DELETE FROM route53resolver_domain_lists WHERE id = $1", row["id"])
    return {"FirewallDomainList": _shown(ctx, row, "DELETING")}


@operation("ListFirewallDomains", on=_on)
async def list_firewall_domains(ctx: Context, request: Any) -> dict[str, Any]:
    """By name. Raises ResourceNotFoundException, InvalidNextTokenException."""
    row = await find(ctx, request["FirewallDomainListId"])
    answer = listed(request, [{"Id": domain} for domain in row["domains"]], "Domains")
    return {**answer, "Domains": [item["Id"] for item in answer["Domains"]]}


@operation("UpdateFirewallDomains", on=_on)
async def update_firewall_domains(ctx: Context, request: Any) -> dict[str, Any]:
    """Add, remove or replace names: `name`, `*.name` for all below it, or `*`.

    Raises ResourceNotFoundException, ValidationException, LimitExceededException.
    """
    row = await find(ctx, request["FirewallDomainListId"], lock=True)
    given = {_normal(domain) for domain in request["Domains"]}
    there = set(row["domains"])
    changed = {"ADD": there | given, "REMOVE": there - given, "REPLACE": given}.get(request["Operation"])
    if changed is None:
        raise ValidationException("[RSLVR-02004] The operation must be ADD, REMOVE or REPLACE.")
    others = await ctx.db.fetchval(_OTHERS, ctx.account_id, ctx.region, row["id"])
    if len(changed) + others > _MOST:
        raise LimitExceededException(f"[RSLVR-02005] An account's lists have at most {_MOST} domains together.")
    await ctx.db.execute(_KEEP, row["id"], sorted(changed))
    await firewall.publish_list(ctx, row["id"])
    shown = {"Id": row["id"], "Name": row["name"], "Status": "UPDATING"}
    return {**shown, "StatusMessage": told(ctx, "Updating the firewall domain list.")}


def is_domain(text: str) -> bool:
    """Whether a text is the name of a domain, with or without its last dot."""
    return not text.startswith("*") and _DOMAIN.fullmatch(text.lower()) is not None


def _normal(domain: str) -> str:
    text = domain.lower()
    if not _DOMAIN.fullmatch(text):
        raise ValidationException(f"[RSLVR-02006] {domain[:255]} is no domain name for a firewall.")
    return text if text.endswith(".") else f"{text}."

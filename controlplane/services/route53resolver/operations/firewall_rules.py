"""Rules of DNS Firewall."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dns.exception
import dns.rdatatype

from controlplane.core.context import Context
from controlplane.core.errors import NotImplementedByCelaje
from controlplane.core.operation import operation
from controlplane.services.route53resolver import firewall
from controlplane.services.route53resolver.errors import (
    LimitExceededException,
    ResourceNotFoundException,
    ValidationException,
)
from controlplane.services.route53resolver.listing import listed, on, time
from controlplane.services.route53resolver.operations import domain_lists, rule_groups

_MOST, _HIGHEST = 100, 10_000
_OVERRIDE = ("BlockOverrideDomain", "BlockOverrideDnsType", "BlockOverrideTtl")
_SETTINGS = ("BlockResponse", *_OVERRIDE, "FirewallDomainRedirectionAction")
_ADVANCED = ("DnsThreatProtection", "ConfidenceThreshold", "FirewallRuleType", "FirewallThreatProtectionId")
_RULES = "SELECT * FROM route53resolver_firewall_rules WHERE group_id = $1 ORDER BY priority"
_INSERT = """
INSERT INTO route53resolver_firewall_rules
    (group_id, list_id, qtype, request_id, name, priority, action, settings)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING *
"""
_UPDATE = """
UPDATE route53resolver_firewall_rules SET name = $4, priority = $5, action = $6, settings = $7, modified_at = now()
WHERE group_id = $1 AND list_id = $2 AND qtype = $3 RETURNING *
"""
_DELETE = "DELETE FROM route53resolver_firewall_rules WHERE group_id = $1 AND list_id = $2 AND qtype = $3"
_on = on("firewall-rule-group", "FirewallRuleGroupId")


def _shown(row: Any) -> dict[str, Any]:
    shown = {
        "FirewallRuleGroupId": row["group_id"],
        "FirewallDomainListId": row["list_id"],
        "Name": row["name"],
        "Priority": row["priority"],
        "Action": row["action"],
        **row["settings"],
        "CreatorRequestId": row["request_id"],
        "CreationTime": time(row["created_at"]),
        "ModificationTime": time(row["modified_at"]),
    }
    return {**shown, "Qtype": row["qtype"]} if row["qtype"] else shown


def _qtype(request: Any) -> str:
    """`AAAA` for `aaaa` and for `TYPE28`; empty: any. Raises ValidationException."""
    text = request.get("Qtype") or ""
    try:
        return dns.rdatatype.to_text(dns.rdatatype.from_text(text)) if text else ""
    except (dns.exception.DNSException, ValueError) as error:
        raise ValidationException(f"[RSLVR-02039] {text[:16]} is no type of DNS records.") from error


def _checked(action: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a rule, without those that its action has no use for. Raises ValidationException."""
    kept = {name: given[name] for name in _SETTINGS if given.get(name) is not None}
    kept.setdefault("FirewallDomainRedirectionAction", "INSPECT_REDIRECTION_DOMAIN")
    if action != "BLOCK":
        if kept.get("BlockResponse"):
            raise ValidationException("[RSLVR-02030] A BlockResponse is for rules with the action BLOCK.")
        return {name: value for name, value in kept.items() if name not in _OVERRIDE}
    response = kept.get("BlockResponse")
    if response not in ("NODATA", "NXDOMAIN", "OVERRIDE"):
        raise ValidationException("[RSLVR-02031] A rule with the action BLOCK needs a BlockResponse.")
    if response != "OVERRIDE":
        return {name: value for name, value in kept.items() if name not in _OVERRIDE}
    if any(name not in kept for name in _OVERRIDE):
        raise ValidationException(f"[RSLVR-02032] The BlockResponse OVERRIDE needs {', '.join(_OVERRIDE)}.")
    if not domain_lists.is_domain(kept["BlockOverrideDomain"]):
        raise ValidationException("[RSLVR-02033] The BlockOverrideDomain is no domain name.")
    return kept


def _refuse_advanced(request: Any) -> None:
    for name in _ADVANCED:
        if request.get(name):
            raise NotImplementedByCelaje(f"{name} is not built by this cloud.")


async def _find(ctx: Context, request: Any) -> Any:
    group = await rule_groups.find(ctx, request["FirewallRuleGroupId"], lock=True)
    _refuse_advanced(request)
    key = (request.get("FirewallDomainListId") or "", _qtype(request))
    rows = await ctx.db.fetch(_RULES, group["id"])
    row = next((row for row in rows if (row["list_id"], row["qtype"]) == key), None)
    if row is None:
        raise ResourceNotFoundException(
            f"[RSLVR-02034] The rule group {group['id']} has no rule for the list of domains {key[0][:64]}."
        )
    return row


def _check_priority(rows: list[Any], priority: int) -> None:
    if not 0 < priority <= _HIGHEST:
        raise ValidationException(f"[RSLVR-02039] The priority of a rule is 1 to {_HIGHEST}.")
    if any(row["priority"] == priority for row in rows):
        raise ValidationException(f"[RSLVR-02035] The rule group has a rule of priority {priority} already.")


@operation("CreateFirewallRule", on=_on)
async def create_firewall_rule(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourceNotFoundException, ValidationException, LimitExceededException."""
    group = await rule_groups.find(ctx, request["FirewallRuleGroupId"], lock=True)
    _refuse_advanced(request)
    if not request.get("FirewallDomainListId"):
        raise ValidationException("[RSLVR-02036] A rule needs a FirewallDomainListId.")
    domains = await domain_lists.find(ctx, request["FirewallDomainListId"])
    rows, qtype = await ctx.db.fetch(_RULES, group["id"]), _qtype(request)
    if any((row["list_id"], row["qtype"]) == (domains["id"], qtype) for row in rows):
        raise ValidationException(f"[RSLVR-02037] The rule group has a rule for {domains['id']} already.")
    _check_priority(rows, request["Priority"])
    if len(rows) >= _MOST:
        raise LimitExceededException(f"[RSLVR-02038] A rule group has at most {_MOST} rules.")
    settings = _checked(request["Action"], request)
    told = (request["CreatorRequestId"], request["Name"], request["Priority"], request["Action"], settings)
    row = await ctx.db.fetchrow(_INSERT, group["id"], domains["id"], qtype, *told)
    await firewall.publish_group(ctx, group["id"])
    return {"FirewallRule": _shown(row)}


@operation("UpdateFirewallRule", on=_on)
async def update_firewall_rule(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourceNotFoundException, ValidationException."""
    row = await _find(ctx, request)
    action, priority = request.get("Action") or row["action"], request.get("Priority", row["priority"])
    if priority != row["priority"]:
        _check_priority(await ctx.db.fetch(_RULES, row["group_id"]), priority)
    before = row["settings"] if action == row["action"] else {}
    settings = _checked(action, {**before, **{name: request[name] for name in _SETTINGS if name in request}})
    key = (row["group_id"], row["list_id"], row["qtype"])
    row = await ctx.db.fetchrow(_UPDATE, *key, request.get("Name") or row["name"], priority, action, settings)
    await firewall.publish_group(ctx, row["group_id"])
    return {"FirewallRule": _shown(row)}


@operation("DeleteFirewallRule", on=_on)
async def delete_firewall_rule(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourceNotFoundException."""
    row = await _find(ctx, request)
    await ctx.db.execute(_DELETE, row["group_id"], row["list_id"], row["qtype"])
    await firewall.publish_group(ctx, row["group_id"])
    return {"FirewallRule": _shown(row)}


@operation("ListFirewallRules", on=_on)
async def list_firewall_rules(ctx: Context, request: Any) -> dict[str, Any]:
    """By priority, those of a priority and an action, as the request wants. Raises ResourceNotFoundException."""
    group = await rule_groups.find(ctx, request["FirewallRuleGroupId"])
    wanted = {name: request[name] for name in ("Priority", "Action") if name in request}
    shown = [_shown(row) for row in await ctx.db.fetch(_RULES, group["id"])]
    found = [item for item in shown if all(item[name] == value for name, value in wanted.items())]
    return listed(request, found, "FirewallRules", "Priority")

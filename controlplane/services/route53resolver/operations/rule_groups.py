"""Groups of rules of DNS Firewall, and the VPCs in which they hold."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import ANY, operation
from controlplane.services.route53resolver import firewall, vpcs
from controlplane.services.route53resolver.errors import (
    ConflictException,
    LimitExceededException,
    ResourceNotFoundException,
    ValidationException,
)
from controlplane.services.route53resolver.listing import arn, listed, new_id, on, tags, time, told

_LOWEST, _HIGHEST = 100, 9900
_MOST_GROUPS, _MOST_IN_VPC = 1000, 5
_COUNTED = """
SELECT g.*, (SELECT count(*) FROM route53resolver_firewall_rules r WHERE r.group_id = g.id) AS rules
FROM route53resolver_rule_groups g
"""
_FIND = f"{_COUNTED} WHERE g.id = $1 AND g.account_id = $2 AND g.region = $3"
_LIST = f"{_COUNTED} WHERE g.account_id = $1 AND g.region = $2 ORDER BY g.id"
_LOCK = "SELECT id FROM route53resolver_rule_groups WHERE id = $1 FOR UPDATE"
_INSERT = """
INSERT INTO route53resolver_rule_groups (id, account_id, region, request_id, name, tags) VALUES ($1, $2, $3, $4, $5, $6)
"""
_USED = "SELECT EXISTS (SELECT FROM route53resolver_group_vpcs WHERE group_id = $1)"
_ASSOCIATE = """
INSERT INTO route53resolver_group_vpcs
    (id, account_id, region, group_id, vpc_id, request_id, name, priority, protected, tags)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING *
"""
_ASSOCIATION = "SELECT * FROM route53resolver_group_vpcs WHERE id = $1 AND account_id = $2 AND region = $3 FOR UPDATE"
_ASSOCIATIONS = "SELECT * FROM route53resolver_group_vpcs WHERE account_id = $1 AND region = $2 ORDER BY id"
_IN_VPC = "SELECT * FROM route53resolver_group_vpcs WHERE vpc_id = $1 FOR UPDATE"
_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended($1, 53))"
_UPDATE = """
UPDATE route53resolver_group_vpcs SET priority = $2, protected = $3, name = $4, modified_at = now()
WHERE id = $1 RETURNING *
"""
_on_group = on("firewall-rule-group", "FirewallRuleGroupId")
_on_association = on("firewall-rule-group-association", "FirewallRuleGroupAssociationId")


async def find(ctx: Context, id: str, *, lock: bool = False) -> Any:
    """A group with the number of its rules. Raises ResourceNotFoundException."""
    if lock:
        await ctx.db.fetchval(_LOCK, id)
    row = await ctx.db.fetchrow(_FIND, id, ctx.account_id, ctx.region)
    if row is None:
        raise firewall.missing(ctx, id)
    return row


def _metadata(ctx: Context, row: Any) -> dict[str, Any]:
    return {
        "Id": row["id"],
        "Arn": arn(ctx, "firewall-rule-group", row["id"]),
        "Name": row["name"],
        "OwnerId": row["account_id"],
        "CreatorRequestId": row["request_id"],
        "ShareStatus": "NOT_SHARED",
    }


def _shown(ctx: Context, row: Any, status: str = "COMPLETE") -> dict[str, Any]:
    return {
        **_metadata(ctx, row),
        "RuleCount": row["rules"],
        "Status": status,
        "StatusMessage": told(ctx, "Firewall rule group"),
        "CreationTime": time(row["created_at"]),
        "ModificationTime": time(row["modified_at"]),
    }


@operation("CreateFirewallRuleGroup", on=ANY)
async def create_firewall_rule_group(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises LimitExceededException."""
    rows = await ctx.db.fetch(_LIST, ctx.account_id, ctx.region)
    same = next((row for row in rows if row["request_id"] == request["CreatorRequestId"]), None)
    if same is not None and same["name"] == request["Name"]:
        return {"FirewallRuleGroup": _shown(ctx, same)}
    if len(rows) >= _MOST_GROUPS:
        raise LimitExceededException(f"[RSLVR-02010] There are at most {_MOST_GROUPS} rule groups.")
    own = (new_id("frg"), ctx.account_id, ctx.region, request["CreatorRequestId"], request["Name"])
    await ctx.db.execute(_INSERT, *own, tags(request.get("Tags")))
    return {"FirewallRuleGroup": _shown(ctx, await find(ctx, own[0]))}


@operation("GetFirewallRuleGroup", on=_on_group)
async def get_firewall_rule_group(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourceNotFoundException."""
    return {"FirewallRuleGroup": _shown(ctx, await find(ctx, request["FirewallRuleGroupId"]))}


@operation("ListFirewallRuleGroups", on=ANY)
async def list_firewall_rule_groups(ctx: Context, request: Any) -> dict[str, Any]:
    """By id."""
    rows = await ctx.db.fetch(_LIST, ctx.account_id, ctx.region)
    return listed(request, [_metadata(ctx, row) for row in rows], "FirewallRuleGroups")


@operation("DeleteFirewallRuleGroup", on=_on_group)
async def delete_firewall_rule_group(ctx: Context, request: Any) -> dict[str, Any]:
    """With its rules. Raises ResourceNotFoundException, ConflictException."""
    row = await find(ctx, request["FirewallRuleGroupId"], lock=True)
    if await ctx.db.fetchval(_USED, row["id"]):
        raise ConflictException(f"[RSLVR-02011] The rule group {row['id']} is associated with VPCs.")
    await ctx.db.execute("DELETE FROM route53resolver_rule_groups WHERE id = $1", row["id"])
    return {"FirewallRuleGroup": _shown(ctx, row, "DELETING")}


def _association(ctx: Context, row: Any, status: str = "COMPLETE") -> dict[str, Any]:
    return {
        "Id": row["id"],
        "Arn": arn(ctx, "firewall-rule-group-association", row["id"]),
        "FirewallRuleGroupId": row["group_id"],
        "VpcId": row["vpc_id"],
        "Name": row["name"],
        "Priority": row["priority"],
        "MutationProtection": "ENABLED" if row["protected"] else "DISABLED",
        "Status": status,
        "StatusMessage": told(ctx, "Firewall rule group association"),
        "CreatorRequestId": row["request_id"],
        "CreationTime": time(row["created_at"]),
        "ModificationTime": time(row["modified_at"]),
    }


def _check_priority(priority: int, others: list[Any]) -> None:
    if not _LOWEST < priority < _HIGHEST:
        raise ValidationException(
            f"[RSLVR-02020] The priority of a rule group in a VPC is above {_LOWEST} and below {_HIGHEST}."
        )
    if any(other["priority"] == priority for other in others):
        raise ValidationException(f"[RSLVR-02021] The VPC has a rule group of priority {priority} already.")


@operation("AssociateFirewallRuleGroup", on=_on_group)
async def associate_firewall_rule_group(ctx: Context, request: Any) -> dict[str, Any]:
    """Have a group's rules hold in a VPC of the caller's. Raises ResourceNotFoundException, ValidationException,
    ConflictException, LimitExceededException."""
    group, vpc = await find(ctx, request["FirewallRuleGroupId"], lock=True), request["VpcId"]
    await vpcs.check_own(ctx, vpc, ResourceNotFoundException(f"[RSLVR-02022] The VPC {vpc[:64]} does not exist."))
    await ctx.db.execute(_ONE_AT_A_TIME, vpc)
    others = await ctx.db.fetch(_IN_VPC, vpc)
    if any(other["group_id"] == group["id"] for other in others):
        raise ConflictException(f"[RSLVR-02023] The rule group {group['id']} is associated with {vpc} already.")
    _check_priority(request["Priority"], others)
    if len(others) >= _MOST_IN_VPC:
        raise LimitExceededException(f"[RSLVR-02024] A VPC has at most {_MOST_IN_VPC} rule groups.")
    own = (new_id("frgassoc"), ctx.account_id, ctx.region, group["id"], vpc, request["CreatorRequestId"])
    protected = request.get("MutationProtection") == "ENABLED"
    settings = (request["Name"], request["Priority"], protected, tags(request.get("Tags")))
    row = await ctx.db.fetchrow(_ASSOCIATE, *own, *settings)
    await firewall.publish(ctx, row)
    return {"FirewallRuleGroupAssociation": _association(ctx, row)}


async def _find_association(ctx: Context, request: Any) -> Any:
    id = request["FirewallRuleGroupAssociationId"]
    row = await ctx.db.fetchrow(_ASSOCIATION, id, ctx.account_id, ctx.region)
    if row is None:
        raise firewall.missing(ctx, id)
    return row


@operation("GetFirewallRuleGroupAssociation", on=_on_association)
async def get_firewall_rule_group_association(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourceNotFoundException."""
    return {"FirewallRuleGroupAssociation": _association(ctx, await _find_association(ctx, request))}


@operation("UpdateFirewallRuleGroupAssociation", on=_on_association)
async def update_firewall_rule_group_association(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourceNotFoundException, ValidationException."""
    row = await _find_association(ctx, request)
    priority = request.get("Priority") or row["priority"]
    if priority != row["priority"]:
        _check_priority(priority, await ctx.db.fetch(_IN_VPC, row["vpc_id"]))
    protection = request.get("MutationProtection")
    protected = row["protected"] if protection is None else protection == "ENABLED"
    row = await ctx.db.fetchrow(_UPDATE, row["id"], priority, protected, request.get("Name") or row["name"])
    await firewall.publish(ctx, row)
    return {"FirewallRuleGroupAssociation": _association(ctx, row)}


@operation("DisassociateFirewallRuleGroup", on=_on_association)
async def disassociate_firewall_rule_group(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourceNotFoundException, ConflictException."""
    row = await _find_association(ctx, request)
    if row["protected"]:
        raise ConflictException(f"[RSLVR-02026] The association {row['id']} is protected against changes.")
    await ctx.db.execute("DELETE FROM route53resolver_group_vpcs WHERE id = $1", row["id"])
    await firewall.withdraw(ctx, row)
    return {"FirewallRuleGroupAssociation": _association(ctx, row, "DELETING")}


@operation("ListFirewallRuleGroupAssociations", on=ANY)
async def list_firewall_rule_group_associations(ctx: Context, request: Any) -> dict[str, Any]:
    """By id, those that are of a group, VPC, priority and status, as the request wants."""
    rows = await ctx.db.fetch(_ASSOCIATIONS, ctx.account_id, ctx.region)
    wanted = {name: request[name] for name in ("FirewallRuleGroupId", "VpcId", "Priority", "Status") if name in request}
    shown = [_association(ctx, row) for row in rows]
    found = [item for item in shown if all(item[name] == value for name, value in wanted.items())]
    return listed(request, found, "FirewallRuleGroupAssociations")

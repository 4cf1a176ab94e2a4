"""Rules: who is asked for which names, and in which VPCs."""

from __future__ import annotations

import re
from ipaddress import IPv4Address
from typing import Any

from agents.contract.network import Forward
from controlplane.core.context import Context
from controlplane.core.errors import NotImplementedByCelaje
from controlplane.core.operation import ANY, operation
from controlplane.fleet import resolving
from controlplane.services.route53resolver.errors import (
    InvalidParameterException,
    InvalidRequestException,
    LimitExceededException,
    ResourceExistsException,
    ResourceInUseException,
    ResourceNotFoundException,
)
from controlplane.services.route53resolver.listing import arn, new_id, on, page, tags, time, told
from controlplane.services.route53resolver.operations.endpoints import find as find_endpoint

_DOMAIN = re.compile(r"(?=.{1,253}\Z)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_MOST_TARGETS, _MOST_RULES = 6, 1000
_INSERT = """
INSERT INTO route53resolver_rules
    (id, account_id, region, request_id, name, rule_type, domain, targets, endpoint_id, tags)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING RETURNING *
"""
_FIND = "SELECT * FROM route53resolver_rules WHERE id = $1 AND account_id = $2 AND region = $3"
_LIST = "SELECT * FROM route53resolver_rules WHERE account_id = $1 AND region = $2 ORDER BY id"
_UPDATE = """
UPDATE route53resolver_rules SET name = $2, targets = $3, endpoint_id = $4, modified_at = now()
WHERE id = $1 RETURNING *
"""
_IN = "SELECT * FROM route53resolver_associations WHERE rule_id = $1 ORDER BY vpc_id"
_ASSOCIATE = """
INSERT INTO route53resolver_associations (id, account_id, region, rule_id, vpc_id, name) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING RETURNING *
"""
_ASSOCIATIONS = "SELECT * FROM route53resolver_associations WHERE account_id = $1 AND region = $2 ORDER BY id"
_ASSOCIATION = "SELECT * FROM route53resolver_associations WHERE id = $1 AND account_id = $2 AND region = $3"
_SAME = """
SELECT true FROM route53resolver_associations a JOIN route53resolver_rules r ON r.id = a.rule_id
WHERE a.vpc_id = $1 AND r.domain = $2
"""
_on = on("resolver-rule", "ResolverRuleId")


async def _find(ctx: Context, id: str) -> Any:
    row = await ctx.db.fetchrow(_FIND, id, ctx.account_id, ctx.region)
    if row is None:
        raise ResourceNotFoundException(f'[RSLVR-00703] Resolver rule with ID "{id[:64]}" does not exist.')
    return row


def _shown(ctx: Context, row: Any, status: str = "COMPLETE") -> dict[str, Any]:
    shown = {
        "Id": row["id"],
        "CreatorRequestId": row["request_id"],
        "Arn": arn(ctx, "resolver-rule", row["id"]),
        "DomainName": f"{row['domain']}.",
        "Status": status,
        "StatusMessage": told(ctx, "Successfully created Resolver Rule."),
        "RuleType": row["rule_type"],
        "OwnerId": row["account_id"],
        "ShareStatus": "NOT_SHARED",
        "CreationTime": time(row["created_at"]),
        "ModificationTime": time(row["modified_at"]),
    }
    more = {"Name": row["name"], "TargetIps": row["targets"], "ResolverEndpointId": row["endpoint_id"]}
    return {**shown, **{name: value for name, value in more.items() if value}}


def _targets(given: Any) -> list[dict[str, Any]]:
    """Raises InvalidParameterException: no rule leads to the machines that resolve."""
    if not 0 < len(given) <= _MOST_TARGETS:
        raise InvalidParameterException(f"[RSLVR-00705] A rule has 1 to {_MOST_TARGETS} targets.")
    kept = []
    for item in given:
        try:
            address = IPv4Address(item.get("Ip") or "")
        except ValueError as error:
            raise InvalidParameterException("[RSLVR-00706] A target is not an IPv4 address.") from error
        if address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified:
            raise InvalidParameterException(f"[RSLVR-00706] {address} cannot be a target.")
        if address.is_reserved or str(address) == "255.255.255.255":
            raise InvalidParameterException(f"[RSLVR-00706] {address} cannot be a target.")
        protocol = item.get("Protocol")
        if protocol not in (None, "Do53"):
            raise NotImplementedByCelaje(f"Targets with the protocol {protocol} are not built by this cloud.")
        kept.append({"Ip": str(address), "Port": item.get("Port") or 53} | ({"Protocol": protocol} if protocol else {}))
    return kept


async def _endpoint(ctx: Context, id: str | None) -> str:
    if not id:
        raise InvalidRequestException("[RSLVR-00701] A FORWARD rule needs a ResolverEndpointId.")
    row = await find_endpoint(ctx, id)
    if row["direction"] != "OUTBOUND":
        raise InvalidRequestException(
            "[RSLVR-00700] Resolver rules can only be associated to OUTBOUND resolver endpoints."
        )
    return str(row["id"])


@operation("CreateResolverRule", on=ANY)
async def create_resolver_rule(ctx: Context, request: Any) -> dict[str, Any]:
    """Forward a name and all below it, or (SYSTEM) resolve it as usual. Raises InvalidParameterException,
    InvalidRequestException, LimitExceededException, ResourceExistsException, ResourceNotFoundException."""
    domain = (request.get("DomainName") or "").lower().rstrip(".")
    if not _DOMAIN.fullmatch(domain):
        raise InvalidParameterException("[RSLVR-00702] The domain name is not one that this cloud forwards.")
    forwards, targets, endpoint = request["RuleType"] == "FORWARD", [], None
    if request["RuleType"] not in ("FORWARD", "SYSTEM"):
        raise InvalidParameterException("[RSLVR-00704] The type of a rule is FORWARD or SYSTEM.")
    if forwards:
        endpoint = await _endpoint(ctx, request.get("ResolverEndpointId"))
        targets = _targets(request.get("TargetIps") or ())
    elif request.get("TargetIps"):
        raise InvalidRequestException("[RSLVR-00707] A SYSTEM rule has no targets.")
    if len(await ctx.db.fetch(_LIST, ctx.account_id, ctx.region)) >= _MOST_RULES:
        raise LimitExceededException(f"[RSLVR-00708] There are at most {_MOST_RULES} rules.")
    own = (new_id("rr"), ctx.account_id, ctx.region, request["CreatorRequestId"], request.get("Name"))
    kept = tags(request.get("Tags"))
    row = await ctx.db.fetchrow(_INSERT, *own, request["RuleType"], domain, targets, endpoint, kept)
    if row is None:
        raise ResourceExistsException(
            f"[RSLVR-00709] Resolver rule with creator request ID {request['CreatorRequestId']} already exists."
        )
    return {"ResolverRule": _shown(ctx, row)}


@operation("GetResolverRule", on=_on)
async def get_resolver_rule(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourceNotFoundException."""
    return {"ResolverRule": _shown(ctx, await _find(ctx, request["ResolverRuleId"]))}


@operation("UpdateResolverRule", on=_on)
async def update_resolver_rule(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises InvalidParameterException, InvalidRequestException, ResourceNotFoundException."""
    row, config = await _find(ctx, request["ResolverRuleId"]), request["Config"]
    if row["rule_type"] != "FORWARD" and (config.get("TargetIps") or config.get("ResolverEndpointId")):
        raise InvalidRequestException("[RSLVR-00707] A SYSTEM rule has no targets.")
    targets = _targets(config["TargetIps"]) if config.get("TargetIps") else row["targets"]
    asked = config.get("ResolverEndpointId")
    endpoint = await _endpoint(ctx, asked) if asked else row["endpoint_id"]
    row = await ctx.db.fetchrow(_UPDATE, row["id"], config.get("Name") or row["name"], targets, endpoint)
    for each in await ctx.db.fetch(_IN, row["id"]):
        await _publish(ctx, row, each["id"], each["vpc_id"])
    return {"ResolverRule": _shown(ctx, row)}


@operation("DeleteResolverRule", on=_on)
async def delete_resolver_rule(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourceInUseException, ResourceNotFoundException."""
    row = await _find(ctx, request["ResolverRuleId"])
    if await ctx.db.fetch(_IN, row["id"]):
        raise ResourceInUseException(f"[RSLVR-00710] Resolver rule {row['id']} is associated with VPCs.")
    await ctx.db.execute("DELETE FROM route53resolver_rules WHERE id = $1", row["id"])
    return {"ResolverRule": _shown(ctx, row, "DELETING")}


@operation("ListResolverRules", on=ANY)
async def list_resolver_rules(ctx: Context, request: Any) -> dict[str, Any]:
    """By id."""
    rows = await ctx.db.fetch(_LIST, ctx.account_id, ctx.region)
    return page(request, rows, lambda row: _shown(ctx, row), "ResolverRules")


def _association(ctx: Context, row: Any, status: str = "COMPLETE") -> dict[str, Any]:
    shown = {
        "Id": row["id"],
        "ResolverRuleId": row["rule_id"],
        "VPCId": row["vpc_id"],
        "Status": status,
        "StatusMessage": told(ctx, status),
    }
    return {**shown, "Name": row["name"]} if row["name"] else shown


async def _publish(ctx: Context, rule: Any, id: str, vpc: str) -> None:
    targets = tuple(f"{item['Ip']}#{item['Port']}" for item in rule["targets"])
    await resolving.put(ctx.db, vpc, Forward(id=id, name=rule["domain"], targets=targets))
    await ctx.ask("ec2", "PublishVpc", {"VpcId": vpc})


@operation("AssociateResolverRule", on=_on)
async def associate_resolver_rule(ctx: Context, request: Any) -> dict[str, Any]:
    """Have a rule hold in a VPC of the caller's. Raises InvalidParameterException, ResourceExistsException,
    ResourceNotFoundException."""
    rule, vpc = await _find(ctx, request["ResolverRuleId"]), request["VPCId"]
    found = await ctx.ask("ec2", "Vpc", {"VpcId": vpc, "Region": ctx.region})
    if found is None or found["AccountId"] != ctx.account_id:
        raise InvalidParameterException(f"[RSLVR-00803] The VPC {vpc[:64]} does not exist.")
    if await ctx.db.fetchval(_SAME, vpc, rule["domain"]):
        raise ResourceExistsException(
            f"[RSLVR-00801] A Resolver rule for {rule['domain']}. is associated with {vpc} already."
        )
    own = (new_id("rrassoc"), ctx.account_id, ctx.region)
    row = await ctx.db.fetchrow(_ASSOCIATE, *own, rule["id"], vpc, request.get("Name"))
    await _publish(ctx, rule, row["id"], vpc)
    return {"ResolverRuleAssociation": _association(ctx, row)}


@operation("DisassociateResolverRule", on=_on)
async def disassociate_resolver_rule(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourceNotFoundException."""
    rule, vpc = await _find(ctx, request["ResolverRuleId"]), request["VPCId"]
    row = next((each for each in await ctx.db.fetch(_IN, rule["id"]) if each["vpc_id"] == vpc), None)
    if row is None:
        raise ResourceNotFoundException(
            f'[RSLVR-00802] Resolver rule association between Resolver rule "{rule["id"]}" and VPC "{vpc[:64]}" '
            "does not exist."
        )
    await ctx.db.execute("DELETE FROM route53resolver_associations WHERE id = $1", row["id"])
    await resolving.drop(ctx.db, vpc, row["id"])
    await ctx.ask("ec2", "PublishVpc", {"VpcId": vpc})
    return {"ResolverRuleAssociation": _association(ctx, row, "DELETING")}


@operation("GetResolverRuleAssociation", on=ANY)
async def get_resolver_rule_association(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourceNotFoundException."""
    id = request["ResolverRuleAssociationId"]
    row = await ctx.db.fetchrow(_ASSOCIATION, id, ctx.account_id, ctx.region)
    if row is None:
        raise ResourceNotFoundException(f'[RSLVR-00802] Resolver rule association with ID "{id[:64]}" does not exist.')
    return {"ResolverRuleAssociation": _association(ctx, row)}


@operation("ListResolverRuleAssociations", on=ANY)
async def list_resolver_rule_associations(ctx: Context, request: Any) -> dict[str, Any]:
    """By id."""
    rows = await ctx.db.fetch(_ASSOCIATIONS, ctx.account_id, ctx.region)
    return page(request, rows, lambda row: _association(ctx, row), "ResolverRuleAssociations")

"""Security groups and their rules."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from controlplane.core.context import Context
from controlplane.core.ids import resource_id
from controlplane.core.operation import ANY, Resource, operation
from controlplane.services.ec2 import describing, group_rules, permissions, quotas, tagging
from controlplane.services.ec2.defaults import allow_all_out, ensure_default_vpc
from controlplane.services.ec2.describing import column
from controlplane.services.ec2.errors import (
    CannotDelete,
    DependencyViolation,
    InvalidGroupDuplicate,
    InvalidGroupNotFound,
    InvalidParameterValue,
    MissingParameter,
    VpcIdNotSpecified,
)
from controlplane.services.ec2.nouns import GROUP, RULE, VPC
from controlplane.services.ec2.queries import networks
from controlplane.services.ec2.reconcilers import VPC as WORK

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import (
        AuthorizeSecurityGroupEgressRequestTypeDef,
        AuthorizeSecurityGroupIngressRequestTypeDef,
        CreateSecurityGroupRequestTypeDef,
        DeleteSecurityGroupRequestTypeDef,
        DescribeSecurityGroupRulesRequestTypeDef,
        DescribeSecurityGroupsRequestTypeDef,
        ModifySecurityGroupRulesRequestTypeDef,
        RevokeSecurityGroupEgressRequestTypeDef,
        RevokeSecurityGroupIngressRequestTypeDef,
    )

_TEXT = re.compile(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{1,255}")
_INSERT = """
INSERT INTO ec2_security_groups (id, account_id, region, vpc_id, name, description) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (vpc_id, name) DO NOTHING RETURNING id
"""
_DEFAULT_VPC = "SELECT id FROM ec2_vpcs WHERE account_id = $1 AND region = $2 AND is_default FOR KEY SHARE"
_BY_NAME = """
SELECT g.* FROM ec2_security_groups g JOIN ec2_vpcs v ON v.id = g.vpc_id
WHERE g.account_id = $1 AND g.region = $2 AND g.name = $3 AND v.is_default
"""
# Not UPDATE: two groups may be changed at once to refer to each other.
_IN_ORDER = "NO KEY UPDATE"
_USERS = "SELECT id FROM ec2_network_interfaces WHERE $1 = ANY(group_ids) LIMIT 1"
_RULES = f"""
SELECT r.*, {tagging.column("r")} FROM ec2_security_group_rules r JOIN ec2_security_groups g ON g.id = r.group_id
WHERE g.account_id = $1 AND g.region = $2 AND ($3::text[] IS NULL OR r.id = ANY($3)) ORDER BY r.sequence
"""
_REFERRERS = "SELECT group_id FROM ec2_security_group_rules WHERE source_group_id = $1 AND group_id <> $1 LIMIT 1"
FILTERS: dict[str, describing.Extract] = {
    "group-id": column("id"),
    "group-name": column("name"),
    "description": column("description"),
    "vpc-id": column("vpc_id"),
    "owner-id": column("account_id"),
    "ip-permission.cidr": lambda row: [rule["cidr"] for rule in row["rules"] if not rule["egress"]],
    "ip-permission.from-port": lambda row: [rule["from_port"] for rule in row["rules"] if not rule["egress"]],
    "ip-permission.to-port": lambda row: [rule["to_port"] for rule in row["rules"] if not rule["egress"]],
    "ip-permission.protocol": lambda row: [rule["protocol"] for rule in row["rules"] if not rule["egress"]],
    "ip-permission.group-id": lambda row: [rule["source_group_id"] for rule in row["rules"] if not rule["egress"]],
    "egress.ip-permission.cidr": lambda row: [rule["cidr"] for rule in row["rules"] if rule["egress"]],
    "egress.ip-permission.protocol": lambda row: [rule["protocol"] for rule in row["rules"] if rule["egress"]],
}
RULE_FILTERS: dict[str, describing.Extract] = {
    "group-id": column("group_id"),
    "security-group-rule-id": column("id"),
}


async def on_group(ctx: Context, request: Any) -> list[Resource]:
    """The group that a request names by id or by name."""
    id, name = request.get("GroupId"), request.get("GroupName")
    if not id and name:
        found = await ctx.db.fetchrow(_BY_NAME, ctx.account_id, ctx.region, name)
        id = found["id"] if found else None
    return await permissions.of(ctx, GROUP, [id] if id else [])


@operation("CreateSecurityGroup", on=permissions.several(permissions.new(GROUP), permissions.named(VPC, "VpcId")))
async def create_security_group(ctx: Context, request: CreateSecurityGroupRequestTypeDef) -> dict[str, Any]:
    """A group that lets everything out and nothing in. Raises InvalidGroup.Duplicate."""
    await ensure_default_vpc(ctx)
    name, description = request["GroupName"], request["Description"]
    if name == "default":
        raise InvalidParameterValue("Cannot use reserved security group name: default", code="InvalidParameterValue")
    if name.startswith("sg-") or not _TEXT.fullmatch(name):
        raise InvalidParameterValue(f"Value ({name}) for parameter GroupName is invalid.")
    if not _TEXT.fullmatch(description):
        raise InvalidParameterValue(
            f"Value ({description}) for parameter GroupDescription is invalid. Character sets beyond ASCII are not "
            "supported."
        )
    vpc = await _vpc(ctx, request.get("VpcId"))
    tags = tagging.requested(request, GROUP)
    await quotas.room_for_one(ctx, quotas.GROUPS)
    id = await ctx.db.fetchval(_INSERT, resource_id("sg"), ctx.account_id, ctx.region, vpc, name, description)
    if id is None:
        raise InvalidGroupDuplicate(f"The security group '{name}' already exists for VPC '{vpc}'")
    await allow_all_out(ctx, id)
    await tagging.create(ctx, GROUP, [id], tags)
    return {
        "GroupId": id,
        "SecurityGroupArn": tagging.resource_arn(ctx, GROUP, id),
        "Tags": tagging.shape(tags),
    }


async def _vpc(ctx: Context, id: str | None) -> str:
    if id:
        VPC.check([id])
        if await networks.lock(ctx, VPC.table, id, "KEY SHARE") is None:
            raise VPC.missing([id])
        return id
    found = await ctx.db.fetchval(_DEFAULT_VPC, ctx.account_id, ctx.region)
    if found is None:
        raise VpcIdNotSpecified("No default VPC for this user")
    return str(found)


@operation("DescribeSecurityGroups", on=ANY)
async def describe_security_groups(ctx: Context, request: DescribeSecurityGroupsRequestTypeDef) -> dict[str, Any]:
    """Groups with their rules. Raises InvalidGroup.NotFound."""
    await ensure_default_vpc(ctx)
    wanted, names = request.get("GroupIds"), request.get("GroupNames")
    rows = await networks.listing(ctx, GROUP.table, wanted)
    describing.require(GROUP, wanted, rows)
    if names:
        rows = await _in_default_vpc(ctx, rows, names)
    rules = group_rules.by_group(await networks.rules_of(ctx.db, [row["id"] for row in rows]))
    full = [{**row, "rules": rules.get(row["id"], [])} for row in rows]
    found, token = describing.page(describing.matching(full, request, FILTERS), request, ids="GroupIds")
    return {"SecurityGroups": [_shape(ctx, row) for row in found], "NextToken": token}


async def _in_default_vpc(ctx: Context, rows: Any, names: Any) -> list[Any]:
    vpc = await ctx.db.fetchval(_DEFAULT_VPC, ctx.account_id, ctx.region)
    found = [row for row in rows if row["name"] in names and row["vpc_id"] == vpc]
    if lacking := set(names) - {row["name"] for row in found}:
        raise InvalidGroupNotFound(f"The security group '{sorted(lacking)[0]}' does not exist in default VPC '{vpc}'")
    return found


def _shape(ctx: Context, row: Any) -> dict[str, Any]:
    return {
        "GroupId": row["id"],
        "GroupName": row["name"],
        "Description": row["description"],
        "VpcId": row["vpc_id"],
        "OwnerId": row["account_id"],
        "SecurityGroupArn": tagging.resource_arn(ctx, GROUP, row["id"]),
        "IpPermissions": group_rules.permissions(ctx, row["rules"], egress=False),
        "IpPermissionsEgress": group_rules.permissions(ctx, row["rules"], egress=True),
        "Tags": tagging.shape(row["tags"]),
    }


@operation("DescribeSecurityGroupRules", on=ANY)
async def describe_security_group_rules(
    ctx: Context, request: DescribeSecurityGroupRulesRequestTypeDef
) -> dict[str, Any]:
    """Rules, one by one. Raises InvalidSecurityGroupRuleId.NotFound."""
    wanted = request.get("SecurityGroupRuleIds")
    rows = await ctx.db.fetch(_RULES, ctx.account_id, ctx.region, list(wanted) if wanted else None)
    describing.require(RULE, wanted, rows)
    found, token = describing.page(
        describing.matching(rows, request, RULE_FILTERS), request, ids="SecurityGroupRuleIds"
    )
    return {"SecurityGroupRules": [group_rules.shape(ctx, row, row["tags"]) for row in found], "NextToken": token}


async def _named_group(ctx: Context, request: Any) -> Any:
    """The group that a request names by id, or by name in the default VPC."""
    id, name = request.get("GroupId"), request.get("GroupName")
    if not id and not name:
        raise MissingParameter("The request must contain the parameter GroupName or GroupId")
    if id:
        GROUP.check([id])
        row = await networks.one(ctx, GROUP.table, id)
    else:
        row = await ctx.db.fetchrow(_BY_NAME, ctx.account_id, ctx.region, name)
    if row is None:
        raise GROUP.missing([id or name])
    return row


async def _locked_group(ctx: Context, request: Any, strength: str) -> Any:
    row = await _named_group(ctx, request)
    locked = await networks.lock(ctx, GROUP.table, row["id"], strength)
    if locked is None:
        raise GROUP.missing([row["id"]])
    return locked


@operation("DeleteSecurityGroup", on=on_group)
async def delete_security_group(ctx: Context, request: DeleteSecurityGroupRequestTypeDef) -> dict[str, Any]:
    """Delete a group that nothing uses. Raises CannotDelete, DependencyViolation, InvalidGroup.NotFound."""
    row = await _locked_group(ctx, request, "UPDATE")
    if row["name"] == "default":
        raise CannotDelete(f'the specified group: "{row["id"]}" name: "default" cannot be deleted by a user')
    if await ctx.db.fetchval(_USERS, row["id"]) or await ctx.db.fetchval(_REFERRERS, row["id"]):
        raise DependencyViolation(f"resource {row['id']} has a dependent object")
    rules = await networks.rules_of(ctx.db, [row["id"]])
    await ctx.db.execute("DELETE FROM ec2_security_groups WHERE id = $1", row["id"])
    await tagging.forget(ctx.db, [row["id"], *(rule["id"] for rule in rules)])
    await ctx.wake(WORK, row["vpc_id"])
    return {"Return": True, "GroupId": row["id"]}


@operation("AuthorizeSecurityGroupIngress", on=on_group)
async def authorize_security_group_ingress(
    ctx: Context, request: AuthorizeSecurityGroupIngressRequestTypeDef
) -> dict[str, Any]:
    """Let traffic in. Raises InvalidPermission.Duplicate."""
    return await _authorize(ctx, request, egress=False)


@operation("AuthorizeSecurityGroupEgress", on=on_group)
async def authorize_security_group_egress(
    ctx: Context, request: AuthorizeSecurityGroupEgressRequestTypeDef
) -> dict[str, Any]:
    """Let traffic out. Raises InvalidPermission.Duplicate."""
    return await _authorize(ctx, request, egress=True)


async def _authorize(ctx: Context, request: Any, *, egress: bool) -> dict[str, Any]:
    group = await _locked_group(ctx, request, _IN_ORDER)
    tags = tagging.requested(request, RULE)
    rules = await group_rules.requested(ctx, request, group, egress=egress)
    rows = [await group_rules.add(ctx, group["id"], rule) for rule in rules]
    await tagging.create(ctx, RULE, [row["id"] for row in rows], tags)
    await ctx.wake(WORK, group["vpc_id"])
    return {"Return": True, "SecurityGroupRules": [group_rules.shape(ctx, row, tags) for row in rows]}


@operation("RevokeSecurityGroupIngress", on=on_group)
async def revoke_security_group_ingress(
    ctx: Context, request: RevokeSecurityGroupIngressRequestTypeDef
) -> dict[str, Any]:
    """Take ingress rules away. Raises InvalidPermission.NotFound."""
    return await _revoke(ctx, request, egress=False)


@operation("RevokeSecurityGroupEgress", on=on_group)
async def revoke_security_group_egress(
    ctx: Context, request: RevokeSecurityGroupEgressRequestTypeDef
) -> dict[str, Any]:
    """Take egress rules away. Raises InvalidPermission.NotFound."""
    return await _revoke(ctx, request, egress=True)


async def _revoke(ctx: Context, request: Any, *, egress: bool) -> dict[str, Any]:
    group = await _locked_group(ctx, request, _IN_ORDER)
    await group_rules.remove(ctx, group, request, egress=egress)
    await ctx.wake(WORK, group["vpc_id"])
    return {"Return": True}


async def on_rules(ctx: Context, request: Any) -> list[Resource]:
    """The group and those of its rules that a request names."""
    named = [*(request.get("SecurityGroupRules") or ()), *(request.get("SecurityGroupRuleDescriptions") or ())]
    rules = [item["SecurityGroupRuleId"] for item in named if item.get("SecurityGroupRuleId")]
    return [*await on_group(ctx, request), *(await permissions.of(ctx, RULE, rules) if rules else [])]


@operation("ModifySecurityGroupRules", on=on_rules)
async def modify_security_group_rules(ctx: Context, request: ModifySecurityGroupRulesRequestTypeDef) -> dict[str, Any]:
    """Replace what rules of a group say. Raises InvalidSecurityGroupRuleId.NotFound."""
    group = await _locked_group(ctx, request, _IN_ORDER)
    for item in request["SecurityGroupRules"]:
        await group_rules.modify(ctx, group, item["SecurityGroupRuleId"], item.get("SecurityGroupRule") or {})
    await ctx.wake(WORK, group["vpc_id"])
    return {"Return": True}


@operation("UpdateSecurityGroupRuleDescriptionsIngress", on=on_rules)
async def update_security_group_rule_descriptions_ingress(ctx: Context, request: Any) -> dict[str, Any]:
    """Set the descriptions of ingress rules."""
    return await _describe(ctx, request, egress=False)


@operation("UpdateSecurityGroupRuleDescriptionsEgress", on=on_rules)
async def update_security_group_rule_descriptions_egress(ctx: Context, request: Any) -> dict[str, Any]:
    """Set the descriptions of egress rules."""
    return await _describe(ctx, request, egress=True)


async def _describe(ctx: Context, request: Any, *, egress: bool) -> dict[str, Any]:
    await group_rules.describe(ctx, await _locked_group(ctx, request, _IN_ORDER), request, egress=egress)
    return {"Return": True}

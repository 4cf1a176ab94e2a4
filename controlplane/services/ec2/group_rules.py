"""Rules of security groups: from the API's nested permissions to single rules, and back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from ipaddress import AddressValueError, IPv4Network, IPv6Network, NetmaskValueError
from typing import Any

from controlplane.core.arn import arn
from controlplane.core.context import Context
from controlplane.core.ids import resource_id
from controlplane.services.ec2 import tagging
from controlplane.services.ec2.errors import (
    InvalidParameterCombination,
    InvalidParameterValue,
    InvalidPermissionDuplicate,
    InvalidPermissionNotFound,
    MissingParameter,
)
from controlplane.services.ec2.nouns import GROUP, RULE
from controlplane.services.ec2.queries import networks

MAX_PORT = 65535
_NUMBERS = {"1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6", "all": "-1"}
_WITH_PORTS = ("tcp", "udp")
_WITH_TYPES = ("icmp", "icmpv6")

_INSERT = """
INSERT INTO ec2_security_group_rules (id, group_id, egress, protocol, from_port, to_port, cidr, cidr6, source_group_id,
    description)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING RETURNING *
"""
_SAME = """
group_id = $1 AND egress = $2 AND protocol = $3
AND from_port IS NOT DISTINCT FROM $4 AND to_port IS NOT DISTINCT FROM $5 AND cidr IS NOT DISTINCT FROM $6
AND cidr6 IS NOT DISTINCT FROM $7 AND source_group_id IS NOT DISTINCT FROM $8
"""
_DELETE = f"DELETE FROM ec2_security_group_rules WHERE {_SAME} RETURNING id"
_TAKEN = f"SELECT true FROM ec2_security_group_rules WHERE {_SAME} AND id <> $9"
_DESCRIBE = f"UPDATE ec2_security_group_rules SET description = $9 WHERE {_SAME} RETURNING id"
_DESCRIBE_BY_ID = """
UPDATE ec2_security_group_rules SET description = $4 WHERE group_id = $1 AND egress = $2 AND id = $3 RETURNING id
"""
_ONE = "SELECT * FROM ec2_security_group_rules WHERE group_id = $1 AND id = $2"
_MODIFY = """
UPDATE ec2_security_group_rules SET egress = $2, protocol = $3, from_port = $4, to_port = $5, cidr = $6, cidr6 = $7,
    source_group_id = $8, description = $9 WHERE id = $1
"""
_DELETE_BY_ID = "DELETE FROM ec2_security_group_rules WHERE group_id = $1 AND egress = $2 AND id = $3 RETURNING id"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, with exactly one source (or destination)."""

    egress: bool
    protocol: str
    from_port: int | None
    to_port: int | None
    cidr: str | None = None
    cidr6: str | None = None
    source_group_id: str | None = None
    description: str | None = None


async def requested(ctx: Context, request: Any, group: Any, *, egress: bool) -> list[Rule]:
    """The rules that a request names. Raises what AWS raises for bad ports, protocols, CIDRs and groups."""
    rules = [
        rule for permission in _permissions(request) for rule in await _rules(ctx, permission, group, egress=egress)
    ]
    if not rules:
        raise MissingParameter("The request must contain the parameter ipPermissions")
    return rules


def _permissions(request: Any) -> list[Any]:
    """The request's permissions, the old flat parameters included."""
    given = list(request.get("IpPermissions") or ())
    if request.get("IpProtocol") is not None:
        flat: dict[str, Any] = {"IpProtocol": request["IpProtocol"]}
        flat |= {name: request[name] for name in ("FromPort", "ToPort") if request.get(name) is not None}
        if request.get("CidrIp"):
            flat["IpRanges"] = [{"CidrIp": request["CidrIp"]}]
        given.append(flat)
    elif request.get("SourceSecurityGroupName"):
        given.append({"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupName": request["SourceSecurityGroupName"]}]})
    return given


async def _rules(ctx: Context, permission: Any, group: Any, *, egress: bool) -> list[Rule]:
    if permission.get("PrefixListIds"):
        raise InvalidParameterValue("This cloud has no prefix lists.", code="InvalidPrefixListID.NotFound")
    protocol, low, high = _ports(permission)
    head = (egress, protocol, low, high)
    rules = [
        Rule(*head, cidr=_cidr(item.get("CidrIp", "")), description=item.get("Description"))
        for item in permission.get("IpRanges") or ()
    ]
    rules += [
        Rule(*head, cidr6=_cidr6(item.get("CidrIpv6", "")), description=item.get("Description"))
        for item in permission.get("Ipv6Ranges") or ()
    ]
    for pair in permission.get("UserIdGroupPairs") or ():
        source = await _source_group(ctx, pair, group)
        rules.append(Rule(*head, source_group_id=source, description=pair.get("Description")))
    return rules


def _ports(permission: Any) -> tuple[str, int | None, int | None]:
    given = str(permission.get("IpProtocol", "")).lower()
    protocol = _NUMBERS.get(given, given)
    low, high = permission.get("FromPort"), permission.get("ToPort")
    if protocol in _WITH_PORTS:
        if low is None or high is None:
            raise InvalidParameterValue(f"Invalid value 'Must specify both from and to ports with {protocol.upper()}.'")
        if not (0 <= low <= MAX_PORT and 0 <= high <= MAX_PORT):
            raise InvalidParameterValue(f"Invalid value '{low if low < 0 else high}' for {protocol} port.")
        if low > high:
            raise InvalidParameterValue(f"Invalid TCP/UDP port range ({low}:{high})")
        return protocol, low, high
    if protocol in _WITH_TYPES:
        low, high = -1 if low is None else low, -1 if high is None else high
        if not (-1 <= low <= 255 and -1 <= high <= 255):
            raise InvalidParameterValue(f"ICMP code ({high}) out of range")
        return protocol, low, high
    if protocol == "-1":
        return protocol, None, None
    if protocol.isdecimal() and int(protocol) <= 255:
        return protocol, None, None
    raise InvalidParameterValue(
        f"Invalid value '{given}' for IP protocol. Unknown protocol.", code="InvalidPermission.Malformed"
    )


def _cidr(text: str) -> str:
    try:
        return str(IPv4Network(text, strict=False))
    except (AddressValueError, NetmaskValueError, ValueError) as error:
        raise InvalidParameterValue(f"CIDR block {text} is malformed") from error


def _cidr6(text: str) -> str:
    try:
        if "%" in text:  # a scope, which is any text
            raise ValueError(text)
        return str(IPv6Network(text, strict=False))
    except (AddressValueError, NetmaskValueError, ValueError) as error:
        raise InvalidParameterValue(f"CIDR block {text} is malformed") from error


async def _source_group(ctx: Context, pair: Any, group: Any) -> str:
    if pair.get("UserId") not in (None, "", ctx.account_id):
        raise InvalidParameterValue(
            f"The security group '{pair.get('GroupId')}' does not exist", code="InvalidGroup.NotFound"
        )
    if id := pair.get("GroupId"):
        GROUP.check([id])
        row = await networks.lock(ctx, GROUP.table, id, "KEY SHARE")
    else:
        id = pair.get("GroupName", "")
        row = await ctx.db.fetchrow(
            "SELECT * FROM ec2_security_groups WHERE vpc_id = $1 AND name = $2 FOR KEY SHARE", group["vpc_id"], id
        )
    if row is None:
        raise GROUP.missing([id])
    if row["vpc_id"] != group["vpc_id"]:
        raise InvalidParameterCombination(
            f"You have specified two resources that belong to different networks: {group['id']} and {row['id']}"
        )
    return str(row["id"])


async def add(ctx: Context, group: str, rule: Rule) -> Any:
    """Write a rule. Raises InvalidPermission.Duplicate."""
    row = await ctx.db.fetchrow(_INSERT, resource_id("sgr"), group, *asdict(rule).values())
    if row is None:
        raise _duplicate(rule)
    return row


def _duplicate(rule: Rule) -> InvalidPermissionDuplicate:
    peer = rule.cidr or rule.cidr6 or rule.source_group_id
    return InvalidPermissionDuplicate(
        f'the specified rule "peer: {peer}, {rule.protocol.upper()}, from port: {rule.from_port}, '
        f'to port: {rule.to_port}, ALLOW" already exists'
    )


async def remove(ctx: Context, group: Any, request: Any, *, egress: bool) -> None:
    """Delete rules by id or by content. Raises InvalidPermission.NotFound, InvalidSecurityGroupRuleId.NotFound."""
    if ids := request.get("SecurityGroupRuleIds"):
        RULE.check(ids)
        gone = [await ctx.db.fetchval(_DELETE_BY_ID, group["id"], egress, id) for id in ids]
        if lacking := set(ids) - set(gone):
            raise RULE.missing(lacking)
    else:
        rules = await requested(ctx, request, group, egress=egress)
        gone = [await ctx.db.fetchval(_DELETE, group["id"], *_key(rule)) for rule in rules]
        if None in gone:
            raise InvalidPermissionNotFound("The specified rule does not exist in this security group.")
    await tagging.forget(ctx.db, gone)


def _key(rule: Rule) -> list[Any]:
    """What tells a rule from the others of its group: all but the description."""
    return list(asdict(rule).values())[:-1]


async def modify(ctx: Context, group: Any, id: str, wanted: Any) -> None:
    """Replace what a rule says; it keeps its direction. Raises InvalidSecurityGroupRuleId.NotFound,
    InvalidPermission.Duplicate."""
    RULE.check([id])
    row = await ctx.db.fetchrow(_ONE, group["id"], id)
    if row is None:
        raise RULE.missing([id])
    note = {"Description": wanted["Description"]} if "Description" in wanted else {}
    permission = {name: wanted[name] for name in ("IpProtocol", "FromPort", "ToPort") if name in wanted}
    if "CidrIpv4" in wanted:
        permission["IpRanges"] = [{"CidrIp": wanted["CidrIpv4"], **note}]
    if "CidrIpv6" in wanted:
        permission["Ipv6Ranges"] = [{"CidrIpv6": wanted["CidrIpv6"], **note}]
    if "ReferencedGroupId" in wanted:
        permission["UserIdGroupPairs"] = [{"GroupId": wanted["ReferencedGroupId"], **note}]
    rules = await requested(ctx, {"IpPermissions": [permission]}, group, egress=row["egress"])
    if len(rules) != 1:
        raise InvalidParameterCombination("A security group rule has exactly one source or destination.")
    if await ctx.db.fetchval(_TAKEN, group["id"], *_key(rules[0]), id):
        raise _duplicate(rules[0])
    await ctx.db.execute(_MODIFY, id, *asdict(rules[0]).values())


async def describe(ctx: Context, group: Any, request: Any, *, egress: bool) -> None:
    """Set the descriptions of rules, named by id or by content. Raises InvalidPermission.NotFound."""
    if given := request.get("SecurityGroupRuleDescriptions"):
        pairs = {item.get("SecurityGroupRuleId", ""): item.get("Description") for item in given}
        RULE.check(pairs)
        for id, text in pairs.items():
            if not await ctx.db.fetchval(_DESCRIBE_BY_ID, group["id"], egress, id, text):
                raise RULE.missing([id])
        return
    for rule in await requested(ctx, request, group, egress=egress):
        if not await ctx.db.fetchval(_DESCRIBE, group["id"], *_key(rule), rule.description):
            raise InvalidPermissionNotFound("The specified rule does not exist in this security group.")


def by_group(rules: Sequence[Any]) -> dict[str, list[Any]]:
    """Rules by the group that has them."""
    found: dict[str, list[Any]] = defaultdict(list)
    for rule in rules:
        found[rule["group_id"]].append(rule)
    return found


def permissions(ctx: Context, rules: Sequence[Any], *, egress: bool) -> list[dict[str, Any]]:
    """Rules gathered by protocol and ports, as DescribeSecurityGroups shows them."""
    gathered: dict[tuple[Any, ...], dict[str, Any]] = {}
    for rule in rules:
        if rule["egress"] != egress:
            continue
        key = (rule["protocol"], rule["from_port"], rule["to_port"])
        shown = gathered.setdefault(key, _permission(*key))
        note = {"Description": rule["description"]} if rule["description"] else {}
        if rule["cidr"]:
            shown["IpRanges"].append({"CidrIp": rule["cidr"], **note})
        elif rule["cidr6"]:
            shown["Ipv6Ranges"].append({"CidrIpv6": rule["cidr6"], **note})
        else:
            shown["UserIdGroupPairs"].append({"GroupId": rule["source_group_id"], "UserId": ctx.account_id, **note})
    return list(gathered.values())


def _permission(protocol: str, low: int | None, high: int | None) -> dict[str, Any]:
    shown: dict[str, Any] = {"IpProtocol": protocol}
    if low is not None:
        shown |= {"FromPort": low, "ToPort": high}
    return {**shown, "IpRanges": [], "Ipv6Ranges": [], "PrefixListIds": [], "UserIdGroupPairs": []}


def shape(ctx: Context, row: Any, tags: Mapping[str, str] | None) -> dict[str, Any]:
    """One rule, as DescribeSecurityGroupRules shows it."""
    shown = {
        "SecurityGroupRuleId": row["id"],
        "SecurityGroupRuleArn": arn("ec2", ctx.region, ctx.account_id, f"security-group-rule/{row['id']}"),
        "GroupId": row["group_id"],
        "GroupOwnerId": ctx.account_id,
        "IsEgress": row["egress"],
        "IpProtocol": row["protocol"],
        "FromPort": -1 if row["from_port"] is None else row["from_port"],
        "ToPort": -1 if row["to_port"] is None else row["to_port"],
        "Description": row["description"],
        "Tags": tagging.shape(tags),
    }
    if row["cidr"]:
        shown["CidrIpv4"] = row["cidr"]
    elif row["cidr6"]:
        shown["CidrIpv6"] = row["cidr6"]
    else:
        shown["ReferencedGroupInfo"] = {"GroupId": row["source_group_id"], "UserId": ctx.account_id}
    return shown

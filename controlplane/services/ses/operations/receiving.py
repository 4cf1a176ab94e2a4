"""Receipt rule sets, their rules, and filters of addresses that mail comes from."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import ANY, operation
from controlplane.core.paging import encode_token
from controlplane.services.ses import receiving
from controlplane.services.ses.errors import AlreadyExists, CannotDelete, InvalidParameterValue
from controlplane.services.ses.paging import after

_MOST, _MOST_FILTERS = 100, 100
_PAGE = """
SELECT * FROM ses_rule_sets WHERE account_id = $1 AND region = $2 AND ($3::text IS NULL OR name > $3)
ORDER BY name LIMIT $4
"""
_ACTIVE = "SELECT * FROM ses_rule_sets WHERE account_id = $1 AND region = $2 AND active"
_ACTIVATE = "UPDATE ses_rule_sets SET active = (name = $3) WHERE account_id = $1 AND region = $2"
_DELETE = "DELETE FROM ses_rule_sets WHERE account_id = $1 AND region = $2 AND name = $3 RETURNING active"
_ADD_FILTER = """
INSERT INTO ses_receipt_filters (account_id, region, name, ip_filter) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
RETURNING true
"""
_DROP_FILTER = "DELETE FROM ses_receipt_filters WHERE account_id = $1 AND region = $2 AND name = $3"
_LIST_FILTERS = "SELECT * FROM ses_receipt_filters WHERE account_id = $1 AND region = $2 ORDER BY name"


def _metadata(row: Any) -> dict[str, Any]:
    return {"Name": row["name"], "CreatedTimestamp": row["created_at"]}


@operation("CreateReceiptRuleSet", on=ANY)
async def create_receipt_rule_set(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises AlreadyExists, InvalidParameterValue."""
    await receiving.create(ctx, request["RuleSetName"], [])
    return {}


@operation("CloneReceiptRuleSet", on=ANY)
async def clone_receipt_rule_set(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises RuleSetDoesNotExist, AlreadyExists."""
    row = await receiving.find(ctx, request["OriginalRuleSetName"])
    await receiving.create(ctx, request["RuleSetName"], row["rules"])
    return {}


@operation("DescribeReceiptRuleSet", on=ANY)
async def describe_receipt_rule_set(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises RuleSetDoesNotExist."""
    row = await receiving.find(ctx, request["RuleSetName"])
    return {"Metadata": _metadata(row), "Rules": row["rules"]}


@operation("DescribeActiveReceiptRuleSet", on=ANY)
async def describe_active_receipt_rule_set(ctx: Context, request: Any) -> dict[str, Any]:
    """Empty where none is active."""
    row = await ctx.db.fetchrow(_ACTIVE, ctx.account_id, ctx.region)
    return {"Metadata": _metadata(row), "Rules": row["rules"]} if row is not None else {}


@operation("ListReceiptRuleSets", on=ANY)
async def list_receipt_rule_sets(ctx: Context, request: Any) -> dict[str, Any]:
    """By name."""
    rows = await ctx.db.fetch(_PAGE, ctx.account_id, ctx.region, after(request), _MOST + 1)
    more = {"NextToken": encode_token(rows[_MOST - 1]["name"])} if len(rows) > _MOST else {}
    return {"RuleSets": [_metadata(row) for row in rows[:_MOST]], **more}


@operation("SetActiveReceiptRuleSet", on=ANY)
async def set_active_receipt_rule_set(ctx: Context, request: Any) -> dict[str, Any]:
    """Take mail by a set's rules; without a name take none. Raises RuleSetDoesNotExist."""
    name = request.get("RuleSetName")
    if name:
        await receiving.find(ctx, name)
        ctx.engine("mailroom").touch()  # the supervisor starts the listener
    await ctx.db.execute(_ACTIVATE, ctx.account_id, ctx.region, name or "")
    return {}


@operation("DeleteReceiptRuleSet", on=ANY)
async def delete_receipt_rule_set(ctx: Context, request: Any) -> dict[str, Any]:
    """One that is not there is no error. Raises CannotDelete."""
    if await ctx.db.fetchval(_DELETE, ctx.account_id, ctx.region, request["RuleSetName"]):
        raise CannotDelete(f"Cannot delete active rule set: {request['RuleSetName']}")
    return {}


@operation("ReorderReceiptRuleSet", on=ANY)
async def reorder_receipt_rule_set(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises RuleSetDoesNotExist, RuleDoesNotExist, InvalidParameterValue."""
    row = await receiving.find(ctx, request["RuleSetName"], change=True)
    rules = [row["rules"][receiving.place(row["rules"], name)] for name in request["RuleNames"]]
    if len(rules) != len(row["rules"]) or len(set(request["RuleNames"])) != len(rules):
        raise InvalidParameterValue("All rules of the set must be named, each once.")
    await receiving.write(ctx, row["name"], rules)
    return {}


@operation("CreateReceiptRule", on=ANY)
async def create_receipt_rule(ctx: Context, request: Any) -> dict[str, Any]:
    """Behind another rule, or first. Raises AlreadyExists, InvalidParameterValue, InvalidS3Configuration,
    InvalidSnsTopic, RuleDoesNotExist, RuleSetDoesNotExist."""
    row = await receiving.find(ctx, request["RuleSetName"], change=True)
    rule = await receiving.checked(ctx, row["name"], request["Rule"])
    if any(there["Name"] == rule["Name"] for there in row["rules"]):
        raise AlreadyExists(f"Rule already exists: {rule['Name']}")
    await receiving.write(ctx, row["name"], _placed(row["rules"], rule, request.get("After")))
    return {}


def _placed(rules: list[Any], rule: Any, behind: str | None) -> list[Any]:
    at = receiving.place(rules, behind) + 1 if behind else 0
    return [*rules[:at], rule, *rules[at:]]


@operation("UpdateReceiptRule", on=ANY)
async def update_receipt_rule(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises InvalidParameterValue, InvalidS3Configuration, InvalidSnsTopic, RuleDoesNotExist, RuleSetDoesNotExist."""
    row = await receiving.find(ctx, request["RuleSetName"], change=True)
    at = receiving.place(row["rules"], request["Rule"]["Name"])
    rule = await receiving.checked(ctx, row["name"], request["Rule"])
    await receiving.write(ctx, row["name"], [*row["rules"][:at], rule, *row["rules"][at + 1 :]])
    return {}


@operation("DescribeReceiptRule", on=ANY)
async def describe_receipt_rule(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises RuleDoesNotExist, RuleSetDoesNotExist."""
    row = await receiving.find(ctx, request["RuleSetName"])
    return {"Rule": row["rules"][receiving.place(row["rules"], request["RuleName"])]}


@operation("SetReceiptRulePosition", on=ANY)
async def set_receipt_rule_position(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises RuleDoesNotExist, RuleSetDoesNotExist."""
    row = await receiving.find(ctx, request["RuleSetName"], change=True)
    rules = list(row["rules"])
    rule = rules.pop(receiving.place(rules, request["RuleName"]))
    await receiving.write(ctx, row["name"], _placed(rules, rule, request.get("After")))
    return {}


@operation("DeleteReceiptRule", on=ANY)
async def delete_receipt_rule(ctx: Context, request: Any) -> dict[str, Any]:
    """One that is not there is no error. Raises RuleSetDoesNotExist."""
    row = await receiving.find(ctx, request["RuleSetName"], change=True)
    rules = [rule for rule in row["rules"] if rule["Name"] != request["RuleName"]]
    await receiving.write(ctx, row["name"], rules)
    return {}


@operation("CreateReceiptFilter", on=ANY)
async def create_receipt_filter(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises AlreadyExists, InvalidParameterValue."""
    given = request["Filter"]
    name, ip_filter = receiving.check_name(given["Name"]), given["IpFilter"]
    try:
        ip_network(ip_filter["Cidr"], strict=False)
    except ValueError as error:
        raise InvalidParameterValue(f"Invalid CIDR block: {ip_filter['Cidr'][:50]}") from error
    if len(await ctx.db.fetch(_LIST_FILTERS, ctx.account_id, ctx.region)) >= _MOST_FILTERS:
        raise InvalidParameterValue(f"There are at most {_MOST_FILTERS} filters.")
    if not await ctx.db.fetchval(_ADD_FILTER, ctx.account_id, ctx.region, name, ip_filter):
        raise AlreadyExists(f"Filter already exists: {name}")
    return {}


@operation("ListReceiptFilters", on=ANY)
async def list_receipt_filters(ctx: Context, request: Any) -> dict[str, Any]:
    """By name."""
    rows = await ctx.db.fetch(_LIST_FILTERS, ctx.account_id, ctx.region)
    return {"Filters": [{"Name": row["name"], "IpFilter": row["ip_filter"]} for row in rows]}


@operation("DeleteReceiptFilter", on=ANY)
async def delete_receipt_filter(ctx: Context, request: Any) -> dict[str, Any]:
    """One that is not there is no error."""
    await ctx.db.execute(_DROP_FILTER, ctx.account_id, ctx.region, request["FilterName"])
    return {}

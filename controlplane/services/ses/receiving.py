"""Whose mail from outside is taken, and by which rules."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

from controlplane.core.arn import arn
from controlplane.core.context import Context, Unit
from controlplane.core.errors import AwsError, NotImplementedByCelaje
from controlplane.services.ses import identities
from controlplane.services.ses.addresses import DOMAIN
from controlplane.services.ses.configuration_sets import as_ses
from controlplane.services.ses.errors import (
    AlreadyExists,
    InvalidParameterValue,
    InvalidS3Configuration,
    InvalidSnsTopic,
    RuleDoesNotExist,
    RuleSetDoesNotExist,
)

RECEIVE = "ses.receive"
"""The kind of work that applies rules to a mail; its keys are mails."""
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
_HEADER = re.compile(r"[A-Za-z0-9-]{1,50}", re.ASCII)
_LONGEST_VALUE, _MOST_RULES, _MOST_SETS = 2048, 200, 40
_NOT_BUILT = ("LambdaAction", "WorkmailAction", "ConnectAction")
_SETUP = "AMAZON_SES_SETUP_NOTIFICATION"
_INSERT = """
INSERT INTO ses_rule_sets (account_id, region, name, rules) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
RETURNING true
"""
_FIND = "SELECT * FROM ses_rule_sets WHERE account_id = $1 AND region = $2 AND name = $3"
_RULES = "UPDATE ses_rule_sets SET rules = $4 WHERE account_id = $1 AND region = $2 AND name = $3"
_COUNT = "SELECT count(*) FROM ses_rule_sets WHERE account_id = $1 AND region = $2"
# The domain is its first owner's: nobody takes another's mail by verifying the same name later.
_CANDIDATES = """
SELECT i.account_id, i.region, s.rules FROM ses_identities i
LEFT JOIN ses_rule_sets s ON s.account_id = i.account_id AND s.region = i.region AND s.active
WHERE i.name = ANY($1) AND i.verified ORDER BY i.created_at, i.region
"""
_FILTERS = "SELECT ip_filter FROM ses_receipt_filters WHERE account_id = $1 AND region = $2"


@dataclass(frozen=True, slots=True)
class Box:
    """An account in a region that takes mail for an address."""

    account_id: str
    region: str


def matches(rule: Mapping[str, Any], address: str) -> bool:
    """Whether a rule is for an address, its domain, or (`.example.com`) a domain below."""
    given, domain = [text.lower() for text in rule.get("Recipients") or ()], address.rpartition("@")[2]
    return not given or any(
        text in (address, domain) or (text.startswith(".") and domain.endswith(text)) for text in given
    )


async def taken_by(db: Unit, address: str, peer: str) -> Box | None:
    """Who takes mail for an address from a connection; None: it is refused."""
    address = address.lower()
    labels = address.rpartition("@")[2].split(".")
    names = [address, *(".".join(labels[place:]) for place in range(len(labels) - 1))]
    rows = await db.fetch(_CANDIDATES, names)
    for row in rows:
        if row["account_id"] != rows[0]["account_id"] or row["rules"] is None:
            continue
        if any(rule["Enabled"] and matches(rule, address) for rule in row["rules"]):
            filters = await db.fetch(_FILTERS, row["account_id"], row["region"])
            allowed = _is_allowed(peer, [item["ip_filter"] for item in filters])
            return Box(row["account_id"], row["region"]) if allowed else None
    return None


def _is_allowed(peer: str, filters: Iterable[Mapping[str, str]]) -> bool:
    """The narrowest filter that holds a peer decides."""
    address = ip_address(peer)
    fitting = [each for each in filters if address in ip_network(each["Cidr"], strict=False)]
    fitting.sort(key=lambda each: ip_network(each["Cidr"], strict=False).prefixlen)
    return not fitting or fitting[-1]["Policy"] == "Allow"


def rule_set_arn(ctx: Context, name: str) -> str:
    return arn("ses", ctx.region, ctx.account_id, f"receipt-rule-set/{name}")


def check_name(name: str) -> str:
    """Raises InvalidParameterValue."""
    if not _NAME.fullmatch(name):
        raise InvalidParameterValue(f"Not a valid name: {name[:100]}")
    return name


async def create(ctx: Context, name: str, rules: Sequence[Any]) -> None:
    """Raises InvalidParameterValue, AlreadyExists."""
    if await ctx.db.fetchval(_COUNT, ctx.account_id, ctx.region) >= _MOST_SETS:
        raise InvalidParameterValue(f"There are at most {_MOST_SETS} rule sets.")
    if not await ctx.db.fetchval(_INSERT, ctx.account_id, ctx.region, check_name(name), list(rules)):
        raise AlreadyExists(f"Rule set already exists: {name}")


async def find(ctx: Context, name: str, *, change: bool = False) -> Any:
    """Raises RuleSetDoesNotExist."""
    sql = f"{_FIND} FOR UPDATE" if change else _FIND
    row = await ctx.db.fetchrow(sql, ctx.account_id, ctx.region, name)
    if row is None:
        raise RuleSetDoesNotExist(name[:64])
    return row


async def write(ctx: Context, name: str, rules: Sequence[Any]) -> None:
    """Raises InvalidParameterValue for too many."""
    if len(rules) > _MOST_RULES:
        raise InvalidParameterValue(f"A rule set has at most {_MOST_RULES} rules.")
    await ctx.db.execute(_RULES, ctx.account_id, ctx.region, name, list(rules))


def place(rules: Sequence[Any], name: str) -> int:
    """Where a rule stands. Raises RuleDoesNotExist."""
    for number, rule in enumerate(rules):
        if rule["Name"] == name:
            return number
    raise RuleDoesNotExist(name[:64])


async def checked(ctx: Context, set_name: str, rule: Mapping[str, Any]) -> dict[str, Any]:
    """A rule with AWS's defaults, its bucket and topics tried. Raises InvalidParameterValue, InvalidS3Configuration,
    InvalidSnsTopic."""
    check_name(rule["Name"])
    for text in rule.get("Recipients") or ():
        if not DOMAIN.fullmatch(text.rpartition("@")[2].removeprefix(".")):
            raise InvalidParameterValue(f"Not a valid recipient: {text[:320]}")
    actions = list(rule.get("Actions") or ())
    for action in actions:
        given = {kind: value for kind, value in action.items() if value}
        if len(given) != 1:
            raise InvalidParameterValue("An action must be of exactly one kind.")
        ((kind, value),) = given.items()
        await _check_action(ctx, set_name, kind, value)
    defaults = {"Enabled": False, "TlsPolicy": "Optional", "ScanEnabled": False}
    kept = {name: value for name, value in rule.items() if value is not None and (name != "Recipients" or value)}
    return {**defaults, **kept, "Actions": actions}


async def _check_action(ctx: Context, set_name: str, kind: str, value: Mapping[str, Any]) -> None:
    if kind in _NOT_BUILT or value.get("KmsKeyArn") or value.get("IamRoleArn"):
        raise NotImplementedByCelaje(f"{kind} with these settings is not built by this cloud.")
    if kind == "AddHeaderAction":
        text = value["HeaderValue"]
        if not _HEADER.fullmatch(value["HeaderName"]) or len(text) > _LONGEST_VALUE or not text.isprintable():
            raise InvalidParameterValue("Not a valid header to add.")
    if kind == "BounceAction":
        if not re.fullmatch(r"[45]\d\d", value["SmtpReplyCode"]):
            raise InvalidParameterValue("Not a valid SMTP reply code.")
        if not re.fullmatch(r"[45]\.\d{1,3}\.\d{1,3}", value.get("StatusCode") or "5.0.0"):
            raise InvalidParameterValue("Not a valid status code.")
        if not value["Message"].isprintable():
            raise InvalidParameterValue("Not a valid message.")
        await identities_own(ctx, value["Sender"])
    acting = as_ses(ctx, rule_set_arn(ctx, set_name))
    if value.get("TopicArn"):
        await _try(
            acting.call("sns", "Publish", {"TopicArn": value["TopicArn"], "Message": _SETUP}),
            InvalidSnsTopic(f"Invalid SNS topic: {value['TopicArn'][:256]}"),
        )
    if kind == "S3Action":
        key = f"{value.get('ObjectKeyPrefix') or ''}{_SETUP}"
        request = {"Bucket": value["BucketName"], "Key": key, "Body": _NOTE}
        error = InvalidS3Configuration(f"Could not write to bucket: {value['BucketName'][:63]}")
        await _try(acting.call("s3", "PutObject", request), error)


_NOTE = b"Amazon SES has been set up to store mail in this bucket.\n"


async def _try(call: Any, error: AwsError) -> None:
    try:
        await call
    except AwsError as refused:
        if refused.status >= 500:
            raise
        raise error from refused


async def identities_own(ctx: Context, address: str) -> None:
    """Raises InvalidParameterValue for an address that the caller may not send from."""
    own = identities.address(address)
    if not await identities.named(ctx, [own, own.rpartition("@")[2]]):
        raise InvalidParameterValue(f"The sender {own} is not verified.")

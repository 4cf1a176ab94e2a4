"""Query logs: a line in CloudWatch Logs for each question about a zone, as far as the account's policies let us.

Its form: https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/query-logs.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from controlplane.core.arn import Arn
from controlplane.core.context import Context, Unit
from controlplane.core.errors import AwsError
from controlplane.engines.dns.contract import Question
from controlplane.services.route53 import names
from controlplane.services.route53.errors import (
    InsufficientCloudWatchLogsResourcePolicy,
    InvalidInput,
    NoSuchCloudWatchLogsLogGroup,
)

WATCH = "route53.watch"
"""The kind of work that has the engine tell of questions, and of no more than are logged."""
SERVICE = "route53.amazonaws.com"
"""Resource policies name this principal."""
EDGE = "CEL1"
"""The one place at which questions are answered, named as AWS's edge locations are."""
_PREFIX = "log-group:"
_LABEL = re.compile(r"(?:[^\\.]|\\.)*(?:\.|$)", re.DOTALL)
_LOGGED = """
SELECT q.id, q.account_id, q.group_arn, q.zone_id, z.name
FROM route53_query_logs q JOIN route53_zones z ON z.id = q.zone_id ORDER BY q.id
"""
_DENIED = ("AccessDeniedException", "AccessDenied")
_MISSING = "ResourceNotFoundException"

Event = dict[str, Any]


def stream(zone_id: str) -> str:
    """The log stream of a zone's questions."""
    return f"{zone_id}/{EDGE}"


async def logged(db: Unit) -> list[Any]:
    """All configurations, with the names of their zones."""
    return await db.fetch(_LOGGED)


def group(ctx: Context, text: str) -> str:
    """The log group that an ARN names. Raises InvalidInput."""
    try:
        where = Arn.parse(text)
    except ValueError as error:
        raise InvalidInput("The ARN for the CloudWatch Logs log group is invalid.") from error
    if where.service != "logs" or not where.resource.startswith(_PREFIX):
        raise InvalidInput("The ARN for the CloudWatch Logs log group is invalid.")
    if where.region != ctx.cloud.regions[0] or where.account != ctx.account_id:
        raise InvalidInput(
            f"The CloudWatch Logs log group must be in {ctx.cloud.regions[0]} and of the hosted zone's account."
        )
    return group_name(text)


def group_name(text: str) -> str:
    """The name in a group's ARN."""
    return Arn.parse(text).resource.removeprefix(_PREFIX).removesuffix(":*")


async def prepare(ctx: Context, acting: Context, group: str, zone_id: str) -> None:
    """Make a zone's stream, and see that we may write into it. Raises NoSuchCloudWatchLogsLogGroup,
    InsufficientCloudWatchLogsResourcePolicy, InvalidInput."""
    try:
        await _make_stream(acting, group, zone_id)
        # An event of 1970 is too old to be kept: only the permission is tried.
        trial = {"logGroupName": group, "logStreamName": stream(zone_id)}
        await acting.call("logs", "PutLogEvents", {**trial, "logEvents": [{"timestamp": 0, "message": "-"}]})
    except AwsError as error:
        if error.code == _MISSING or (error.code in _DENIED and not await _there(ctx, acting.region, group)):
            raise NoSuchCloudWatchLogsLogGroup("The specified CloudWatch Logs log group doesn't exist.") from error
        if error.code in _DENIED:
            raise InsufficientCloudWatchLogsResourcePolicy(
                "The CloudWatch Logs resource policy does not grant Amazon Route 53 the permission to create log "
                "streams and to put log events into the log group."
            ) from error
        if error.status >= 500:
            raise
        raise InvalidInput("The ARN for the CloudWatch Logs log group is invalid.") from error


async def _there(ctx: Context, region: str, group: str) -> bool:
    """Whether the group is there, as far as the caller may know."""
    try:
        found = await replace(ctx, region=region).call("logs", "DescribeLogGroups", {"logGroupNamePrefix": group})
    except AwsError as error:
        if error.status >= 500:
            raise
        return True
    return any(each["logGroupName"] == group for each in found["logGroups"])


async def _make_stream(acting: Context, group: str, zone_id: str) -> None:
    try:
        await acting.call("logs", "CreateLogStream", {"logGroupName": group, "logStreamName": stream(zone_id)})
    except AwsError as error:
        if error.code != "ResourceAlreadyExistsException":
            raise


async def write(acting: Context, config: Mapping[str, Any], events: Sequence[Event]) -> None:
    """Write lines of a zone, in any order; the stream is made where it is not there. Raises AwsError."""
    where = {"logGroupName": group_name(config["group_arn"]), "logStreamName": stream(config["zone_id"])}
    await acting.ask("logs", "Write", {**where, "logEvents": events})


def event(zone_id: str, question: Question) -> Event:
    """The line of a question, with its time."""
    at = datetime.fromtimestamp(question.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    asked = f"{question.name} {question.type} {question.rcode} {question.transport}"
    line = f"1.0 {at} {zone_id} {asked} {EDGE} {question.address} {question.subnet or '-'}"
    return {"timestamp": int(question.at * 1000), "message": line}


def served(owners: Mapping[str, str], configs: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """By the names of zones that are served, whose questions are to be sorted out: the id of a logged zone, or nothing.
    `owners` says whose zone answers for a name."""
    ids = {config["zone_id"] for config in configs}
    return {name: owner if owner in ids else "" for name, owner in owners.items()}


def zone_of(served: Mapping[str, str], question: Question) -> str:
    """The logged zone that answered a question; empty when another one did. A DS record is the parent zone's."""
    name = question.name.lower()
    if question.type == "DS" and (found := nearest(served, _above(name))):
        return served[found]
    found = nearest(served, name)
    return served[found] if found else ""


def nearest(served: Mapping[str, str], name: str) -> str:
    """The name of the zone that a name (small letters) is in; empty when it is in none of these."""
    while name and name not in served:
        name = _above(name)
    return name


def _above(name: str) -> str:
    """Without the first label; a dot within a label is escaped."""
    first = _LABEL.match(name)
    return name[first.end() :] if first else ""


def zone_names(configs: Iterable[Mapping[str, Any]]) -> set[str]:
    """The names of zones as the engine knows them."""
    return {names.served(config["name"]) for config in configs}

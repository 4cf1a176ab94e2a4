"""Query logs in log groups of CloudWatch Logs: a stream for each VPC.

Source: "Logging that requires additional permissions [V1]" in the CloudWatch Logs user guide: who sets up such a log
and may put resource policies has the one made for them that lets the log in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from controlplane.core.arn import Arn
from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.services.route53resolver.errors import InvalidRequestException

_SERVICE = "delivery.logs.amazonaws.com"
_PREFIX = "log-group:"
_VERSION = "2012-10-17"
_POLICY = "AWSLogDeliveryWrite20150319"
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('route53resolver log policy ' || $1 || ' ' || $2, 0))"
_TRIAL = "log_stream_created_by_aws_to_validate_log_delivery_subscriptions"
"""A stream that AWS makes to see whether it may."""
_THERE, _DENIED = "ResourceAlreadyExistsException", "AccessDeniedException"


def is_group(destination: str) -> bool:
    """Whether an ARN is a log group's."""
    return Arn.parse(destination).service == "logs"


def _name(destination: str) -> str:
    return Arn.parse(destination).resource.removeprefix(_PREFIX).removesuffix(":*")


async def prepare(ctx: Context, acting: Context, destination: str) -> None:
    """See that a group of the caller's is there and lets us write; where no policy does, put one as the caller. Raises
    InvalidRequestException, AwsError."""
    where, name = Arn.parse(destination), _name(destination)
    if (where.region, where.account) != (ctx.region, ctx.account_id) or not where.resource.startswith(_PREFIX):
        raise InvalidRequestException("[RSLVR-01612] The log group must be one of the account and the Region.")
    found = await ctx.call("logs", "DescribeLogGroups", {"logGroupNamePrefix": name})
    if all(group["logGroupName"] != name for group in found["logGroups"]):
        raise InvalidRequestException(f"[RSLVR-01613] The log group {name[:200]} does not exist.")
    try:
        await _make_stream(acting, name, _TRIAL)
    except AwsError as error:
        if error.code != _DENIED:
            raise
        await _let_in(ctx, name)
        await _make_stream(acting, name, _TRIAL)


async def _let_in(ctx: Context, name: str) -> None:
    """Put what lets us write into a group beside what the policy of such logs says already; one at a time, so that none
    overwrites what another one put."""
    await ctx.db.execute(_LOCK, ctx.account_id, ctx.region)
    told = await ctx.call("logs", "DescribeResourcePolicies", {})
    documents = [each["policyDocument"] for each in told["resourcePolicies"] if each["policyName"] == _POLICY]
    document: dict[str, Any] = orjson.loads(documents[0]) if documents else {"Version": _VERSION, "Statement": []}
    own = f"arn:aws:logs:{ctx.region}:{ctx.account_id}"
    statement: dict[str, Any] = {
        "Sid": _POLICY,
        "Effect": "Allow",
        "Principal": {"Service": [_SERVICE]},
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": [],
        "Condition": {
            "StringEquals": {"aws:SourceAccount": [ctx.account_id]},
            "ArnLike": {"aws:SourceArn": [f"{own}:*"]},
        },
    }
    statements = document["Statement"] = _list(document["Statement"])
    ours = next((each for each in statements if {**each, "Resource": []} == statement), None)
    if ours is None:
        statements.append(statement)
        ours = statement
    ours["Resource"] = [*_list(ours.get("Resource", [])), f"{own}:{_PREFIX}{name}:log-stream:*"]
    put = {"policyName": _POLICY, "policyDocument": orjson.dumps(document).decode()}
    await ctx.call("logs", "PutResourcePolicy", put)


def _list(value: Any) -> list[Any]:
    """What a policy may write as a list, or as its one item."""
    return value if isinstance(value, list) else [value]


async def _make_stream(acting: Context, name: str, stream: str) -> None:
    try:
        await acting.call("logs", "CreateLogStream", {"logGroupName": name, "logStreamName": stream})
    except AwsError as error:
        if error.code != _THERE:
            raise


async def write(acting: Context, destination: str, vpc: str, lines: Sequence[tuple[float, Any]]) -> None:
    """Write lines, with the times (in seconds) of which they tell, into the VPC's stream. Raises AwsError."""
    events = [{"timestamp": int(at * 1000), "message": orjson.dumps(line).decode()} for at, line in lines]
    request = {"logGroupName": _name(destination), "logStreamName": vpc, "logEvents": events}
    await acting.ask("logs", "Write", request)

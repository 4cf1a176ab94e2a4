"""Query logs: what guests asked, in AWS's form, written as files into buckets or as events into log groups, as far as
policies let us."""

from __future__ import annotations

import gzip
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from controlplane.core.arn import Arn
from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.services.route53resolver import log_groups as groups
from controlplane.services.route53resolver.errors import InvalidRequestException

DELIVER = "route53resolver.query-log"
"""The kind of work that writes files; its keys are associations."""
SERVICE = "delivery.logs.amazonaws.com"
"""Policies of buckets and log groups name this principal."""
_VERSION = "1.100000"


def source(region: str, account: str, id: str) -> str:
    """The ARN that bucket policies see as `aws:SourceArn`: AWS's guide has them ask for `arn:aws:logs:…:*`."""
    return f"arn:aws:logs:{region}:{account}:delivery-source:{id}"


def place(destination: str) -> tuple[str, str]:
    """Bucket, and the prefix of keys."""
    bucket, _, prefix = Arn.parse(destination).resource.partition("/")
    return bucket, f"{prefix.strip('/')}/" if prefix.strip("/") else ""


async def check(ctx: Context, destination: str) -> None:
    """That the destination is there and its policy knows us. Raises InvalidRequestException."""
    acting = ctx.as_service(SERVICE, source(ctx.region, ctx.account_id, "new"))
    try:
        if groups.is_group(destination):
            await groups.prepare(ctx, acting, destination)
        else:
            await acting.call("s3", "GetBucketAcl", {"Bucket": place(destination)[0]})
    except AwsError as error:
        if error.status >= 500:
            raise
        raise InvalidRequestException(
            f"[RSLVR-01611] Query logs cannot be written to {destination[:200]}: {error.message}"
        ) from error


async def write(ctx: Context, config: Mapping[str, Any], vpc: str, queries: Sequence[Mapping[str, Any]]) -> None:
    """Write a VPC's questions: one file, or events of the VPC's stream. Raises AwsError."""
    if groups.is_group(config["destination"]):
        await groups.write(ctx, config["destination"], vpc, [(query["at"], _line(config, query)) for query in queries])
        return
    bucket, prefix = place(config["destination"])
    account, now = config["account_id"], datetime.now(UTC)
    folder = f"{prefix}AWSLogs/{account}/vpcdnsquerylogs/{vpc}/{now:%Y/%m/%d}"
    name = f"{vpc}_vpcdnsquerylogs_{account}_{now:%Y%m%dT%H%MZ}_{secrets.token_hex(4)}.log.gz"
    lines = b"".join(orjson.dumps(_line(config, query)) + b"\n" for query in queries)
    request = {"Bucket": bucket, "Key": f"{folder}/{name}", "Body": gzip.compress(lines, 6, mtime=0)}
    await ctx.call("s3", "PutObject", {**request, "ACL": "bucket-owner-full-control"})


def _line(config: Mapping[str, Any], query: Mapping[str, Any]) -> dict[str, Any]:
    line: dict[str, Any] = {
        "version": _VERSION,
        "account_id": config["account_id"],
        "region": config["region"],
        "vpc_id": query["vpc"],
        "query_timestamp": f"{datetime.fromtimestamp(query['at'], UTC):%Y-%m-%dT%H:%M:%SZ}",
        "query_name": query["name"],
        "query_type": query["type"],
        "query_class": "IN",
        "rcode": query["rcode"],
        "answers": [{"Rdata": value, "Type": type, "Class": "IN"} for value, type in query["answers"]],
        "srcaddr": query["address"],
        "srcport": str(query["port"]),
        "transport": query["transport"],
        "srcids": {"instance": query["instance"]} if query["instance"] else {},
    }
    if query["action"]:
        line |= {"firewall_rule_action": query["action"], "firewall_rule_group_id": query["group"]}
        line["firewall_domain_list_id"] = query["domain_list"]
    return line
